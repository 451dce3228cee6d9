"""A rig for the engine: real settings, real books, a clock that moves only when told.

Frames are the venue's own JSON; commands are kept, drafts are signed with a hash of their own, so
that a test reads like what happens: frame in, order out, answer in, position.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.clock import ManualClock
from dailyarb.core.domain.events import (
    AccountReport,
    CancelResult,
    Event,
    FeedState,
    FeedStatus,
    Fill,
    LegOutcome,
    LegResult,
    MarketListed,
    OrderReport,
    ReferenceMoved,
    SettlementPrice,
    Signed,
    SubmitResult,
    Tick,
    TopChanged,
)
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.market import (
    FeeSchedule,
    Grid,
    MarketSpec,
    Outcome,
    Settlement,
    SettlementKind,
    Side,
    Window,
)
from dailyarb.core.domain.orders import FillState
from dailyarb.core.domain.records import Record
from dailyarb.core.domain.rung import Evidence, Mode
from dailyarb.core.domain.settings import (
    AssetSettings,
    Breakers,
    Risk,
    S2Settings,
    Settings,
    Strategies,
)
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.engine.engine import Engine
from dailyarb.core.engine.state import Birth

UP, DOWN = "11" * 30, "22" * 30
START_S = 1_800_000_000
T = TypeVar("T")


def risk(**changes: Any) -> Risk:
    """Returns limits roomy enough for a test to trip one at a time."""
    values: dict[str, Any] = {
        "max_worst_case_market_usd": 100.0,
        "max_worst_case_total_usd": 200.0,
        "max_day_loss_usd": 50.0,
        "max_notional_per_trade_usd": 50.0,
        "max_partial_exposure_usd": 50.0,
        "max_unwind_loss_usd": 5.0,
        "max_open_positions": 4,
        "max_orders_per_minute": 100,
    }
    return Risk(**{**values, **changes})


def settings(strategies: Strategies | None = None, **limits: Any) -> Settings:
    """Returns a complete configuration of one asset."""
    return Settings(
        schema_version=1,
        risk=risk(**limits),
        breakers=Breakers(max_drawdown_usd=50.0),
        assets={
            "btc": AssetSettings(
                binance_symbol="btcusdt", settlement_symbol="btcusd", slug="btc"
            )
        },
        strategies=strategies or Strategies(S2=S2Settings(resting=True)),
    )


def spec(**changes: Any) -> MarketSpec:
    """Returns a five-minute market that starts at START_S."""
    values: dict[str, Any] = {
        "market_id": "0xm",
        "slug": f"btc-updown-5m-{START_S}",
        "asset": "btc",
        "window": Window.M5,
        "start_ns": START_S * SECOND,
        "end_ns": (START_S + 300) * SECOND,
        "up_token": UP,
        "down_token": DOWN,
        "grid": Grid(),
        "fees": FeeSchedule(70_000),
        "settlement": Settlement(SettlementKind.TWAP, 60),
    }
    return MarketSpec(**{**values, **changes})


def birth(**changes: Any) -> Birth:
    """Returns the identity of a simulated run."""
    values: dict[str, Any] = {
        "run": "r1",
        "version": "0",
        "mode": Mode.SIM,
        "evidence": Evidence.SIM,
        "config_hash": "c0",
        "salt_base": 1,
    }
    return Birth(**{**values, **changes})


def book_frame(bids: list[tuple[int, int]], asks: list[tuple[int, int]], stamp_ms: int) -> bytes:
    """Returns a snapshot of both tokens from UP levels as (cents, shares)."""

    def rows(levels: list[tuple[int, int]], flip: bool) -> list[dict[str, str]]:
        return [
            {"price": f"{(100 - c if flip else c) / 100:.2f}", "size": str(n)} for c, n in levels
        ]

    books = []
    for token, flip in ((UP, False), (DOWN, True)):
        bid, ask = (asks, bids) if flip else (bids, asks)
        books.append(
            {
                "event_type": "book",
                "market": "0xm",
                "asset_id": token,
                "timestamp": str(stamp_ms),
                "hash": hashlib.sha1(f"{token}{stamp_ms}".encode()).hexdigest(),
                "bids": rows(bid, flip),
                "asks": rows(ask, flip),
            }
        )
    return json.dumps(books).encode()


@dataclass
class Rig:
    """Drives one engine by hand."""

    config: Settings = field(default_factory=settings)
    market: MarketSpec = field(default_factory=spec)
    who: Birth = field(default_factory=birth)
    history: list[tuple[Record, int]] = field(default_factory=list)
    lead_s: float = 60.0

    def __post_init__(self) -> None:
        wall = self.market.start_ns - round(self.lead_s * SECOND)
        self.clock = ManualClock(10**12, wall)
        self.engine = Engine(self.config, self.who, self.history, self.clock.now())
        self.state = self.engine.state
        self.commands: list[cmd.Command] = []
        self.sign = True
        self._take(self.engine.start(self.clock.now()))

    # driving

    def feed(self, event: Event) -> list[cmd.Command]:
        """Gives one fact to the engine, signs what it asks for, returns all commands."""
        before = len(self.commands)
        self._take(self.engine.on_event(event, self.clock.now()))
        return self.commands[before:]

    def _take(self, commands: list[cmd.Command]) -> None:
        for command in commands:
            self.commands.append(command)
            if isinstance(command, cmd.Sign) and self.sign:
                draft = command.draft
                text = f"{draft.salt}/{draft.token}/{draft.maker_e6}/{draft.taker_e6}"
                order_id = "0x" + hashlib.sha256(text.encode()).hexdigest()
                self._take(
                    self.engine.on_event(
                        Signed(draft.draft_id, order_id, text.encode()), self.clock.now()
                    )
                )

    def advance(self, seconds: float, step_ms: int = 100) -> None:
        """Lets time pass, ticking as the engine asks."""
        end = self.clock.now().mono_ns + round(seconds * SECOND)
        while self.clock.now().mono_ns < end:
            due = self.engine.next_deadline()
            now = self.clock.now().mono_ns
            step = min(end - now, step_ms * MS)
            if due is not None:
                step = max(1, min(step, due - now))
            self.clock.advance(step)
            self.feed(Tick())

    # facts

    def ready(self, cash_usd: float = 1_000.0) -> Rig:
        """Lists the market, reports feeds and account, warms the reference, starts the window."""
        self.feed(MarketListed(self.market))
        for feed in FeedId:
            self.feed(FeedState(feed, FeedStatus.FRESH, 2, 2, 0, 10.0))
        self.account(cash_usd)
        for second in range(round(self.lead_s) + 2):
            self.spot(100_000 + (second % 2))
            stamp = self.clock.now().wall_ns // SECOND
            self.settle(100_000.5, stamp)
            self.clock.advance(SECOND)
            self.feed(Tick())
        self.advance(0.2)
        return self

    def account(self, cash_usd: float, asked_ns: int | None = None) -> None:
        """Reports a complete snapshot with this cash and nothing else."""
        asked = self.clock.now().mono_ns if asked_ns is None else asked_ns
        self.feed(AccountReport(asked, True, round(cash_usd * 1e6)))

    def spot(self, mid: float, half: float = 0.5) -> list[cmd.Command]:
        """Moves Binance."""
        now = self.clock.now()
        bid, ask = round((mid - half) * 1e8), round((mid + half) * 1e8)
        return self.feed(ReferenceMoved("btc", bid, ask, now.mono_ns))

    def settle(self, price: float, stamp_s: int) -> None:
        """Gives one value of the settling feed."""
        now = self.clock.now()
        value = round(price * 1e6) * 10**12
        self.feed(SettlementPrice("btc", value, stamp_s * 1000, now.mono_ns, 60))

    def book(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> list[cmd.Command]:
        """Gives a snapshot of UP levels as (cents, shares), best first."""
        now = self.clock.now()
        router = self.engine.books.router
        router.on_frame(book_frame(bids[::-1], asks[::-1], now.wall_ns // MS), now.mono_ns)
        out: list[cmd.Command] = []
        for slot, flags in router.drain():
            found = self.engine.books.at(slot)
            if found is not None:
                out += self.feed(TopChanged(found.spec.market_id, flags, now.mono_ns))
        return out

    def answer(
        self, submit: cmd.Submit, outcome: LegOutcome, reason: str = "", matched_e6: int = -1
    ) -> list[cmd.Command]:
        """Answers every order of a submit alike."""
        return self.feed(
            SubmitResult(
                submit.asked_ns,
                tuple(
                    LegResult(o.order_id, outcome, reason, matched_e6) for o in submit.orders
                ),
            )
        )

    def fill(
        self,
        order_id: str,
        shares: float,
        *,
        trade: str = "t1",
        state: FillState = FillState.CONFIRMED,
        maker: bool = False,
        price_e4: int | None = None,
    ) -> list[cmd.Command]:
        """Reports a fill of one of our orders."""
        order = self.state.orders.by_id[order_id]
        return self.feed(
            Fill(
                trade,
                order_id,
                order.market_id,
                order.outcome,
                order.side,
                price_e4 or order.price_e4,
                round(shares * 1e6),
                maker,
                state,
                self.clock.now().wall_ns,
            )
        )

    def cancelled(self, *order_ids: str) -> None:
        """Feeds a cancel's proof, then the answer to the question how much had matched before."""
        self.feed(CancelResult(self.clock.now().mono_ns, order_ids))
        self.clock.advance(MS)
        for order_id in order_ids:
            self.feed(OrderReport(order_id, self.clock.now().mono_ns, False))

    # looking

    def all(self, kind: type[T]) -> list[T]:
        """Returns every command of a kind so far."""
        return [c for c in self.commands if isinstance(c, kind)]

    def records(self, kind: type[T]) -> list[T]:
        """Returns every journalled record of a kind so far."""
        return [c.record for c in self.all(cmd.Journal) if isinstance(c.record, kind)]

    @property
    def submits(self) -> list[cmd.Submit]:
        """Returns the submits so far."""
        return self.all(cmd.Submit)

    def held(self, outcome: Outcome) -> float:
        """Returns shares held, provisional ones included."""
        return self.state.ledger.size_e6(self.market.market_id, outcome) / 1e6

    def why(self, strategy: str) -> str:
        """Returns the gate that stops a strategy in the market, or ""."""
        desk = self.state.desks[self.market.market_id]
        for key, verdict in desk.verdicts.items():
            if key.value == strategy and verdict.blocked is not None:
                return verdict.blocked.gate.value
        return ""


def sides(submit: cmd.Submit, rig: Rig) -> list[tuple[Outcome, Side, int, int]]:
    """Returns what a submit's orders are: outcome, side, price_e4, size_e6."""
    orders = [rig.state.orders.by_id[o.order_id] for o in submit.orders]
    return [(o.outcome, o.side, o.price_e4, o.size_e6) for o in orders]
