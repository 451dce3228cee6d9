"""Facts that last: what the journal holds and the ledger folds.

A record's kind is its tag; bodies are msgpack of these structs. Money moves only through
`FillBooked`, `FillProven`, `PayoutBooked`, `Merged` and `Adjusted`.
"""

from __future__ import annotations

import msgspec

from dailyarb.core.domain.ids import Severity, StrategyId
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import MarketSpec, Outcome, Side
from dailyarb.core.domain.orders import TIF, FillState, OrderState
from dailyarb.core.domain.rung import Evidence, Mode, Rung


class Kept(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag=True):
    """Is the base of all records."""


class RunStarted(Kept, frozen=True, gc=False):
    """A run began. salt_base separates its salts from those of earlier runs.

    world names the embedded venue's own life ("" for a real venue): money of a world that has
    ended is not carried into the next.
    """

    run: str
    version: str
    mode: Mode
    evidence: Evidence
    config_hash: str
    salt_base: int
    world: str = ""


class RunEnded(Kept, frozen=True, gc=False):
    """A run ended by itself; a run without this record crashed."""

    run: str
    code: int
    why: str


class MarketSeen(Kept, frozen=True, gc=False):
    """A market was listed, or its facts changed."""

    spec: MarketSpec


class IntentTaken(Kept, frozen=True, gc=False):
    """An intent was admitted by the risk gate. fair/bid/ask are of UP at the decision."""

    intent_id: int
    strategy: StrategyId
    market_id: str
    intent: IntentKind
    edge_e4: int
    fair_e4: int
    bid_e4: int
    ask_e4: int
    pair_id: int
    legs: int
    note: str = ""


class OrderSigned(Kept, frozen=True, gc=False):
    """An order was signed: journalled before its bytes may leave."""

    order_id: str
    intent_id: int
    strategy: StrategyId
    intent: IntentKind
    market_id: str
    outcome: Outcome
    side: Side
    price_e4: int
    size_e6: int
    tif: TIF
    post_only: bool
    stamp_ms: int
    salt: int
    pair_id: int
    order_json: bytes


class OrderAdopted(Kept, frozen=True, gc=False):
    """The venue listed an order of our wallet whose record a power loss took (F69)."""

    order_id: str
    market_id: str
    outcome: Outcome
    side: Side
    price_e4: int
    size_e6: int


class OrderMoved(Kept, frozen=True, gc=False):
    """An order reached a state by evidence."""

    order_id: str
    state: OrderState
    reason: str = ""


class FillBooked(Kept, frozen=True, gc=False):
    """Our part of one trade, once per (trade_id, order_id)."""

    trade_id: str
    order_id: str
    strategy: StrategyId
    market_id: str
    outcome: Outcome
    side: Side
    price_e4: int
    size_e6: int
    cash_e6: int  # change of cash without fee: negative on buys
    fee_e6: int
    maker: bool
    state: FillState
    match_ns: int
    fair_e4: int = 0  # our fair value at the decision, for edge captured
    mid_e4: int = 0  # UP mid when the fill was booked


class FillProven(Kept, frozen=True, gc=False):
    """A provisional fill became final, or was voided (its booking is reversed)."""

    trade_id: str
    order_id: str
    state: FillState
    reason: str = ""


class FillMarked(Kept, frozen=True, gc=False):
    """What a fill was worth 1, 5 and 30 s later: mark less price, signed by side, a share."""

    trade_id: str
    order_id: str
    markout_1s_e4: int
    markout_5s_e4: int
    markout_30s_e4: int


class PairClosed(Kept, frozen=True, gc=False):
    """The whole story of one pair.

    sent_edge_e4 is the edge by the touch as the legs left; up_bought and down_bought are shares
    and what they cost, fees included; whole_ms from the first proven fill to equal legs, None
    where they never were; exit_cost_e6 what completing and unwinding lost, against the dollar a
    pair pays and the cost of shares sold. merge_e6 marks the shares of both outcomes that are worth
    a dollar together: their cash is locked until they are merged, or their window is settled.
    up_e6 less down_e6 is the dust that stays.
    """

    pair_id: int
    market_id: str
    strategy: StrategyId
    intended_edge_e4: int
    up_e6: int
    down_e6: int
    cost_e6: int
    unwind_e6: int
    captured_e6: int
    naked_ms: int
    result: str  # completed, unwound, unfilled, carried
    sent_edge_e4: int | None = None
    up_bought: tuple[int, int] = (0, 0)
    down_bought: tuple[int, int] = (0, 0)
    whole_ms: int | None = None
    exit_cost_e6: int = 0
    merge_e6: int = 0


class PayoutBooked(Kept, frozen=True, gc=False):
    """A market was settled; cash_e6 is what its shares paid."""

    market_id: str
    up_price_e4: int
    cash_e6: int


class Merged(Kept, frozen=True, gc=False):
    """Equal shares of both outcomes became cash."""

    market_id: str
    size_e6: int
    cash_e6: int


class Adjusted(Kept, frozen=True, gc=False):
    """An explicit difference between venue and ledger, never silent (opening cash included)."""

    what: str  # opening, deposit, reconcile, external
    cash_e6: int
    market_id: str = ""
    outcome: Outcome | None = None
    size_e6: int = 0
    reason: str = ""


class RungSet(Kept, frozen=True, gc=False):
    """The operator's rung changed."""

    rung: Rung
    who: str
    reason: str


class ModeSet(Kept, frozen=True, gc=False):
    """The run mode changed while the engine was flat; evidence is that of all rows from here."""

    mode: Mode
    evidence: Evidence
    who: str


class SettingsTaken(Kept, frozen=True, gc=False):
    """Limits of a file read anew are in force; config_hash is over all values in force."""

    config_hash: str
    changed: tuple[str, ...]
    who: str


class BreakerMoved(Kept, frozen=True, gc=False):
    """A breaker tripped or was reset."""

    breaker: str
    tripped: bool
    now: float
    limit: float
    effect: Rung
    who: str
    reason: str = ""


class OperatorDid(Kept, frozen=True, gc=False):
    """An operator's command and its result."""

    who: str
    verb: str
    target: str
    ok: bool
    text: str
    twin: str


class AlertRaised(Kept, frozen=True, gc=False):
    """An alert was raised."""

    severity: Severity
    key: str
    text: str


class Checkpointed(Kept, frozen=True, gc=False):
    """State that needs no older rows to be rebuilt; version is that of its encoding."""

    state: bytes
    version: int = 0


Record = (
    RunStarted
    | RunEnded
    | MarketSeen
    | IntentTaken
    | OrderSigned
    | OrderAdopted
    | OrderMoved
    | FillBooked
    | FillProven
    | FillMarked
    | PairClosed
    | PayoutBooked
    | Merged
    | Adjusted
    | RungSet
    | ModeSet
    | SettingsTaken
    | BreakerMoved
    | OperatorDid
    | AlertRaised
    | Checkpointed
)
