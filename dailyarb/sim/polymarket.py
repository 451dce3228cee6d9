"""Polymarket as its clients see it: discovery, the order book's REST and its two sockets.

The model is sans-IO and composed of rooms: `hall` (windows and their crowds), `channels` (sockets),
`gamma` (discovery), `clob` (REST), `desk` (orders and trades), `accounts` (the venue's books).
Where the settling price comes from is `oracle`. It imports nothing of dailyarb but `dailyarb.sim`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dailyarb.sim.accounts import Account, Ledger
from dailyarb.sim.channels import Channels
from dailyarb.sim.clob import Clob
from dailyarb.sim.desk import Desk
from dailyarb.sim.gamma import Gamma, new_market_event, resolved_event
from dailyarb.sim.hall import Events, Hall, Hours
from dailyarb.sim.market import SimMarket
from dailyarb.sim.oracle import Oracle
from dailyarb.sim.orderbook import Match
from dailyarb.sim.types import NS_PER_MS, Delivery, Held, Reply, Request


class Rules(NamedTuple):
    """Is what may be chosen about the venue; the hold is 50 ms since August 2026."""

    hours: Hours = Hours()
    hold_ms: int = 50
    skew_s_max: float = 60.0


class PolymarketModel:
    """Is the venue: one order book per market, its accounts, and everything that tells of them."""

    def __init__(
        self, seed: int, oracles: Mapping[str, Oracle], now_ns: int, rules: Rules | None = None
    ) -> None:
        """Opens the venue with its current and next windows.

        Args:
            seed: fixes every window's identity and market.
            oracles: asset name to settling feed.
            now_ns: venue time of the start.
            rules: what may be chosen; None is the venue as it is.
        """
        rules = rules or Rules()
        self.ledger = Ledger()
        self._silent = False
        self._channels: Channels | None = None
        events = Events(self._made, self._listed, self._resolved, self._paid)
        self.hall = Hall(seed, oracles, rules.hours, events, now_ns)
        self.channels = self._channels = Channels(self.hall, self.ledger.authenticate)
        self.desk = Desk(seed, self.hall, self.ledger, self.channels, rules.hold_ms)
        self.gamma = Gamma(self.hall)
        self.clob = Clob(self.hall, self.ledger, self.desk, rules.skew_s_max)

    def open_account(self, account: Account) -> None:
        """Adds an account with its cash."""
        self.ledger.open(account)

    def connect(
        self, conn_id: str, path: str, query: tuple[tuple[str, str], ...], now_ns: int
    ) -> int:
        """Opens a socket of the order book."""
        del query
        return self.channels.connect(conn_id, path, now_ns)

    def receive(self, conn_id: str, text: str, now_ns: int) -> None:
        """Takes one text frame of a client."""
        self.hall.schedule.run(now_ns)
        self.channels.receive(conn_id, text, now_ns)

    def disconnect(self, conn_id: str) -> None:
        """Forgets a socket."""
        self.channels.disconnect(conn_id)

    def request(self, request: Request, now_ns: int) -> Reply | Held:
        """Answers a request to the order book; marketable orders are held."""
        self.hall.schedule.run(now_ns)
        return self.clob.request(request, now_ns)

    def discover(self, request: Request, now_ns: int) -> Reply:
        """Answers a request to the discovery service."""
        self.hall.schedule.run(now_ns)
        return self.gamma.request(request, now_ns)

    def answer(self, ticket: int) -> Reply:
        """Returns the answer of a held request; raises KeyError before it is due."""
        return self.clob.answer(ticket)

    def silence(self, on: bool) -> None:
        """Stops or resumes every market frame; pongs go on."""
        self._silent = on

    def advance(self, now_ns: int) -> list[Delivery]:
        """Runs everything due by now and returns the frames, in order of their leaving."""
        self.hall.schedule.run(now_ns)
        for entry in self.hall.by_id.values():
            if entry.market.outbox:
                self.channels.flush(entry.market, now_ns, self._silent)
        out, self.channels.out = self.channels.out, []
        out.sort(key=_leaving)
        return out

    def next_due_ns(self) -> int | None:
        """Returns when something is due next."""
        if self.channels.out:
            return 0
        due = self.hall.schedule.next_due_ns()
        for entry in self.hall.by_id.values():
            if entry.market.outbox:
                leaving = entry.market.outbox[0].emit_ns
                due = leaving if due is None else min(due, leaving)
        return due

    def _made(self, market: SimMarket, side: int, matches: list[Match], now_ns: int) -> None:
        self.desk.made(market, side, matches, now_ns)

    def _listed(self, market: SimMarket, now_ns: int) -> None:
        if self._channels is not None:
            self._channels.announce(new_market_event(market, now_ns // NS_PER_MS), now_ns)

    def _resolved(self, market: SimMarket, now_ns: int) -> None:
        self.desk.market_over(market, now_ns)
        market.broadcast(resolved_event(market, now_ns // NS_PER_MS), True, now_ns)

    def _paid(self, market: SimMarket, now_ns: int) -> None:
        self.desk.pay_out(market, now_ns)


def _leaving(delivery: Delivery) -> int:
    return delivery.at_ns
