"""All windows of the venue: listed ahead by the clock, opened, closed, resolved, forgotten.

Windows roll on the grid of their length; the current one and the next two are listed. A window is
decided by the settling averages at its two ends, a tie pays Up, and the venue says so some time
after the end (median 21 s, p95 52 s: FINDINGS.md, section 7).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from dailyarb.sim import wire
from dailyarb.sim.crowd import THINK_NS, Crowd, Pace
from dailyarb.sim.fair import FairValue
from dailyarb.sim.market import Identity, SimMarket, TradeHook, identify
from dailyarb.sim.oracle import Oracle
from dailyarb.sim.schedule import Schedule
from dailyarb.sim.types import NS_PER_MS, NS_PER_S

AHEAD = 2
_LENGTH_S = {"5m": 300, "15m": 900}
_CHANGES_PER_S = {"5m": 550.0, "15m": 180.0}
_TRADES_PER_S = {"5m": 7.0, "15m": 2.5}
_BEFORE_START = 0.03  # activity of a window that has not begun
_KEEP_S = 7200
_LISTED_BEFORE_S = 86_400


class Hours(NamedTuple):
    """Is what may be chosen about the hall.

    rate_scale is the share of the real message rates; resolve_scale multiplies the delay of the
    resolution, payout_s is the delay of the automatic redemption after it.
    """

    labels: tuple[str, ...] = ("5m", "15m")
    rate_scale: float = 0.1
    resolve_scale: float = 1.0
    payout_s: float = 5.0


class Entry(NamedTuple):
    """Is a market with its crowd and its settling feed."""

    market: SimMarket
    crowd: Crowd
    fair: FairValue
    oracle: Oracle


class Events(NamedTuple):
    """Is who must hear of a market's life."""

    on_maker: TradeHook
    on_listed: Callable[[SimMarket, int], None]
    on_resolved: Callable[[SimMarket, int], None]
    on_payout: Callable[[SimMarket, int], None]


class Hall:
    """Is the set of markets; `schedule` carries all of their business."""

    def __init__(
        self, seed: int, oracles: Mapping[str, Oracle], hours: Hours, events: Events, now_ns: int
    ) -> None:
        """Lists the current and the next windows of every asset and opens their books."""
        self.schedule = Schedule()
        self.by_id: dict[str, Entry] = {}
        self.by_slug: dict[str, Entry] = {}
        self.by_token: dict[str, tuple[Entry, int]] = {}
        self._seed = seed
        self._oracles = oracles
        self._hours = hours
        self._events = events
        for asset in oracles:
            for label in hours.labels:
                length = _LENGTH_S[label]
                current = now_ns // NS_PER_S // length * length
                for step in range(AHEAD + 1):
                    self._list(asset, label, current + step * length, now_ns)

    def entries(self) -> list[Entry]:
        """Returns every market still remembered, oldest first."""
        return list(self.by_id.values())

    def _list(self, asset: str, label: str, start_s: int, now_ns: int) -> None:
        """Lists one window and plans its life."""
        identity = identify(self._seed, asset, label, start_s, start_s - _LISTED_BEFORE_S)
        oracle = self._oracles[asset]
        root = f"{self._seed}/{identity.slug}"
        market = SimMarket(identity, random.Random(root + "/wire"), self._events.on_maker)
        fair = FairValue(oracle, identity.start_s, identity.end_s)
        crowd = Crowd(
            market, fair, identity.end_s * NS_PER_S, self._pace(identity, now_ns),
            random.Random(root + "/crowd"),
        )  # fmt: skip
        entry = Entry(market, crowd, fair, oracle)
        self.by_id[identity.market] = entry
        self.by_slug[identity.slug] = entry
        for outcome, token in enumerate(identity.tokens):
            self.by_token[token] = (entry, outcome)
        crowd.open(now_ns, oracle.reference.sigma_bp(now_ns))
        self._live(entry, now_ns)
        at = self.schedule.at
        at(identity.start_s * NS_PER_S, lambda due: self._start(entry, due))
        at(identity.end_s * NS_PER_S, lambda due: self._end(entry, due))
        self._events.on_listed(market, now_ns)

    def _live(self, entry: Entry, now_ns: int) -> None:
        """Plans the crowd's recurring business until the market is resolved."""
        market, crowd, reference = entry.market, entry.crowd, entry.oracle.reference
        at = self.schedule.at

        def on_think(due: int) -> None:
            if market.winner >= 0 or due >= market.identity.end_s * NS_PER_S:
                return
            delay = crowd.think(due, reference.sigma_bp(due))
            if delay:
                at(due + delay, on_raid)
            wait = THINK_NS
            if due < (market.identity.start_s - 60) * NS_PER_S:
                wait = 10 * THINK_NS
            at(due + wait, on_think)

        def on_raid(due: int) -> None:
            if due < market.identity.end_s * NS_PER_S:
                crowd.raid(due, reference.sigma_bp(due))

        def on_flicker(due: int) -> None:
            if market.winner < 0:
                crowd.flicker(due)
                at(due + crowd.next_flicker_ns(), on_flicker)

        def on_noise(due: int) -> None:
            if due < market.identity.end_s * NS_PER_S:
                crowd.noise(due, reference.sigma_bp(due))
                at(due + crowd.next_noise_ns(), on_noise)

        # Thoughts fall between the steps of the path, at another phase in each market.
        at(now_ns + THINK_NS + market.identity.number % 97 * NS_PER_MS, on_think)
        at(now_ns + crowd.next_flicker_ns(), on_flicker)
        at(now_ns + crowd.next_noise_ns(), on_noise)

    def _pace(self, identity: Identity, now_ns: int) -> Pace:
        activity = self._oracles[identity.asset].reference.law.activity * self._hours.rate_scale
        if now_ns < identity.start_s * NS_PER_S:
            activity *= _BEFORE_START
        changes = _CHANGES_PER_S[identity.label] * activity
        return Pace(max(0.5, changes), max(0.02, _TRADES_PER_S[identity.label] * activity))

    def _start(self, entry: Entry, now_ns: int) -> None:
        identity = entry.market.identity
        entry.crowd.pace = self._pace(identity, now_ns)
        entry.market.strike_e18 = entry.oracle.twap_e18(identity.start_s)
        length = identity.end_s - identity.start_s
        upcoming = identity.start_s + AHEAD * length
        if f"{identity.asset}-updown-{identity.label}-{upcoming}" not in self.by_slug:
            self._list(identity.asset, identity.label, upcoming, now_ns)

    def _end(self, entry: Entry, now_ns: int) -> None:
        """Decides the window; the crowd knows, the venue says so later."""
        market, identity = entry.market, entry.market.identity
        market.strike_e18 = entry.oracle.twap_e18(identity.start_s)
        market.final_e18 = entry.oracle.twap_e18(identity.end_s)
        up_won = market.final_e18 >= market.strike_e18
        entry.crowd.finish(up_won, now_ns)
        rng = random.Random(f"{self._seed}/{identity.slug}/end")
        delay_s = self._hours.resolve_scale * rng.lognormvariate(3.045, 0.55)
        winner = wire.UP if up_won else wire.DOWN
        self.schedule.at(
            now_ns + int(delay_s * NS_PER_S) + 1, lambda due: self._resolve(entry, winner, due)
        )

    def _resolve(self, entry: Entry, winner: int, now_ns: int) -> None:
        market = entry.market
        market.winner = winner
        market.accepting = False
        self._events.on_resolved(market, now_ns)
        at = self.schedule.at
        payout_ns = int(self._hours.payout_s * NS_PER_S)
        at(now_ns + payout_ns, lambda due: self._events.on_payout(market, due))
        at(now_ns + _KEEP_S * NS_PER_S, lambda _due: self._forget(entry))

    def _forget(self, entry: Entry) -> None:
        identity = entry.market.identity
        self.by_id.pop(identity.market, None)
        self.by_slug.pop(identity.slug, None)
        for token in identity.tokens:
            self.by_token.pop(token, None)
