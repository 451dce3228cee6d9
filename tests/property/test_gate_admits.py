"""No admitted entry breaks a limit, a rung or the venue's grid (I5, I6, I11)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dailyarb.core.domain.grid import fit_size_e6
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import Intent, IntentKind, Leg
from dailyarb.core.domain.market import Grid, MarketSpec, Outcome, Side, taker_fee_e6
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.units import notional_up
from dailyarb.core.risk.exposure import Item, Standing, order_item, outlook
from dailyarb.core.risk.gate import Admitted, RiskGate, Situation
from tests.rig import risk, spec

SHARE = 1_000_000
CENT_SHARE = 10_000
shares = st.integers(0, 20_000).map(lambda n: n * CENT_SHARE)


@st.composite
def markets(draw: st.DrawFn) -> MarketSpec:
    """Draws a market with one of the venue's ticks."""
    return spec(grid=Grid(tick_e4=draw(st.sampled_from([100, 50, 25, 10]))))


@st.composite
def intents(draw: st.DrawFn, market: MarketSpec) -> Intent:
    """Draws an entry of one leg, or of two equal ones."""
    top = 10_000 // market.grid.tick_e4 - 1
    tif = draw(st.sampled_from([TIF.FAK, TIF.GTC]))
    size = draw(st.integers(1, 300)) * SHARE
    legs = tuple(
        Leg(
            outcome, Side.BUY, draw(st.integers(1, top)) * market.grid.tick_e4, size, tif,
            tif is TIF.GTC,
        )
        for outcome in draw(st.sampled_from([(Outcome.UP,), (Outcome.DOWN,), tuple(Outcome)]))
    )  # fmt: skip
    strategy = draw(st.sampled_from([StrategyId.S1, StrategyId.S2]))
    return Intent(
        strategy, market.market_id, IntentKind.ENTRY, legs, 100, pair_id=-1 if len(legs) > 1 else 0
    )


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Draws what is certain, what may happen, and how far every limit is used."""
    money = st.integers(-120, 120).map(lambda n: n * SHARE)
    standing = Standing(draw(money), draw(shares), draw(shares))
    items = draw(
        st.lists(
            st.builds(
                Item, st.sampled_from(list(Outcome)), st.sampled_from(list(Side)),
                st.integers(1, 9_999), shares, st.integers(0, 10**5),
            ),
            max_size=3,
        )
    )  # fmt: skip
    return Situation(
        rung=draw(st.sampled_from(list(Rung))),
        standing=standing,
        items=items,
        worst_others_e6=draw(st.integers(-250, 0)) * SHARE,
        day_net_e6=draw(st.integers(-60, 60)) * SHARE,
        open_markets=draw(st.integers(0, 6)),
        market_open=draw(st.booleans()),
        unknown_orders=draw(st.integers(0, 1)),
        free_cash_e6=draw(st.integers(0, 500)) * SHARE,
        naked_e6=draw(st.integers(0, 60)) * SHARE,
        held={o: draw(shares) for o in Outcome},
        waiting=[],
        matched=standing,
        overdue_ms=draw(st.integers(0, 4_000)),
        recovering=draw(st.sampled_from([False, False, False, True])),
        stopping=draw(st.sampled_from([False, False, False, True])),
    )


@given(data=st.data(), seen=situations(), market=markets())
def test_what_is_admitted_keeps_every_limit(
    data: st.DataObject, seen: Situation, market: MarketSpec
) -> None:
    intent = data.draw(intents(market))
    limits = risk()
    gate = RiskGate(limits)
    verdict = gate.admit(intent, market, seen, 10**12)
    if not isinstance(verdict, Admitted):
        return
    legs = verdict.intent.legs
    assert not seen.recovering and not seen.stopping
    needed = Rung.REDUCED if intent.strategy is StrategyId.S2 else Rung.FULL
    assert not seen.rung < needed
    items = [
        order_item(
            leg.outcome, leg.side, leg.price_e4, leg.size_e6, market.fees.rate_e6, leg.post_only
        )
        for leg in legs
    ]
    worst = outlook(seen.standing, [*seen.items, *items]).worst_e6
    assert worst >= -limits.max_worst_case_market_usd * 1e6
    assert worst + seen.worst_others_e6 >= -limits.max_worst_case_total_usd * 1e6
    assert seen.day_net_e6 > -limits.max_day_loss_usd * 1e6
    assert seen.unknown_orders == 0
    assert seen.overdue_ms <= limits.max_naked_ms
    assert seen.market_open or seen.open_markets < limits.max_open_positions
    cost = sum(notional_up(leg.price_e4, leg.size_e6) for leg in legs)
    assert cost <= limits.max_notional_per_trade_usd * 1e6
    fees = sum(
        0 if leg.post_only else taker_fee_e6(leg.price_e4, leg.size_e6, market.fees.rate_e6)
        for leg in legs
    )
    assert cost + fees <= seen.free_cash_e6
    assert len({leg.size_e6 for leg in legs}) == 1, "legs are equal in shares"
    for wanted, leg in zip(intent.legs, legs, strict=True):
        takes = leg.tif is TIF.FAK
        assert leg.size_e6 <= wanted.size_e6
        assert market.grid.on_tick(leg.price_e4)
        fits = fit_size_e6(market.grid, leg.side, leg.price_e4, leg.size_e6, takes)
        assert fits == leg.size_e6, "every leg is a size the venue accepts"
    if seen.rung is Rung.REDUCED:
        largest = intent.legs[0].size_e6 * limits.reduced_scale
        assert legs[0].size_e6 <= largest
    if len(legs) == 2:
        assert sum(leg.price_e4 for leg in legs) < 10_000, "never against ourselves (F42)"


@given(orders=st.lists(st.tuples(st.integers(0, 90), st.integers(1, 40)), max_size=30))
def test_never_more_orders_in_a_minute_than_allowed(orders: list[tuple[int, int]]) -> None:
    limits = risk(max_orders_per_minute=50)
    gate, sent, now = RiskGate(limits), [], 0
    market = spec()
    leg = Leg(Outcome.UP, Side.BUY, 5_000, 20 * SHARE, TIF.GTC, True)
    clear = Situation(
        Rung.FULL, Standing(), [], 0, 0, 0, True, 0, 10**12, 0, {}, [], Standing()
    )
    for gap_s, count in orders:
        now += gap_s * 10**9
        intent = Intent(StrategyId.S1, "0xm", IntentKind.ENTRY, (leg,) * count, 0)
        if isinstance(gate.admit(intent, market, clear, now), Admitted):
            gate.count_orders(now, count)
            sent += [now] * count
        assert sum(now - at < 60 * 10**9 for at in sent) <= 50
