"""What must be true once faults are over: convergence, and agreement with the venue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dailyarb.core.domain.market import MarketState, Outcome
from dailyarb.core.domain.orders import TERMINAL, FillState, OrderState
from dailyarb.core.domain.rung import Rung
from dailyarb.core.risk.circuit import CircuitState
from dailyarb.sim.world_oracle import DUST_E6

if TYPE_CHECKING:
    from dailyarb.core.engine.engine import Engine
    from dailyarb.sim.world import World

CENT_E6 = 10_000


def problems(world: World) -> list[str]:
    """Returns what is not yet as it must be in the end; none means the world has converged."""
    if world.process.dead:
        return ["I12 the process is down"]
    return [
        *_fills(world),
        *_positions(world),
        *_money(world),
        *_orders(world),
        *_strays(world),
        *_naked(world),
        *_trading(world),
    ]


def unlike_recovered(world: World, fresh: Engine) -> list[str]:
    """Returns where an engine recovered from the journal differs from the one that wrote it (I3).

    Args:
        world: at its end.
        fresh: an engine born from the world's whole journal.
    """
    lived, again = _facts(world.process.engine), _facts(fresh)
    unlike = [key for key in lived if lived[key] != again[key]]
    return [f"I3 recovery: {key} is {again[key]}, was {lived[key]}" for key in unlike]


def _facts(engine: Engine) -> dict[str, object]:
    state = engine.state
    shares = {
        (market, outcome.value): (
            books.positions.size_e6(outcome),
            books.confirmed.size_e6(outcome),
        )
        for market, books in state.ledger.markets.items()
        for outcome in Outcome
    }
    latched = [n for n, b in state.breakers.by_name.items() if b.tripped and b.rule.manual]
    return {
        "cash": state.ledger.accounts.cash,
        "fees": state.ledger.accounts.fees,
        "shares": {key: sizes for key, sizes in shares.items() if any(sizes)},
        "live orders": sorted(o.order_id for o in state.orders.live()),
        "filled": {o.order_id: o.filled_e6 for o in state.orders.live()},
        "naked": {
            pair.pair_id: pair.excess_e6
            for pair in state.pairs.open.values()
            if pair.excess_e6 and not state.ledger.market(pair.market_id).settled
        },
        "rung": state.rungs.operator.name,
        "latched": sorted(latched),
    }


def _fills(world: World) -> Iterator[str]:
    ledger = world.oracle.folded.fills
    for key, match in world.venue.matches.items():
        booked = ledger.get(key)
        if match.status == "FAILED":
            if booked is not None and booked.state is not FillState.VOIDED:
                yield f"I1 fill {key} failed at the venue and stays booked"
        elif match.status == "MATCHED":
            yield f"I12 the venue has not decided {key}"
        elif booked is None:
            yield f"I3 fill {key} is missing"
        elif booked.state is not FillState.CONFIRMED:
            yield f"I3 fill {key} is {booked.state.value}"
        elif (booked.fill.size_e6, booked.fill.price_e4) != (match.size_e6, match.price_e4):
            yield f"I3 fill {key} is booked with other money"
    for market, listing in world.venue.listings.items():
        if world.venue_ns() >= listing.end_ns and listing.resolved_e4 is None:
            yield f"I12 the venue has not decided {market}"
    for key in ledger:
        if key not in world.venue.matches:
            yield f"I3 fill {key} is unknown to the venue"


def _positions(world: World) -> Iterator[str]:
    ledger = world.process.engine.state.ledger
    for market, listing in world.venue.listings.items():
        for outcome, token in zip(Outcome, listing.tokens, strict=True):
            truth = world.venue.shares[token]
            journal = world.oracle.folded.shares_e6(market, outcome)
            if abs(journal - truth) > CENT_E6:
                yield f"I2 {market} {outcome.value}: journal {journal}, venue {truth}"
            held = ledger.size_e6(market, outcome)
            if listing.resolved_e4 is None and abs(held - truth) > CENT_E6:
                yield f"I2 {market} {outcome.value}: ledger {held}, venue {truth}"


def _money(world: World) -> Iterator[str]:
    truth = int(world.venue.cash * 1_000_000)
    folded = world.oracle.folded
    cash = folded.cash_e6()
    if world.venue.leak():
        yield "the venue model is wrong: dollars leak"
    if world.process.engine.state.ledger.accounts.cash != cash:
        yield "I1 the ledger is not the fold of its journal"
    if world.venue.fee_scale != 1:
        takers = [m for m in world.venue.matches.values() if not m.maker and m.status != "FAILED"]
        told = "cash.differs" in folded.alerts or "fee.gap" in folded.tripped
        if abs(cash - truth) > CENT_E6 and takers and not told:
            yield f"I1 fees differ by {(cash - truth) / 1e6:.4f} dollars and nobody is told"
    elif abs(cash - truth) > CENT_E6:
        yield f"I1 cash: journal {cash / 1e6:.4f}, venue {truth / 1e6:.4f}"


def _orders(world: World) -> Iterator[str]:
    desks = world.process.engine.state.desks
    for order_id, signed in world.oracle.folded.signed.items():
        state = world.oracle.folded.states.get(order_id)
        if state in TERMINAL:
            continue
        truth = world.venue.orders.get(order_id)
        desk = desks.get(signed.market_id)
        if desk is not None and desk.state is MarketState.QUARANTINED:
            continue
        if truth is not None and truth.live and state is OrderState.OPEN:
            continue
        word = state.value if state else "JOURNALLED"
        yield f"I12 order {order_id[:10]} stays {word}, the venue has it {_truth(truth)}"


def _strays(world: World) -> Iterator[str]:
    folded = world.oracle.folded
    for order in world.venue.open_orders():
        if order.order_id not in folded.signed and order.order_id not in folded.adopted:
            yield f"I18 order {order.order_id[:10]} of ours rests and no record tells of it"


def _truth(order: object) -> str:
    live = getattr(order, "live", None)
    return "not" if live is None else "live" if live else "ended"


def _naked(world: World) -> Iterator[str]:
    folded = world.oracle.folded
    for pair_id in folded.naked_ns:
        market = world.oracle.open_pair(pair_id)
        excess = folded.excess_e6(pair_id)
        told = f"pair.naked.{pair_id}" in folded.alerts
        if market and abs(excess) >= DUST_E6 and not told:
            yield f"I7 pair {pair_id} of {market} stays naked by {excess / 1e6:g} shares, untold"


def _trading(world: World) -> Iterator[str]:
    state = world.process.engine.state
    if state.rungs.booting:
        yield "I12 the engine still reconciles"
    latched = [
        name
        for name, breaker in state.breakers.by_name.items()
        if breaker.tripped and breaker.rule.manual
    ]
    held = any(key.startswith("pair.naked.") for key in world.oracle.folded.alerts)
    for name, breaker in state.breakers.by_name.items():
        if name == "naked" and held:
            continue  # one leg has no exit within its limit: held, and told
        if name == "near.limit" and breaker.now is not None and breaker.beyond(breaker.now):
            continue  # what is held stays at risk until its window ends
        if breaker.tripped and name not in latched:
            yield f"I12 breaker {name} does not lift ({breaker.now} of {breaker.rule.limit})"
    for name, circuit in state.circuits.by_name.items():
        if circuit.state is not CircuitState.CLOSED:
            yield f"I12 circuit {name} does not close ({circuit.cause})"
    if not latched and state.rungs.operator is not Rung.FULL:
        yield f"I12 the rung stays {state.rungs.operator.name}"
