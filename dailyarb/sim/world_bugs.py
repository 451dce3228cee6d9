"""Planted defects: the net is tested too.

Each is a mistake somebody made or could make, put into one engine object of one world; the core
has no switch for them. Seeds must find every one; `dailyarb sim --bug all` measures how soon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain import events as ev
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import Intent, Leg
from dailyarb.core.domain.market import MarketSpec
from dailyarb.core.domain.orders import TERMINAL, TIF, FillState, OrderState
from dailyarb.core.domain.rung import Rung, RungCause
from dailyarb.core.domain.units import SECOND
from dailyarb.core.engine.engine import Engine
from dailyarb.core.execution.orders import Order
from dailyarb.core.execution.pairs import Pair, PairStep, PairView
from dailyarb.core.risk.gate import Admitted, Denied, RiskGate, Situation
from dailyarb.core.risk.rungs import Rungs
from dailyarb.sim.world_setup import MONO_NS, WALL_S

Plant = Callable[[Engine, int], None]
Bend = Callable[[Engine, ev.Event, int], ev.Event]
NOTHING = ev.Tick()


def _no_plant(engine: Engine, life: int) -> None:
    del engine, life


def _no_bend(engine: Engine, event: ev.Event, now_ns: int) -> ev.Event:
    del engine, now_ns
    return event


@dataclass(frozen=True, slots=True)
class Bug:
    """Is one defect.

    plant changes an engine at its birth (the number of its life is given), bend what it hears;
    sends_first makes the shell send before it journals. `seeds` is within how many seeds of
    `profile` it must be caught, with 95 % chance.
    """

    name: str
    title: str
    profile: str
    seeds: int
    plant: Plant = _no_plant
    bend: Bend = _no_bend
    sends_first: bool = False


# --- legs and pairs


def _no_unwind(engine: Engine, life: int) -> None:
    del life
    step = engine.state.pairs.step

    def idle(pair: Pair, seen: PairView, now_ns: int) -> PairStep:
        found = step(pair, seen, now_ns)
        return PairStep() if found.intent is not None else found

    _swap(engine.state.pairs, "step", idle)


def _lost_pairs(engine: Engine, life: int) -> None:
    if life > 1:
        engine.state.pairs.open.clear()


def _blind_gate(engine: Engine, life: int) -> None:
    del life

    class Blind(RiskGate):
        def admit(
            self, intent: Intent, spec: MarketSpec, seen: Situation, now_ns: int
        ) -> Admitted | Denied:
            seen.items = []
            seen.worst_others_e6 = 0
            seen.naked_possible_e6 = 0
            return super().admit(intent, spec, seen, now_ns)

    engine.state.gate = Blind(engine.state.gate.settings)
    near = engine.state.breakers.by_name["near.limit"]
    near.rule = msgspec.structs.replace(near.rule, limit=1e9)  # the same sum elsewhere, as blind


def _own_takers_free(engine: Engine, life: int) -> None:
    del life

    class Careless(RiskGate):
        def admit(
            self, intent: Intent, spec: MarketSpec, seen: Situation, now_ns: int
        ) -> Admitted | Denied:
            seen.waiting = [o for o in seen.waiting if o.tif in (TIF.GTC, TIF.GTD)]
            return super().admit(intent, spec, seen, now_ns)

    engine.state.gate = Careless(engine.state.gate.settings)


def _drafts_free(engine: Engine, life: int) -> None:
    del life
    orders = engine.state.orders
    _swap(orders, "exposed", orders.live)


# --- unknown outcomes


def _resign(engine: Engine, life: int) -> None:
    del life
    state = engine.state
    silent = state.proofs.silent

    def again(now_ns: int, out: list[cmd.Command]) -> list[Any]:
        late = silent(now_ns, out)
        for order in late:
            desk = state.desks.get(order.market_id)
            if desk is None:
                continue
            state.orders.move(order, OrderState.CANCELLED, "timeout", out)
            leg = Leg(order.outcome, order.side, order.price_e4, order.size_e6, order.tif)
            intent = Intent(
                order.strategy, order.market_id, order.intent, (leg,), 0, pair_id=order.pair_id
            )
            now = Instant(now_ns, order.sent_wall_ns)
            draft = state.orders.draft(intent, leg, order.intent_id, desk.spec, now)
            out.append(cmd.Sign(draft))
        return late

    _swap(state.proofs, "silent", again)


def _not_found(engine: Engine, life: int) -> None:
    del life
    _ends_when(engine, lambda asks: asks >= 1)


def _three_asks(engine: Engine, life: int) -> None:
    del life
    _ends_when(engine, lambda asks: asks >= 3)


def _ends_when(engine: Engine, enough: Callable[[int], bool]) -> None:
    state = engine.state
    report = state.proofs.report

    def hasty(event: ev.OrderReport, out: list[cmd.Command], now_ns: int = 0) -> Any:
        order = state.orders.by_id.get(event.order_id)
        live = order is not None and order.state not in TERMINAL and order.sent_ns
        if live and order is not None and not event.known and enough(order.asks):
            state.orders.move(order, OrderState.CANCELLED, "not found", out)
            return order
        return report(event, out, now_ns)

    _swap(state.proofs, "report", hasty)


def _old_answer(engine: Engine, event: ev.Event, now_ns: int) -> ev.Event:
    del engine
    if isinstance(event, ev.OrderReport) and not event.known:
        return msgspec.structs.replace(event, asked_ns=now_ns)
    return event


def _cancel_is_state(engine: Engine, life: int) -> None:
    del life
    on_event, orders = engine.on_event, engine.state.orders

    def believing(event: ev.Event, now: Instant) -> list[cmd.Command]:
        out = on_event(event, now)
        for command in list(out):
            for order_id in command.order_ids if isinstance(command, cmd.Cancel) else ():
                order = orders.by_id[order_id]
                if order.live:
                    orders.move(order, OrderState.CANCELLED, "cancelled", out)
        return out

    _swap(engine, "on_event", believing)


def _by_position(engine: Engine, event: ev.Event, now_ns: int) -> ev.Event:
    del now_ns
    if not isinstance(event, ev.SubmitResult) or len(event.results) < 2:
        return event
    by_id = engine.state.orders.by_id
    if any(r.order_id not in by_id for r in event.results):
        return event
    ids = sorted((r.order_id for r in event.results), key=lambda i: by_id[i].salt)
    results = tuple(
        msgspec.structs.replace(r, order_id=i) for r, i in zip(event.results, ids, strict=True)
    )
    return msgspec.structs.replace(event, results=results)


def _no_circuit(engine: Engine, life: int) -> None:
    del life
    _swap(engine.state.circuits, "cap", lambda: (Rung.FULL, ""))


# --- fills


def _no_dedup(engine: Engine, event: ev.Event, now_ns: int) -> ev.Event:
    del now_ns
    known = isinstance(event, ev.Fill) and engine.state.ledger.fill(event.trade_id, event.order_id)
    if isinstance(event, ev.Fill) and known:
        return msgspec.structs.replace(event, trade_id=f"{event.trade_id}'")
    return event


def _by_trade(engine: Engine, life: int) -> None:
    del life
    on_event = engine.on_event
    owners: dict[str, str] = {}

    def first_only(event: ev.Event, now: Instant) -> list[cmd.Command]:
        if isinstance(event, ev.AccountReport):
            fills = tuple(f for f in event.fills if mine(f))
            event = msgspec.structs.replace(event, fills=fills)
        if isinstance(event, ev.Fill) and not mine(event):
            return []
        return on_event(event, now)

    def mine(fill: ev.Fill) -> bool:
        return owners.setdefault(fill.trade_id, fill.order_id) == fill.order_id

    _swap(engine, "on_event", first_only)


def _no_void(engine: Engine, event: ev.Event, now_ns: int) -> ev.Event:
    del engine, now_ns
    if isinstance(event, ev.FillVoided):
        return NOTHING
    if isinstance(event, ev.Fill) and event.state is FillState.VOIDED:
        return NOTHING
    if isinstance(event, ev.AccountReport):
        fills = tuple(f for f in event.fills if f.state is not FillState.VOIDED)
        return msgspec.structs.replace(event, fills=fills)
    return event


def _no_fee(engine: Engine, event: ev.Event, now_ns: int) -> ev.Event:
    del engine, now_ns
    if isinstance(event, ev.Fill):
        return msgspec.structs.replace(event, fee_e6=0)
    if isinstance(event, ev.AccountReport):
        fills = tuple(msgspec.structs.replace(f, fee_e6=0) for f in event.fills)
        return msgspec.structs.replace(event, fills=fills)
    return event


def _half_snapshot(engine: Engine, event: ev.Event, now_ns: int) -> ev.Event:
    del engine, now_ns
    if isinstance(event, ev.AccountReport) and not event.complete:
        return msgspec.structs.replace(event, complete=True)
    return event


def _cancel_is_all(engine: Engine, life: int) -> None:
    del life
    state = engine.state
    cancelled = state.proofs.cancelled

    def final(order: Order, now_ns: int, out: list[cmd.Command]) -> bool:
        news = cancelled(order, now_ns, out)
        if news:
            order.withdrawn = False
            state.orders.move(order, OrderState.CANCELLED, "cancelled", out)
        return news

    _swap(state.proofs, "cancelled", final)


class _Empty(set[str]):
    """Stays empty whatever is added."""

    def add(self, element: str) -> None:
        """Does nothing."""


def _no_quarantine(engine: Engine, life: int) -> None:
    del life
    engine.state.unproven = _Empty()


def _strangers(engine: Engine, life: int) -> None:
    del life
    on_event = engine.on_event

    def trusting(event: ev.Event, now: Instant) -> list[cmd.Command]:
        out = on_event(event, now)
        engine.state.tallies.foreign = 0
        return out

    _swap(engine, "on_event", trusting)


# --- rung, books, restart


def _lost_rows(engine: Engine, life: int) -> None:
    del life
    engine.state.birth = replace(engine.state.birth, rebooted=False)


class _Deaf(Rungs):
    """Ignores the operator and every breaker."""

    def overall(self) -> tuple[Rung, RungCause, str]:
        """Returns FULL."""
        return Rung.FULL, RungCause.NONE, ""

    def of(self, strategy: StrategyId) -> Rung:
        """Returns FULL."""
        return Rung.FULL


def _no_rung(engine: Engine, life: int) -> None:
    del life
    engine.state.rungs = _Deaf(engine.state.rungs.operator)


def _no_boot(engine: Engine, life: int) -> None:
    del life
    engine.state.rungs.booting = False


def _rung_restart(engine: Engine, life: int) -> None:
    if life > 1:
        engine.state.rungs.operator = Rung.FULL


def _old_book(engine: Engine, life: int) -> None:
    del life
    add = engine.books.add

    def ageless(spec: MarketSpec) -> Any:
        book = add(spec)
        if book is not None:
            _swap(book, "age_ms", lambda _: 0)
        return book

    _swap(engine.books, "add", ageless)


def _old_tick(engine: Engine, event: ev.Event, now_ns: int) -> ev.Event:
    del engine, now_ns
    return NOTHING if isinstance(event, ev.TickSizeChanged) else event


def _same_salts(engine: Engine, life: int) -> None:
    if life > 1:
        _swap(engine.state.orders, "_salt_base", 1)


def _wall_ages(engine: Engine, life: int) -> None:
    del life
    on_event = engine.on_event

    def by_wall(event: ev.Event, now: Instant) -> list[cmd.Command]:
        return on_event(event, Instant(now.wall_ns - WALL_S * SECOND + MONO_NS, now.wall_ns))

    _swap(engine, "on_event", by_wall)


def _swap(target: object, name: str, value: object) -> None:
    setattr(target, name, value)


BUGS: tuple[Bug, ...] = (
    Bug("nounwind", "leaves a filled leg alone", "F33", 6, plant=_no_unwind),
    Bug("nodedup", "applies a repeated fill twice", "F47", 6, bend=_no_dedup),
    Bug("resign", "on timeout signs a new order", "F26", 12, plant=_resign),
    Bug("notfound", "one 'not found' closes an order", "F27", 60, plant=_not_found),
    Bug("threeasks", "three 'not found' close an order", "F27", 60, plant=_three_asks),
    Bug("sendfirst", "sends before journalling", "F68", 30, sends_first=True),
    Bug("oldanswer", "dates an answer by its arrival", "F27", 60, bend=_old_answer),
    Bug("cancelstate", "takes a cancel for a state", "F36", 12, plant=_cancel_is_state),
    Bug("cancelall", "asks nothing after a proven cancel", "F36+F43", 150, plant=_cancel_is_all),
    Bug("byposition", "matches answers by position", "F31", 40, bend=_by_position),
    Bug("bytrade", "keys fills by trade alone", "F25", 40, plant=_by_trade),
    Bug("novoid", "ignores a failed settlement", "F43", 12, bend=_no_void),
    Bug("nofee", "forgets the fee", "F33", 6, bend=_no_fee),
    Bug("halfsnapshot", "believes a truncated page", "F49", 12, bend=_half_snapshot),
    Bug("norung", "ignores the rung", "F84", 12, plant=_no_rung),
    Bug("noboot", "trades before reconciling", "F68", 40, plant=_no_boot),
    Bug("rungrestart", "a restart raises the rung", "F68+F84", 60, plant=_rung_restart),
    Bug("lostpairs", "a restart forgets open pairs", "F68", 12, plant=_lost_pairs),
    Bug("samesalts", "a restart reuses salts", "F68", 60, plant=_same_salts),
    Bug("blindgate", "counts no open orders as exposure", "F26", 40, plant=_blind_gate),
    Bug("draftsfree", "counts no orders that are being signed", "F32", 150, plant=_drafts_free),
    Bug("selfmatch", "rests where its own taker arrives", "F33", 30, plant=_own_takers_free),
    Bug("oldbook", "does not look at a book's age", "F01", 40, plant=_old_book),
    Bug("oldtick", "overhears a new tick size", "F13", 60, bend=_old_tick),
    Bug("nocircuit", "tries on though no order path works", "F66", 60, plant=_no_circuit),
    Bug("noquarantine", "opens beside fills that stay unproven", "F44", 40, plant=_no_quarantine),
    Bug("strangers", "trades on beside somebody else", "F51", 12, plant=_strangers),
    Bug("lostrows", "adopts nothing after a power loss", "F69", 60, plant=_lost_rows),
    Bug("wallages", "measures ages by the wall clock", "F81", 60, plant=_wall_ages),
)

BUGS_BY_NAME = {bug.name: bug for bug in BUGS}
