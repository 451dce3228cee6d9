"""What only some strategies need measured, and how it reaches their scenes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as replace_struct

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.events import (
    MarketListed,
    ReferenceMoved,
    SettlementPrice,
    TopChanged,
    Traded,
)
from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import Blocked, Intent, IntentKind, Leg
from dailyarb.core.domain.market import (
    MarketSpec,
    Outcome,
    Settlement,
    SettlementKind,
    Side,
    Window,
)
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.settings import (
    AssetSettings,
    S2Settings,
    S4Settings,
    S6Settings,
    Settings,
    Strategies,
    X1Settings,
)
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.engine.context import fill
from dailyarb.core.engine.scenes import build_scene
from dailyarb.core.engine.state import build_strategies
from dailyarb.core.engine.watch import Watch, build_watch
from dailyarb.core.pricing.flow import FAST, MIDDLE
from dailyarb.core.strategies.base import Scene, Verdict
from tests.rig import DOWN, START_S, UP, Rig, book_frame, settings, spec

E8 = 10**8


def asset(name: str, **changes: Any) -> AssetSettings:
    """Returns an asset as a file states it."""
    return AssetSettings(
        binance_symbol=f"{name}usdt", settlement_symbol=f"{name}usd", slug=name, **changes
    )


def config(*enabled: str) -> Settings:
    """Returns BTC and ETH with only these strategies enabled."""
    kinds: dict[str, Any] = {
        "S4": S4Settings(enabled="S4" in enabled),
        "S6": S6Settings(enabled="S6" in enabled),
        "X1": X1Settings(enabled="X1" in enabled),
        "S2": S2Settings(enabled=False),
    }
    both = {"btc": asset("btc"), "eth": asset("eth", correlation=0.6, vol_ratio=1.5)}
    return replace_struct(settings(Strategies(**kinds)), assets=both)


def moved(name: str, second: float, mid: float, buy: int = 0, sell: int = 0) -> ReferenceMoved:
    """Returns a burst of Binance."""
    at = 10**12 + round(second * SECOND)
    trades = (buy > 0) + (sell > 0)
    price = round(mid * E8)
    return ReferenceMoved(
        name, price, price, at, buy * E8, sell * E8, trades, price, buys=int(buy > 0)
    )


def watch(*enabled: StrategyId) -> Watch:
    """Returns the measures of these strategies."""
    return Watch(config(), enabled)


def test_nothing_is_measured_that_nobody_asks_for() -> None:
    assert build_watch(config(), [StrategyId.S1, StrategyId.S2, StrategyId.S5]) is None
    assert build_watch(config(), [StrategyId.S6]) is not None
    assert Rig().state.watch is None
    built = [s.id.value for s in build_strategies(config("S6", "X1"), ())]
    assert built == ["S1", "S6", "X1"]
    assert build_strategies(config("S6"), ("S4",)) == []


def test_flow_is_summed_by_aggressor_and_dated_from_its_onset() -> None:
    seen = watch(StrategyId.S6)
    seen.reference(moved("btc", 0.0, 100.0, sell=5), 100 * E8)
    seen.reference(moved("btc", 4.5, 100.0, buy=20), 100 * E8)
    at = moved("btc", 5.5, 100.0).recv_ns
    flow = seen.flow("btc", "0xm", at)
    assert (flow.reference[FAST].trades, flow.reference[MIDDLE].share) == (0, 1.0)
    assert flow.since_ns == SECOND, "beyond the threshold since the buyers came"
    assert [band.trades for band in flow.tape] == [0, 0, 0]
    seen.reference(moved("btc", 6.0, 100.0, sell=30), 100 * E8)
    seen.reference(moved("btc", 6.5, 100.0, sell=500), 100 * E8)
    turned = seen.flow("btc", "0xm", moved("btc", 7.0, 1.0).recv_ns)
    assert turned.reference[MIDDLE].share < -0.9
    assert turned.since_ns == SECOND // 2
    seen.reference(moved("btc", 6.8, 100.0, sell=10), 100 * E8)
    later = seen.flow("btc", "0xm", moved("btc", 7.0, 1.0).recv_ns)
    assert later.since_ns == SECOND // 2, "more of the same does not begin anew"


@pytest.mark.parametrize(
    ("outcome", "side", "share"),
    [(Outcome.UP, Side.BUY, 1.0), (Outcome.DOWN, Side.BUY, -1.0), (Outcome.DOWN, Side.SELL, 1.0)],
)
def test_the_tape_is_signed_by_what_it_does_to_up(
    outcome: Outcome, side: Side, share: float
) -> None:
    seen = watch(StrategyId.S6)
    seen.traded(Traded("0xm", outcome, side, 5_000, 7_000_000, 0), 10**12)
    assert seen.flow("btc", "0xm", 10**12).tape[FAST].share == share
    seen.forget("0xm")
    assert seen.flow("btc", "0xm", 10**12).tape[FAST].trades == 0


def test_prints_are_dropped_where_no_flow_is_asked_for() -> None:
    seen = watch(StrategyId.X1)
    seen.traded(Traded("0xm", Outcome.UP, Side.BUY, 5_000, 7_000_000, 0), 10**12)
    seen.forget("0xm")
    assert seen.leader == "btc"


def pair_of_walks(seen: Watch, seconds: int, beta: float) -> None:
    """Feeds a leader that saws, and a follower that moves beta times as far."""
    for second in range(seconds):
        step = 1e-3 * (1 if second // 2 % 2 else -1)
        seen.reference(moved("btc", second, 1.0), round(100 * E8 * (1 + step)))
        seen.reference(moved("eth", second + 0.5, 1.0), round(10 * E8 * (1 + beta * step)))


def test_a_follower_is_learned_from_its_prior_on() -> None:
    seen = watch(StrategyId.X1)
    eth = seen.follower("eth")
    assert eth is not None
    assert (eth.correlation, eth.ratio) == (0.6, 1.5)
    assert seen.follower("btc") is None
    pair_of_walks(seen, 2_000, 0.5)
    assert eth.correlation > 0.9
    assert eth.ratio == pytest.approx(0.5, abs=0.06)


def test_a_second_without_a_fresh_leader_is_no_sample() -> None:
    seen = watch(StrategyId.X1)
    eth = seen.follower("eth")
    assert eth is not None
    before = eth.samples
    for second in range(10):
        seen.reference(moved("eth", second, 10.0), 10 * E8)
    assert eth.samples == before
    seen.reference(moved("btc", 10, 100.0), 100 * E8)
    seen.reference(moved("btc", 15, 100.0), 100 * E8)
    seen.reference(moved("btc", 16, 100.0), 100 * E8)
    seen.reference(moved("btc", 17, 100.0), 100 * E8)
    assert eth.samples == before, "the follower has been silent for seconds"


def test_a_leader_that_is_not_configured_leads_nobody() -> None:
    lone = replace_leader(config("X1"), "doge")
    seen = Watch(lone, [StrategyId.X1])
    assert seen.leader == ""
    assert seen.follower("eth") is None
    assert not seen.reference(moved("btc", 0, 1.0), E8)
    assert not seen.reference(moved("btc", 1, 1.0), E8)


def replace_leader(plain: Settings, name: str) -> Settings:
    """Returns settings in which X1 follows another asset."""
    return replace_struct(plain, strategies=Strategies(X1=X1Settings(enabled=True, leader=name)))


def test_windows_are_compared_by_changes_within_the_same_second() -> None:
    seen = watch(StrategyId.S4)
    assert seen.correlation("btc", Window.M15, Window.M5) == 0.0
    for second in range(40):
        began = seen.reference(moved("btc", second, 100.0), 100 * E8)
        assert began, "each event here begins a second"
        step = 100 * (second // 3 % 2)
        seen.windows(
            [
                ("btc", Window.M15, "long", 5_000 + step // 2),
                ("btc", Window.M5, "short", 5_000 + step),
                ("eth", Window.M5, "other", 4_000),
            ]
        )
        assert not seen.reference(moved("btc", second + 0.5, 100.0), 100 * E8)
    assert seen.correlation("btc", Window.M5, Window.M15) == pytest.approx(1.0)
    assert seen.correlation("btc", Window.M15, Window.M5) == pytest.approx(1.0)
    assert seen.correlation("eth", Window.M5, Window.M15) == 0.0


def test_a_window_that_was_not_there_a_second_ago_is_no_sample() -> None:
    seen = watch(StrategyId.S4)
    for second in (0, 1, 5, 6):
        seen.reference(moved("btc", second, 100.0), 100 * E8)
        rows = [("btc", w, w.value, 5_000 + 100 * second) for w in (Window.M5, Window.M15)]
        if second == 6:
            rows[1] = ("btc", Window.M15, "next", 100)
        seen.windows(rows)
        found = seen.correlation("btc", Window.M5, Window.M15)
        assert found == pytest.approx(0.0 if second == 0 else 1.0)


# The engine fills scenes with it.

LONG_UP, LONG_DOWN = "33" * 30, "44" * 30


def long_spec(**changes: Any) -> MarketSpec:
    """Returns the quarter hour that holds the rig's five minutes."""
    return spec(
        market_id="0xl",
        slug=f"btc-updown-15m-{START_S}",
        window=Window.M15,
        end_ns=(START_S + 900) * SECOND,
        up_token=LONG_UP,
        down_token=LONG_DOWN,
        **changes,
    )


def give_book(rig: Rig, bid: int, ask: int, long: bool) -> list[cmd.Command]:
    """Gives one of the two markets a book of one level a side."""
    rig.clock.advance(20 * MS)
    now = rig.clock.now()
    frame = book_frame([(bid, 500)], [(ask, 500)], now.wall_ns // MS)
    if long:
        frame = frame.replace(UP.encode(), LONG_UP.encode())
        frame = frame.replace(DOWN.encode(), LONG_DOWN.encode()).replace(b"0xm", b"0xl")
    rig.engine.books.router.on_frame(frame, now.mono_ns)
    out: list[cmd.Command] = []
    for slot, flags in rig.engine.books.router.drain():
        found = rig.engine.books.at(slot)
        assert found is not None
        out += rig.feed(TopChanged(found.spec.market_id, flags, now.mono_ns))
    return out


def two_windows(*enabled: str, **changes: Any) -> Rig:
    """Returns a rig with a 5m and a 15m window of BTC, both with books."""
    rig = Rig(config=config(*enabled))
    rig.feed(MarketListed(long_spec(**changes)))
    rig.ready()
    give_book(rig, 49, 50, long=False)
    give_book(rig, 49, 50, long=True)
    return rig


def scene_of(rig: Rig, market_id: str, strategy: StrategyId) -> Scene:
    """Returns what a strategy sees of a market now."""
    now, desk = rig.clock.now(), rig.state.desks[market_id]
    seen = build_scene(rig.state, desk, now)
    fill(rig.state, desk, strategy, seen, now)
    return seen


def test_a_strategy_sees_only_what_it_asked_for() -> None:
    rig = two_windows("S6")
    seen = scene_of(rig, "0xm", StrategyId.S6)
    assert seen.flow is not None
    assert (seen.peers, seen.leader) == ((), None)
    plain = scene_of(rig, "0xm", StrategyId.S1)
    assert plain.flow is None
    bare = two_windows()
    assert scene_of(bare, "0xm", StrategyId.S6).flow is None


def test_the_other_windows_of_the_asset_are_peers() -> None:
    rig = two_windows("S4")
    [short] = scene_of(rig, "0xl", StrategyId.S4).peers
    assert (short.window_s, short.bid_e4, short.ask_e4, short.same_rule) == (
        300, 4_900, 5_000, True,
    )  # fmt: skip
    assert abs(short.view_bp) < 1.0
    [long] = scene_of(rig, "0xm", StrategyId.S4).peers
    assert long.window_s == 900
    give_book(rig, 69, 70, long=False)
    [risen] = scene_of(rig, "0xl", StrategyId.S4).peers
    assert risen.view_bp > short.view_bp + 3.0, "its price says that the asset stands higher"


@pytest.mark.parametrize("why", ["one-sided", "desynced", "averaging", "no strike", "other rule"])
def test_a_window_that_says_nothing_is_no_peer(why: str) -> None:
    rig = two_windows("S4")
    desk = rig.state.desks["0xm"]
    if why == "one-sided":
        give_book(rig, 0, 50, long=False)
    elif why == "desynced":
        desk.book.desync("test")
    elif why == "averaging":
        left_ns = desk.spec.end_ns - rig.clock.now().wall_ns
        rig.clock.advance(left_ns - 60 * SECOND)
    elif why == "no strike":
        desk.strike_e18 = 0
        desk.spec = spec(settlement=Settlement(SettlementKind.BINANCE_CANDLE))
    else:
        desk.spec = spec(settlement=Settlement(SettlementKind.TWAP, 30))
    peers = scene_of(rig, "0xl", StrategyId.S4).peers
    assert [peer.same_rule for peer in peers] == ([False] if why == "other rule" else [])


def test_windows_are_sampled_once_a_second() -> None:
    rig = two_windows("S4")
    for second in range(12):
        cents = 40 + 2 * (second % 5)
        give_book(rig, cents, cents + 1, long=False)
        give_book(rig, cents, cents + 1, long=True)
        rig.clock.advance(SECOND)
        rig.spot(100_000 + second % 2)
    assert rig.state.watch is not None
    assert rig.state.watch.correlation("btc", Window.M5, Window.M15) == pytest.approx(1.0)


def eth_rig() -> Rig:
    """Returns a rig whose market is ETH's, led by BTC."""
    rig = Rig(config=config("X1"), market=spec(asset="eth"))
    rig.feed(MarketListed(rig.market))
    rig.ready()
    now = rig.clock.now()
    for second in range(30):
        rig.clock.advance(SECOND)
        now = rig.clock.now()
        price = round((4_000 + second % 2) * E8)
        rig.feed(ReferenceMoved("eth", price, price + E8 // 10, now.mono_ns))
        rig.feed(
            SettlementPrice(
                "eth", 4_000 * 10**18, now.wall_ns // MS // 1_000 * 1_000, now.mono_ns, 60
            )
        )
        rig.spot(100_000)
    return rig


def test_a_leaders_move_is_news_for_its_followers() -> None:
    rig = eth_rig()
    give_book(rig, 49, 50, long=False)
    before = rig.state.tallies.evaluated
    rig.spot(100_001)
    assert rig.state.tallies.evaluated == before, "too small to be a burst"
    rig.spot(100_100)
    assert rig.state.tallies.evaluated > before
    seen = scene_of(rig, "0xm", StrategyId.X1)
    assert seen.leader is not None
    assert seen.leader.move_bp == pytest.approx(10.0, abs=0.2)
    assert seen.leader.beta == pytest.approx(seen.leader.correlation * 1.5, rel=0.5)
    assert (seen.leader.age_ms, seen.leader.move_age_ns) == (0, 0)


def test_the_leader_itself_follows_nobody() -> None:
    rig = two_windows("X1")
    assert scene_of(rig, "0xm", StrategyId.X1).leader is None


def test_prints_reach_the_flow_and_a_finished_market_leaves_it() -> None:
    rig = two_windows("S6")
    rig.feed(Traded("0xm", Outcome.UP, Side.BUY, 5_000, 5_000_000, 0))
    flow = scene_of(rig, "0xm", StrategyId.S6).flow
    assert flow is not None
    assert flow.tape[FAST].buys == 1
    rig.feed(Traded("0xunknown", Outcome.UP, Side.BUY, 5_000, 5_000_000, 0))
    rig.advance(450.0, 1_000)
    assert "0xm" not in rig.state.desks
    assert rig.state.watch is not None
    assert rig.state.watch.flow("btc", "0xm", 10**12).tape[MIDDLE].trades == 0


def test_a_signal_becomes_an_order_with_its_strategys_name() -> None:
    rig = two_windows("S4")
    for second in range(20):
        cents = 48 + second % 3
        give_book(rig, cents, cents + 1, long=False)
        give_book(rig, cents, cents + 1, long=True)
        rig.clock.advance(SECOND)
        rig.spot(100_000.5 + 0.2 * (second % 2))
        rig.settle(100_000.5, rig.clock.now().wall_ns // SECOND)
    give_book(rig, 69, 70, long=False)
    rig.spot(100_001)
    orders = [o for o in rig.state.orders.by_id.values() if o.strategy is StrategyId.S4]
    assert [(o.market_id, o.outcome, o.price_e4) for o in orders] == [("0xl", Outcome.UP, 5_000)]
    rows = rig.engine.view(rig.clock.now()).signals
    named = {row.name for row in rows if row.strategy is StrategyId.S4}
    assert {"peers", "correlation", "divergence"} <= named


def test_a_scene_is_filled_by_strategies_that_are_enabled_only() -> None:
    rig = two_windows("S6")
    desk = rig.state.desks["0xm"]
    assert desk.scene is not None
    assert desk.scene.flow is not None
    assert replace(desk.scene, flow=None) != desk.scene


class Always:
    """Is a strategy that wants the same at every look."""

    values = False

    def __init__(self, strategy: StrategyId, outcome: Outcome, shares: int) -> None:
        self.id = strategy
        self.leg = Leg(outcome, Side.BUY, 5_100, shares * 1_000_000, TIF.FAK)

    def evaluate(self, scene: Scene) -> Verdict:
        """Returns one entry until it has orders or shares."""
        if scene.working or any(scene.held.values()):
            return Blocked(Gate.ORDER_WORKING)
        kind = IntentKind.ENTRY
        return [Intent(self.id, scene.spec.market_id, kind, (self.leg,), edge_e4=100)]


def sent_by(rig: Rig) -> dict[str, float]:
    """Returns the shares of each strategy's orders."""
    return {o.strategy.value: o.size_e6 / 1e6 for o in rig.state.orders.by_id.values()}


def test_opposite_wishes_net_out_and_the_loser_is_told() -> None:
    rig = Rig(config=config()).ready()
    rig.state.strategies = [
        Always(StrategyId.S5, Outcome.UP, 20),
        Always(StrategyId.S6, Outcome.DOWN, 8),
    ]
    rig.book([(49, 500)], [(51, 500)])
    assert sent_by(rig) == {"S5": 12.0}
    assert rig.why("S6") == "netted"


def test_all_share_the_budget_of_the_market() -> None:
    rig = Rig(config=small_budget()).ready()
    rig.state.strategies = [
        Always(StrategyId.S5, Outcome.UP, 15),
        Always(StrategyId.S6, Outcome.UP, 15),
    ]
    rig.book([(49, 500)], [(51, 500)])
    assert sent_by(rig) == {"S5": 15.0}, "what is left of ten dollars buys no whole order"
    assert rig.why("S6") == "budget"


def small_budget() -> Settings:
    """Returns settings under which one market may lose ten dollars."""
    plain = config()
    risk = replace_struct(plain.risk, max_worst_case_market_usd=10.0)
    return replace_struct(plain, risk=risk)
