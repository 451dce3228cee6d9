"""Between process and venue: requests that may be lost, late or answered in doubt.

TCP repeats no request, so neither does this; events of the user stream may be dropped, doubled and
overtaken. What an answer proves is stated as the order path states it (`runtime/submit.py`), what
a question reads is read in the same steps (`runtime/asks.py`), each at its own moment.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain import events as ev
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF, FillState, OrderState
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.sim.faults import Knobs
from dailyarb.sim.world_venue import (
    GONE,
    KILLED,
    NO_BALANCE,
    LeanVenue,
    Match,
    Placed,
    RefusedError,
)

TIMEOUT_NS = 2 * SECOND
HOLD_NS = 50 * MS
OVERLAP_S = 60
OUTCOMES = (Outcome.UP, Outcome.DOWN)
STATES = {
    "MATCHED": FillState.PROVISIONAL,
    "CONFIRMED": FillState.CONFIRMED,
    "FAILED": FillState.VOIDED,
}


class Time(Protocol):
    """Is the world as the wire needs it."""

    now_ns: int
    faults_on: bool

    def after(self, delay_ns: int, act: Callable[..., None], *args: Any) -> None:
        """Runs something later in virtual time."""

    def venue_ns(self) -> int:
        """Returns true venue time."""
        ...


class Wire:
    """Carries requests to the venue and answers back.

    Args:
        time: the world.
        venue: the venue's truth.
        knobs: the strength of each fault; calm once faults are off.
        rng: the network's own randomness.
        emit: hands an event to the process, if it lives.
    """

    def __init__(
        self,
        time: Time,
        venue: LeanVenue,
        knobs: Knobs,
        rng: random.Random,
        emit: Callable[[ev.Event], None],
    ) -> None:
        self.time = time
        self.venue = venue
        self.knobs = knobs
        self.rng = rng
        self.emit = emit
        self.life = 0  # answers to an earlier life of the process are heard by nobody
        self.travelling: dict[str, tuple[cmd.SignedOrder, int]] = {}
        self.mode = ev.VenueModeKind.NORMAL
        self.disabled = False
        self.blocked = False
        self.auth_bad = False
        self.closed_only = False
        self.path_down = False
        self.beat_ns = -1
        self.stream_down = False
        self._act: dict[type[Any], Callable[[Any], None]] = {
            cmd.Submit: self._submit,
            cmd.Cancel: self._cancel,
            cmd.CancelAll: self._cancel,
            cmd.Heartbeat: self._heartbeat,
            cmd.QueryOrder: self._query_order,
            cmd.QueryAccount: self._query_account,
        }

    def send(self, command: cmd.Command) -> bool:
        """Sends a request; False when it is none of the order venue's."""
        act = self._act.get(type(command))
        if act is not None:
            act(command)
        return act is not None

    def chance(self, likelihood: float) -> bool:
        """Draws one fault; never once faults are off."""
        return self.time.faults_on and likelihood > 0 and self.rng.random() < likelihood

    def delay_ns(self) -> int:
        """Returns the time one message takes."""
        delay = self.rng.uniform(1.0, max(2.0, self.knobs.delay_ms))
        if self.chance(self.knobs.slow):
            delay += self.rng.uniform(0.0, self.knobs.slow_ms)
        return int(delay * MS)

    def _back(self, delay_ns: int, *events: ev.Event) -> None:
        self.time.after(delay_ns, self._deliver, self.life, events)

    def _deliver(self, life: int, events: tuple[ev.Event, ...]) -> None:
        if life == self.life:
            for event in events:
                self.emit(event)

    # orders

    def _submit(self, command: cmd.Submit) -> None:
        if self.path_down or self.chance(self.knobs.unsent):
            self._back(0, _all(command, ev.LegOutcome.UNSENT, "no order connection"))
            return
        doubt = _all(command, ev.LegOutcome.UNKNOWN, "timeout")
        if self.chance(self.knobs.request_lost):
            self._back(TIMEOUT_NS, doubt)
            return
        delay = self.delay_ns()
        if self.chance(self.knobs.late):
            delay += int(self.rng.uniform(0.2, 1.0) * self.knobs.late_ms * MS)
        for order in command.orders:
            self.travelling[order.order_id] = (order, self.time.now_ns)
        lost = self.chance(self.knobs.answer_lost)
        self.time.after(delay, self._arrive, command, self.time.now_ns + TIMEOUT_NS, lost)
        if lost or delay >= TIMEOUT_NS:
            self._back(TIMEOUT_NS, doubt)

    def _arrive(self, command: cmd.Submit, deadline_ns: int, lost: bool) -> None:
        for order in command.orders:
            self.travelling.pop(order.order_id, None)
        silent = lost or self.time.now_ns >= deadline_ns
        verdict = self._closed(command)
        if verdict is not None:
            if not silent:
                self._back(self.delay_ns(), *verdict)
            return
        held: list[Placed] = []
        results = [self._place(order, held) for order in command.orders]
        rough = self.chance(self.knobs.status_500)
        answer = (command, results, silent, rough)
        if held and not self.chance(self.knobs.delayed):
            self.time.after(HOLD_NS, self._fire, held, answer, deadline_ns)
            return
        if held:
            # "delayed": the answer is out before the match.
            known = {o.order_id for o in held}
            results = [
                ev.LegResult(r.order_id, ev.LegOutcome.DELAYED) if r.order_id in known else r
                for r in results
            ]
            answer = (command, results, silent, rough)
            late = int(self.rng.uniform(100, 1_500) * MS)
            self.time.after(late, self._fire, held, None, deadline_ns)
        self._answer(answer, deadline_ns)

    def _closed(self, command: cmd.Submit) -> tuple[ev.Event, ...] | None:
        kind, word = self.mode, ""
        posts = all(o.post_only for o in command.orders)
        if self.auth_bad:
            kind, word = ev.VenueModeKind.AUTH_FAILED, "invalid api key"
        elif self.blocked:
            kind, word = ev.VenueModeKind.BLOCKED, "block page"
        elif self.closed_only and any(self._buys(order) for order in command.orders):
            kind, word = ev.VenueModeKind.CLOSED_ONLY, "address in closed only mode"
        elif kind is ev.VenueModeKind.POST_ONLY and posts:
            return None
        elif kind is not ev.VenueModeKind.NORMAL:
            word = "service not ready"
        elif self.chance(self.knobs.throttled):
            wait = "throttled, retry after 1 s"
            return (_all(command, ev.LegOutcome.REFUSED, wait, "THROTTLED"),)
        else:
            return None
        refused = _all(command, ev.LegOutcome.REFUSED, word, kind.value)
        return refused, ev.VenueMode(kind, 0.5, word)

    @staticmethod
    def _buys(order: cmd.SignedOrder) -> bool:
        return b'"side": "BUY"' in order.order_json

    def _place(self, order: cmd.SignedOrder, held: list[Placed]) -> ev.LegResult:
        try:
            if self.chance(self.knobs.leg_refused):
                raise RefusedError("internal validation failed")
            if self.chance(self.knobs.phantom_lock):
                raise RefusedError(NO_BALANCE)
            takes = order.tif in (TIF.FAK, TIF.FOK)
            placed = self.venue.place(
                order.order_id, order.order_json, takes, order.post_only, self.time.venue_ns()
            )
        except RefusedError as refusal:
            why = str(refusal)
            short = why == NO_BALANCE
            return ev.LegResult(order.order_id, ev.LegOutcome.REFUSED, why, no_balance=short)
        if placed.takes:
            held.append(placed)
        else:
            self.tell_order(placed)
        return ev.LegResult(order.order_id, ev.LegOutcome.RESTING)

    def _fire(
        self,
        held: list[Placed],
        answer: tuple[cmd.Submit, list[ev.LegResult], bool, bool] | None,
        deadline_ns: int,
    ) -> None:
        for order in held:
            share = self.rng.random() * 0.3 if self.chance(self.knobs.thin) else 1.0
            matches = self.venue.fire(order, self.time.venue_ns(), share)
            for match in matches:
                self.matched(match)
            if answer is None:
                if self.rng.random() < 0.5:
                    self.tell_order(order)
                continue
            size = sum(m.size_e6 for m in matches)
            word = ev.LegOutcome.MATCHED if matches else ev.LegOutcome.KILLED
            says = size if self.rng.random() < 0.5 else -1
            found = ev.LegResult(order.order_id, word, "" if matches else KILLED, says)
            results = answer[1]
            results[:] = [found if r.order_id == order.order_id else r for r in results]
        if answer is not None:
            self._answer(answer, deadline_ns)

    def _answer(
        self, answer: tuple[cmd.Submit, list[ev.LegResult], bool, bool], deadline_ns: int
    ) -> None:
        command, results, silent, rough = answer
        delay = self.delay_ns()
        if silent:
            return
        if self.time.now_ns + delay >= deadline_ns:
            self._back(deadline_ns - self.time.now_ns, _all(command, ev.LegOutcome.UNKNOWN, "late"))
            return
        if rough:
            self._back(delay, _all(command, ev.LegOutcome.UNKNOWN, "HTTP 500"))
            return
        if self.chance(self.knobs.shuffled):
            self.rng.shuffle(results)
        self._back(delay, ev.SubmitResult(command.asked_ns, tuple(results)))

    # cancels and heartbeats

    def _cancel(self, command: cmd.Cancel | cmd.CancelAll) -> None:
        every = isinstance(command, cmd.CancelAll)
        doubt = ev.CancelResult(command.asked_ns, (), (), False, every)
        lost = self.chance(self.knobs.cancel_lost)
        if self.path_down or (lost and self.rng.random() < 0.5):
            self._back(TIMEOUT_NS, doubt)
            return
        self.time.after(self.delay_ns(), self._cancel_arrives, command, lost)
        if lost:
            self._back(TIMEOUT_NS, doubt)

    def _cancel_arrives(self, command: cmd.Cancel | cmd.CancelAll, lost: bool) -> None:
        every = isinstance(command, cmd.CancelAll)
        restarting = self.mode is ev.VenueModeKind.RESTARTING
        if self.disabled or self.auth_bad or restarting:
            if not lost:
                why = self.mode.value if restarting else "refused"
                doubt = ev.CancelResult(command.asked_ns, (), (), False, every, why)
                self._back(self.delay_ns(), doubt)
            return
        if isinstance(command, cmd.Cancel):
            ids = list(command.order_ids)
        else:
            ids = [o.order_id for o in self.venue.open_orders()]
        for order_id in ids:
            order = self.venue.orders.get(order_id)
            if order is not None and order.live and self.chance(self.knobs.cancel_race):
                self.hit(order)
        done, refused = [], []
        for order_id in ids:
            if self.venue.cancel(order_id):
                done.append(order_id)
                self.tell_order(self.venue.orders[order_id])
            else:
                refused.append((order_id, GONE))
        if not lost:
            result = ev.CancelResult(command.asked_ns, tuple(done), tuple(refused), True, every)
            self._back(self.delay_ns(), result)

    def _heartbeat(self, command: cmd.Heartbeat) -> None:
        if self.path_down or self.chance(self.knobs.request_lost):
            self._back(TIMEOUT_NS, ev.HeartbeatResult(command.asked_ns, False))
            return
        lost = self.chance(self.knobs.answer_lost)
        self.time.after(self.delay_ns(), self._beat, command, lost)

    def _beat(self, command: cmd.Heartbeat, lost: bool) -> None:
        self.beat_ns = self.time.now_ns
        wait = TIMEOUT_NS if lost else self.delay_ns()
        self._back(wait, ev.HeartbeatResult(command.asked_ns, not lost))

    # questions

    def _reads_fail(self) -> bool:
        restarting = self.mode is ev.VenueModeKind.RESTARTING
        lost = self.chance(self.knobs.answer_lost) or self.chance(self.knobs.request_lost)
        return lost or restarting or self.auth_bad or self.path_down

    def _query_order(self, command: cmd.QueryOrder) -> None:
        if not self._reads_fail():
            self.time.after(self.delay_ns(), self._read_trades, command)

    def _read_trades(self, command: cmd.QueryOrder) -> None:
        fills = [
            self.fill(m) for m in self.venue.matches.values() if m.order_id == command.order_id
        ]
        self.time.after(self.delay_ns(), self._read_order, command, fills)

    def _read_order(self, command: cmd.QueryOrder, fills: list[ev.Fill]) -> None:
        order = self.venue.orders.get(command.order_id)
        report = ev.OrderReport(command.order_id, command.asked_ns, False)
        if order is not None and order.live:
            state = OrderState.DELAYED if order.takes else OrderState.OPEN
            report = ev.OrderReport(
                command.order_id, command.asked_ns, True, state, order.matched_e6
            )
        self._back(self.delay_ns(), *fills, report)

    def _query_account(self, command: cmd.QueryAccount) -> None:
        if self._reads_fail() or self.chance(self.knobs.truncated):
            wait = TIMEOUT_NS if self.rng.random() < 0.5 else self.delay_ns()
            self._back(wait, ev.AccountReport(command.asked_ns, False))
            return
        self.time.after(self.delay_ns(), self._read_cash, command)

    def _read_cash(self, command: cmd.QueryAccount) -> None:
        rows = tuple(
            ev.OpenOrder(
                o.order_id, o.market, OUTCOMES[o.outcome], Side.BUY if o.buy else Side.SELL,
                o.price_e4, o.size_e6, o.matched_e6,
            )
            for o in self.venue.open_orders()
        )  # fmt: skip
        self.time.after(self.delay_ns(), self._read_rest, command, self._cash(), rows)

    def _cash(self) -> Fraction:
        """Returns cash as the balance endpoint shows it: what is not yet proven may be missing."""
        cash = self.venue.cash
        if self.time.faults_on and self.knobs.balance_lag_s:
            since = self.time.venue_ns() - self.knobs.balance_lag_s * SECOND
            for match in self.venue.matches.values():
                if match.at_ns >= since and match.status == "MATCHED":
                    cash -= match.cash
        return cash

    def _read_rest(
        self, command: cmd.QueryAccount, cash: Fraction, rows: tuple[ev.OpenOrder, ...]
    ) -> None:
        after_ns = max(0, command.since_s - OVERLAP_S) * SECOND
        fills = tuple(self.fill(m) for m in self.venue.matches.values() if m.at_ns >= after_ns)
        shares = tuple((token, self.venue.settled.get(token, 0)) for _, token in command.tokens)
        report = ev.AccountReport(
            command.asked_ns, self._cash() == cash, int(cash * 1_000_000), rows, fills, shares
        )
        self._back(self.delay_ns(), report)

    # the user stream

    def fill(self, match: Match) -> ev.Fill:
        """Returns a match as the venue tells it; the fee where it is not the one quoted."""
        charged = int(match.fee * 1_000_000) if self.venue.fee_scale != 1 else -1
        side = Side.BUY if match.buy else Side.SELL
        return ev.Fill(
            match.trade_id, match.order_id, match.market, OUTCOMES[match.outcome], side,
            match.price_e4, match.size_e6, match.maker, STATES[match.status], match.at_ns, charged,
            recv_ns=self.time.now_ns,
        )  # fmt: skip

    def hit(self, order: Placed) -> None:
        """Lets somebody take part of a resting order."""
        part = max(10_000, order.left_e6 * self.rng.randrange(1, 11) // 10 // 10_000 * 10_000)
        self.matched(self.venue.take(order, min(part, order.left_e6), self.time.venue_ns()))

    def matched(self, match: Match) -> None:
        """Tells of a match and plans what the chain says of it."""
        self._stream(self.fill(match))
        knobs = self.knobs
        good = not self.chance(knobs.fails)
        if self.chance(knobs.chatter):
            for _ in range(self.rng.randrange(1, 4)):
                later = int(self.rng.uniform(10, 3_000) * MS)
                self.time.after(later, self._again, match)
        wait = int(self.rng.uniform(0.3, 1.0) * knobs.confirm_ms * MS)
        if good and self.chance(knobs.stuck):
            wait = -1
        self.time.after(wait if wait >= 0 else 30 * SECOND, self._settled, match, good)

    def _again(self, match: Match) -> None:
        if match.status == "MATCHED":
            self._stream(self.fill(match))

    def _settled(self, match: Match, good: bool) -> None:
        if match.status != "MATCHED":
            return
        self.venue.settle(match, good)
        self.tell_settled(match)

    def tell_settled(self, match: Match) -> None:
        """Tells what the chain has decided."""
        if match.status == "FAILED":
            self._stream(ev.FillVoided(match.trade_id, match.order_id, "the trade failed"))
        else:
            self._stream(self.fill(match), ev.FillConfirmed(match.trade_id, match.order_id))

    def tell_order(self, order: Placed) -> None:
        """Tells where an order stands."""
        state = OrderState.OPEN
        if not order.live:
            state = OrderState.CANCELLED
            if order.matched_e6 >= order.size_e6:
                state = OrderState.FILLED
        self._stream(order.order_id, state, order.matched_e6)

    def _stream(self, *what: Any) -> None:
        """Puts something on the user stream; two messages of one moment may swap."""
        if self.stream_down or self.chance(self.knobs.event_dropped):
            return
        copies = 2 if self.chance(self.knobs.event_twice) else 1
        for _ in range(copies):
            delay = self.delay_ns()
            if self.chance(self.knobs.event_slow):
                delay += int(self.rng.uniform(50, 2_500) * MS)
            self.time.after(delay, self._hear, self.life, what)

    def _hear(self, life: int, what: tuple[Any, ...]) -> None:
        if life != self.life:
            return
        if isinstance(what[0], str):
            order_id, state, matched = what
            report = ev.OrderReport(order_id, self.time.now_ns, True, state, matched)
            self.emit(report)
            return
        for event in what:
            self.emit(event)


def _all(
    command: cmd.Submit, outcome: ev.LegOutcome, reason: str, restricted: str = ""
) -> ev.SubmitResult:
    legs = tuple(ev.LegResult(o.order_id, outcome, reason) for o in command.orders)
    return ev.SubmitResult(command.asked_ns, legs, restricted=restricted)
