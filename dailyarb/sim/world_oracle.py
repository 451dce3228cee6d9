"""The independent judge of a world: folds the journal its own way and looks at the venue's truth.

Safety is judged at every record and every request, convergence and the comparison with the venue
at the end. Nothing here calls the engine's ledger, risk or grid code. Numbers of invariants are
those of the fault catalogue.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple, Protocol

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain import records as rec
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TERMINAL, FillState, OrderState
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.sim.faults import Knobs
from dailyarb.sim.world_setup import (
    LIMITS,
    LOT_E6,
    MAX_NAKED_MS,
    PAIR_WAIT_MS,
    UNPROVEN_S,
)
from dailyarb.sim.world_venue import ONE, LeanVenue

COMMANDS_PER_S_MAX = 120
LATCHED = frozenset(
    {"loss.day", "loss.drawdown", "loss.streak", "fee.gap", "task", "auth", "wallet"}
)
DUST_E6 = 5_000_000
USD = 1_000_000
ASKS_WITHIN_NS = 1_500 * MS
BLIND_MAX = 6  # five failures open the circuit, one probe at a time tries it
NOTICED_NS = 200 * MS  # the engine looks ten times a second
UNPROVEN_NS = round((UNPROVEN_S + 1.0) * SECOND)


class Violation(AssertionError):
    """An invariant is broken; the text begins with its number."""


class Path(Protocol):
    """Is the way to the order venue: path_down while no request gets there."""

    path_down: bool


class Heard(Protocol):
    """Is what the world knows that the engine was told, and what is still on its way."""

    now_ns: int
    snapshot_ns: int  # when a complete account asked in this life was delivered, 0 before
    book_ns: dict[str, int]  # last delivery of book content, by market
    stamp_ns: dict[str, int]  # newest venue stamp delivered, by market
    reference_ns: int
    settle_ns: int
    frozen_until: int  # until when the process stands still
    ticks: dict[str, int]  # tick in force as delivered, by market

    def venue_ns(self) -> int:
        """Returns true venue time."""
        ...

    @property
    def wire(self) -> Path:
        """Returns the way to the order venue."""
        ...

    def travelling(self, order_id: str) -> bool:
        """Says whether a request with this order has left and not arrived."""
        ...

    def underway(self) -> Iterable[cmd.SignedOrder]:
        """Returns orders that have left and not arrived."""
        ...


class Booked(NamedTuple):
    """Is one fill as the journal has it."""

    fill: rec.FillBooked
    state: FillState


class Folded:
    """Is the journal read so far, written or about to be."""

    def __init__(self) -> None:
        self.signed: dict[str, rec.OrderSigned] = {}
        self.legs: dict[int, int] = {}
        self.sent: dict[int, int] = {}
        self.salts: set[int] = set()
        self.states: dict[str, OrderState] = {}
        self.unknown_ns: dict[str, int] = {}
        self.fills: dict[tuple[str, str], Booked] = {}
        self.payouts: dict[str, rec.PayoutBooked] = {}
        self.other_cash = 0
        self.operator = Rung.FULL
        self.tripped: dict[str, Rung] = {}
        self.alerts: set[str] = set()
        self.naked_ns: dict[int, int] = {}
        self.pairs: dict[int, str] = {}
        self.adopted: set[str] = set()
        self.foreign_ns = 0  # since when somebody else is known to trade the wallet
        self.waiting_ns: dict[tuple[str, str], int] = {}  # since when a fill is provisional
        self.handed: set[int] = set()

    def reborn(self) -> None:
        """Forgets caps that a new life measures again; latched ones stay."""
        self.tripped = {name: cap for name, cap in self.tripped.items() if name in LATCHED}

    def rung(self) -> Rung:
        """Returns the lowest of the operator's rung and the caps of tripped breakers."""
        return min([self.operator, *self.tripped.values()], key=lambda r: r.value)

    def take(self, record: rec.Record, now_ns: int) -> None:
        """Folds one record."""
        if isinstance(record, rec.OrderSigned):
            self._sign(record)
        elif isinstance(record, rec.IntentTaken):
            if record.intent_id in self.legs:
                raise Violation(f"I8 intent number {record.intent_id} used twice")
            self.legs[record.intent_id] = record.legs
        elif isinstance(record, rec.OrderMoved):
            self.states[record.order_id] = record.state
        elif isinstance(record, rec.FillBooked):
            key = (record.trade_id, record.order_id)
            if key in self.fills:
                raise Violation(f"I3 fill {key} booked twice")
            self.fills[key] = Booked(record, record.state)
            if record.state is FillState.PROVISIONAL:
                self.waiting_ns[key] = now_ns
            if record.order_id not in self.signed and record.order_id not in self.adopted:
                self.foreign_ns = self.foreign_ns or now_ns
            self._pair(record.order_id, now_ns)
        elif isinstance(record, rec.OrderAdopted):
            self.adopted.add(record.order_id)
        elif isinstance(record, rec.FillProven):
            self._prove(record, now_ns)
        elif isinstance(record, rec.PayoutBooked):
            if record.market_id in self.payouts:
                raise Violation(f"I1 market {record.market_id} paid twice")
            self.payouts[record.market_id] = record
        elif isinstance(record, rec.Adjusted | rec.Merged):
            self.other_cash += record.cash_e6
        else:
            self._rung(record)

    def _sign(self, record: rec.OrderSigned) -> None:
        if record.order_id in self.signed or record.salt in self.salts:
            raise Violation(f"I8 order {record.order_id} or its salt signed twice")
        self.signed[record.order_id] = record
        self.salts.add(record.salt)
        count = self.sent.get(record.intent_id, 0) + 1
        self.sent[record.intent_id] = count
        if count > self.legs.get(record.intent_id, 0):
            raise Violation(f"I8 intent {record.intent_id} has {count} orders")

    def _prove(self, record: rec.FillProven, now_ns: int) -> None:
        key = (record.trade_id, record.order_id)
        old = self.fills.get(key)
        if old is None or old.state is not FillState.PROVISIONAL:
            raise Violation(f"I9 fill {key} left a terminal status")
        self.fills[key] = Booked(old.fill, record.state)
        self.waiting_ns.pop(key, None)
        self._pair(record.order_id, now_ns)

    def _rung(self, record: rec.Record) -> None:
        if isinstance(record, rec.RungSet):
            self.operator = record.rung
        elif isinstance(record, rec.BreakerMoved):
            self.tripped.pop(record.breaker, None)
            if record.tripped:
                self.tripped[record.breaker] = record.effect
        elif isinstance(record, rec.AlertRaised):
            self.alerts.add(record.key)

    def _pair(self, order_id: str, now_ns: int) -> None:
        """Notes since when a pair is one-sided, as far as the engine has been told."""
        order = self.signed.get(order_id)
        if order is not None and order.intent is IntentKind.FLATTEN:
            # What the operator sells belongs to no pair: those of the market are his now.
            for pair_id, market in self.pairs.items():
                if market == order.market_id:
                    self.handed.add(pair_id)
                    self.naked_ns.pop(pair_id, None)
        if order is None or order.pair_id <= 0:
            return
        self.pairs[order.pair_id] = order.market_id
        if order.pair_id in self.handed:
            return
        if abs(self.excess_e6(order.pair_id)) < DUST_E6:
            self.naked_ns.pop(order.pair_id, None)
        else:
            self.naked_ns.setdefault(order.pair_id, now_ns)

    def excess_e6(self, pair_id: int) -> int:
        """Returns UP less DOWN shares of a pair, voided fills left out."""
        total = 0
        for fill, state in self.fills.values():
            order = self.signed.get(fill.order_id)
            if order is None or order.pair_id != pair_id or state is FillState.VOIDED:
                continue
            plus = (fill.side is Side.BUY) == (fill.outcome is Outcome.UP)
            total += fill.size_e6 if plus else -fill.size_e6
        return total

    def cash_e6(self) -> int:
        """Returns cash by the journal; a decided market pays what its fills are worth by now."""
        cash = self.other_cash
        for fill, state in self.fills.values():
            if state is not FillState.VOIDED:
                cash += fill.cash_e6 - fill.fee_e6
        for market_id, payout in self.payouts.items():
            up = payout.up_price_e4
            cash += up * self.bought_e6(market_id, Outcome.UP) // ONE
            cash += (ONE - up) * self.bought_e6(market_id, Outcome.DOWN) // ONE
        return cash

    def bought_e6(self, market_id: str, outcome: Outcome) -> int:
        """Returns shares bought less sold, voided fills left out."""
        return sum(
            fill.size_e6 if fill.side is Side.BUY else -fill.size_e6
            for fill, state in self.fills.values()
            if (fill.market_id, fill.outcome) == (market_id, outcome)
            and state is not FillState.VOIDED
        )

    def shares_e6(self, market_id: str, outcome: Outcome) -> int:
        """Returns shares by the journal; none in a market that was paid."""
        return 0 if market_id in self.payouts else self.bought_e6(market_id, outcome)


class Oracle:
    """Judges one world.

    Args:
        heard: what the engine was told and what is on its way.
        venue: the truth.
        knobs: the world's faults; where the venue fills more than was ordered, limits have slack.
    """

    def __init__(self, heard: Heard, venue: LeanVenue, knobs: Knobs) -> None:
        self.heard = heard
        self.venue = venue
        self.folded = Folded()
        self.kept: dict[str, bytes] = {}
        self.asked: dict[str, int] = {}
        self.entries = 0
        self.slack = 2 * LOT_E6 * ONE if knobs.overfill > 0 else 0
        self.steps = knobs.clock_step_s > 0  # what is dated by the venue may look young
        self.blind = 0  # entries tried since no path to the venue works
        self._second: deque[int] = deque()

    def told(self, record: rec.Record) -> None:
        """Judges a record at the moment the engine writes it."""
        self.folded.take(record, self.heard.now_ns)
        if isinstance(record, rec.OrderMoved) and record.state in TERMINAL:
            self._dead(record)
        if isinstance(record, rec.OrderMoved):
            self._asked(record)

    def flushed(self, records: list[rec.Record]) -> None:
        """Notes what is durable."""
        for record in records:
            if isinstance(record, rec.OrderSigned):
                self.kept[record.order_id] = record.order_json

    def reborn(self, journal: list[tuple[rec.Record, int]]) -> None:
        """Forgets what was told and never written; what was written is folded anew."""
        self.folded = Folded()
        for record, _ in journal:
            self.folded.take(record, self.heard.now_ns)
        self.folded.reborn()

    def _asked(self, record: rec.OrderMoved) -> None:
        """Judges that an order of unknown outcome was asked about in time (F26)."""
        now, unknown = self.heard.now_ns, self.folded.unknown_ns
        if record.state is OrderState.UNKNOWN:
            unknown.setdefault(record.order_id, now)
            return
        since = unknown.pop(record.order_id, now)
        waited = now - max(since, self.heard.frozen_until)
        if waited > ASKS_WITHIN_NS and self.asked.get(record.order_id, 0) < since - ASKS_WITHIN_NS:
            raise Violation(f"I20 order {record.order_id[:10]}: nobody asked about it")

    def _dead(self, record: rec.OrderMoved) -> None:
        order = self.venue.orders.get(record.order_id)
        if (order is not None and order.live) or self.heard.travelling(record.order_id):
            raise Violation(
                f"I20 order {record.order_id[:10]} is {record.state.value} for the engine "
                f"({record.reason}), but may still match at the venue"
            )

    def wire(self, command: cmd.Command) -> None:
        """Judges a command at the moment it leaves."""
        now = self.heard.now_ns
        self._second.append(now)
        while self._second[0] <= now - SECOND:
            self._second.popleft()
        if len(self._second) > COMMANDS_PER_S_MAX:
            raise Violation(f"I13 {len(self._second)} requests within a second")
        if isinstance(command, cmd.QueryOrder):
            self.asked[command.order_id] = now
        if isinstance(command, cmd.Submit):
            self._submit(command)

    def _submit(self, command: cmd.Submit) -> None:
        folded = self.folded
        for order in command.orders:
            if self.kept.get(order.order_id) != order.order_json:
                raise Violation(f"I4 order {order.order_id[:10]} left before its record")
            self._on_grid(folded.signed[order.order_id])
        first = folded.signed[command.orders[0].order_id]
        rung = folded.rung()
        if rung is Rung.HALTED and first.intent is not IntentKind.FLATTEN:
            raise Violation(f"I5 {first.intent.value} left while HALTED")
        if first.intent is not IntentKind.ENTRY:
            return
        if rung is Rung.HEDGE_ONLY:
            raise Violation("I5 an entry left while HEDGE_ONLY")
        self.entries += 1
        self._blind()
        self._doubts(first.market_id)
        if not self.heard.snapshot_ns:
            raise Violation("I18 an entry left before the account was reconciled")
        self._fresh(first)
        self._naked()
        self._worst_case(first.market_id)

    def _blind(self) -> None:
        """Judges that entries stop once no order path works (F66)."""
        self.blind = self.blind + 1 if self.heard.wire.path_down else 0
        if self.blind > BLIND_MAX:
            raise Violation(f"I5 {self.blind} entries tried while no order path works")

    def _doubts(self, market_id: str) -> None:
        """Judges that nothing is opened beside strangers in the wallet or unproven fills."""
        now, folded = self.heard.now_ns, self.folded
        if folded.foreign_ns and now - folded.foreign_ns > NOTICED_NS:
            raise Violation("I5 an entry left although somebody else trades the wallet")
        for key, since in folded.waiting_ns.items():
            here = folded.fills[key].fill.market_id == market_id
            if here and now - since > UNPROVEN_NS and not self.steps:
                raise Violation(f"I6 an entry left beside fill {key}, unproven for long")

    def _on_grid(self, order: rec.OrderSigned) -> None:
        tick = self.heard.ticks[order.market_id]
        body = json.loads(order.order_json)
        buy = order.side is Side.BUY
        cash, shares = (body["maker"], body["taker"]) if buy else (body["taker"], body["maker"])
        implied = Fraction(cash, shares) * ONE
        if implied != order.price_e4 or order.price_e4 % tick:
            meant = f"{order.price_e4} meant, tick {tick}"
            raise Violation(f"I11 price {float(implied)} signed, {meant}")
        if shares % 10_000 or shares < DUST_E6:
            raise Violation(f"I11 size {shares}")
        if self.heard.venue_ns() >= self.venue.listings[order.market_id].end_ns:
            raise Violation(f"I17 an order for {order.market_id} left past its end")

    def _fresh(self, order: rec.OrderSigned) -> None:
        now, market = self.heard.now_ns, order.market_id
        age = max(
            now - self.heard.book_ns.get(market, 0),
            self.heard.venue_ns() - self.heard.stamp_ns.get(market, 0),
        )
        if age > (LIMITS.book_age_ms + 1) * MS:
            raise Violation(f"I10 an entry rests on a book {age // MS} ms old")
        if order.strategy.value != "S1":
            return
        if now - self.heard.reference_ns > (LIMITS.reference_age_ms + 1) * MS:
            raise Violation("I10 an entry of S1 rests on an old reference")
        if now - self.heard.settle_ns > (LIMITS.settlement_age_ms + 1) * MS:
            raise Violation("I10 an entry of S1 rests on an old settling value")

    def _naked(self) -> None:
        for pair_id, since in self.folded.naked_ns.items():
            age = (self.heard.now_ns - since) // MS
            if age > PAIR_WAIT_MS + MAX_NAKED_MS + 100 and self.open_pair(pair_id):
                raise Violation(f"I7 an entry beside pair {pair_id}, naked for {age} ms")

    def open_pair(self, pair_id: int) -> str:
        """Returns the market of a pair while it is undecided, else an empty text."""
        market = self.folded.pairs[pair_id]
        listing = self.venue.listings[market]
        over = self.heard.venue_ns() >= listing.end_ns
        return "" if over or listing.resolved_e4 is not None else market

    def _worst_case(self, market_id: str) -> None:
        worst = {m: self._worst(m) for m in self.venue.listings}
        limit = -round(LIMITS.worst_market_usd * USD) * ONE - self.slack
        if worst[market_id] < limit:
            got = worst[market_id] / (USD * ONE)
            raise Violation(f"I6 worst case of {market_id} is {got:.2f} dollars")
        total = -round(LIMITS.worst_total_usd * USD) * ONE - self.slack
        if sum(worst.values()) < total:
            raise Violation(f"I6 worst case in total is {sum(worst.values()) / (USD * ONE):.2f}")

    def _worst(self, market_id: str) -> int:
        """Returns the worst result of a market in 1e-10 dollars, from the venue's truth."""
        listing = self.venue.listings[market_id]
        if listing.resolved_e4 is not None:
            return 0
        flow = 0
        shares = [0, 0]
        items: list[Item] = []
        for match in self.venue.matches.values():
            if match.market != market_id or match.status == "FAILED":
                continue
            heard = (match.trade_id, match.order_id) in self.folded.fills
            if not heard and not self.venue.orders[match.order_id].ours:
                continue  # somebody else traded the wallet, and nobody has said so yet
            # What was charged beyond the schedule could not be known before.
            fee = round(match.fee / self.venue.fee_scale * USD) * ONE
            if match.status == "MATCHED":
                items.append(Item(match.outcome, match.buy, match.price_e4, match.size_e6, fee))
                continue
            sign = 1 if match.buy else -1
            flow -= sign * match.price_e4 * match.size_e6 + fee
            shares[match.outcome] += sign * match.size_e6
        items += [
            Item(order.outcome, order.buy, order.price_e4, order.left_e6, 0)
            for order in self.venue.orders.values()
            if order.live and order.market == market_id
        ]
        for sent in self.heard.underway():
            mine = self.folded.signed.get(sent.order_id)
            if mine is not None and mine.market_id == market_id:
                outcome = 0 if mine.outcome is Outcome.UP else 1
                items.append(Item(outcome, mine.side is Side.BUY, mine.price_e4, mine.size_e6, 0))
        return min(_result(flow, shares, items, winner) for winner in (0, 1))


class Item(NamedTuple):
    """Is something that may or may not happen; fee in 1e-10 dollars."""

    outcome: int
    buy: bool
    price_e4: int
    size_e6: int
    fee: int


def _result(flow: int, shares: list[int], items: list[Item], winner: int) -> int:
    total = flow + shares[winner] * ONE
    for item in items:
        pays = ONE if item.outcome == winner else 0
        share = pays - item.price_e4 if item.buy else item.price_e4 - pays
        total += min(0, share * item.size_e6 - item.fee)
    return total
