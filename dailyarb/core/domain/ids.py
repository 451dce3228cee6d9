"""Names and identities: strategies, gates, breakers, feeds. Enums, never bare strings.

A venue's own identities stay text: market_id (condition id), token id, order_id (the venue's hash
of the signed order, known before it is sent), trade_id. A fill is keyed by (trade_id, order_id).
"""

from __future__ import annotations

from enum import Enum


class StrategyId(Enum):
    """Is a strategy's short name, as in configuration, journal and metrics."""

    # Members are few and unique: by identity a look-up costs no Python call.
    __hash__ = object.__hash__

    S1 = "S1"
    S2 = "S2"
    S3 = "S3"
    S4 = "S4"
    S5 = "S5"
    S6 = "S6"
    X1 = "X1"
    OPERATOR = "OP"  # flatten and unwind asked by a person


STRATEGY_TITLES: dict[StrategyId, str] = {
    StrategyId.S1: "stale_odds",
    StrategyId.S2: "pair",
    StrategyId.S3: "maker",
    StrategyId.S4: "cross_window",
    StrategyId.S5: "vol_value",
    StrategyId.S6: "flow",
    StrategyId.X1: "cross_asset",
    StrategyId.OPERATOR: "operator",
}


class FeedId(Enum):
    """Is a stream the engine depends on; the value is its name on screen and in metrics."""

    # Members are few and unique: by identity a look-up costs no Python call.
    __hash__ = object.__hash__

    POLYMARKET = "PM"
    BINANCE = "BN"
    SETTLEMENT = "ST"
    USER = "USER"


class Gate(Enum):
    """Is the one named reason for which an evaluation did not act, or an order was denied."""

    # Members are few and unique: by identity a look-up costs no Python call.
    __hash__ = object.__hash__

    # inputs
    BOOK_EMPTY = "book_empty"
    BOOK_STALE = "book_stale"
    BOOK_DESYNCED = "book_desynced"
    BOOK_CROSSED = "book_crossed"
    ONE_SIDED = "one_sided"
    MIRROR_BROKEN = "mirror_broken"
    NO_REFERENCE = "no_reference"
    REFERENCE_STALE = "reference_stale"
    REFERENCE_GAP = "reference_gap"
    NO_SETTLEMENT = "no_settlement"
    SETTLEMENT_STALE = "settlement_stale"
    NO_STRIKE = "no_strike"
    NO_VOLATILITY = "no_volatility"
    INSIDE_BASIS = "inside_basis"
    # market
    NOT_LISTED = "not_listed"
    NOT_TRADABLE = "not_tradable"
    QUARANTINED = "quarantined"
    BEFORE_START = "before_start"
    TIME_TO_CLOSE = "time_to_close"
    # signal
    MOVE_BELOW_MIN = "move_below_min"
    BOOK_ANSWERED = "book_answered"
    EDGE_BELOW_MIN = "edge_below_min"
    SUM_ABOVE_LIMIT = "sum_above_limit"
    SPREAD_ABOVE_MAX = "spread_above_max"
    DEPTH_THIN = "depth_thin"
    COOLDOWN = "cooldown"
    ORDER_WORKING = "order_working"
    POSITION_HELD = "position_held"
    STRATEGY_OFF = "strategy_off"
    PRICE_RANGE = "price_range"
    REFERENCE_MOVING = "reference_moving"
    NO_PEER = "no_peer"
    WINDOWS_AGREE = "windows_agree"
    CORRELATION_LOW = "correlation_low"
    VOL_IN_LINE = "vol_in_line"
    FLOW_THIN = "flow_thin"
    FLOW_WEAK = "flow_weak"
    FLOW_AGAINST = "flow_against"
    NETTED = "netted"
    BUDGET = "budget"
    # risk
    RUNG = "rung"
    WORST_CASE_MARKET = "worst_case_market"
    WORST_CASE_TOTAL = "worst_case_total"
    DAY_LOSS = "day_loss"
    OPEN_POSITIONS = "open_positions"
    ORDERS_PER_MINUTE = "orders_per_minute"
    NOTIONAL_PER_TRADE = "notional_per_trade"
    NAKED_EXPOSURE = "naked_exposure"
    SIZE_BELOW_MIN = "size_below_min"
    KELLY_ZERO = "kelly_zero"
    OFF_GRID = "off_grid"
    SELF_MATCH = "self_match"
    CASH = "cash"
    BALANCE_WAIT = "balance_wait"
    UNKNOWN_ORDERS = "unknown_orders"
    LOOP_LAG = "loop_lag"
    CLOCK_OFFSET = "clock_offset"
    RECOVERING = "recovering"
    STOPPING = "stopping"


class GateFact(Enum):
    """Is the unit in which a gate states its number and limit."""

    NONE = ""
    MS = "ms"
    S = "s"
    BP = "bp"
    CENTS = "¢"
    USD = "$"
    SHARES = "sh"
    COUNT = "n"
    PERCENT = "%"


# What each gate means, and the unit of its number: the console and the runbook print these.
GATE_FACTS: dict[Gate, tuple[str, GateFact]] = {
    Gate.BOOK_EMPTY: ("no snapshot of the book's current epoch yet", GateFact.NONE),
    Gate.BOOK_STALE: ("the book's content is too old", GateFact.MS),
    Gate.BOOK_DESYNCED: ("continuity of the book was lost; waiting for a snapshot", GateFact.NONE),
    Gate.BOOK_CROSSED: ("bid is not below ask: no opportunity", GateFact.CENTS),
    Gate.ONE_SIDED: ("one side of the book is empty: no mid, no edge", GateFact.NONE),
    Gate.MIRROR_BROKEN: ("UP and DOWN disagree: no real price", GateFact.CENTS),
    Gate.NO_REFERENCE: ("no Binance price yet", GateFact.NONE),
    Gate.REFERENCE_STALE: ("Binance's price is too old", GateFact.MS),
    Gate.REFERENCE_GAP: ("Binance quotes and trades differ", GateFact.BP),
    Gate.NO_SETTLEMENT: ("no value of the settling feed yet", GateFact.NONE),
    Gate.SETTLEMENT_STALE: ("the settling feed is too old", GateFact.MS),
    Gate.NO_STRIKE: ("the settling value at the window's start is not known", GateFact.NONE),
    Gate.NO_VOLATILITY: ("too few samples for a volatility", GateFact.NONE),
    Gate.INSIDE_BASIS: ("strike within the basis's noise", GateFact.BP),
    Gate.NOT_LISTED: ("something about this market is not understood", GateFact.NONE),
    Gate.NOT_TRADABLE: ("the market does not accept orders", GateFact.NONE),
    Gate.QUARANTINED: ("an order here has an unknown outcome", GateFact.NONE),
    Gate.BEFORE_START: ("the window has not started", GateFact.S),
    Gate.TIME_TO_CLOSE: ("too close to the end of the window", GateFact.S),
    Gate.MOVE_BELOW_MIN: ("the reference moved too little", GateFact.BP),
    Gate.BOOK_ANSWERED: ("the book has followed already", GateFact.CENTS),
    Gate.EDGE_BELOW_MIN: ("edge net of all costs is too small", GateFact.CENTS),
    Gate.SUM_ABOVE_LIMIT: ("both outcomes cost too much", GateFact.CENTS),
    Gate.SPREAD_ABOVE_MAX: ("the spread is too wide", GateFact.CENTS),
    Gate.DEPTH_THIN: ("too few shares within the limit", GateFact.SHARES),
    Gate.COOLDOWN: ("waiting after the last trade here", GateFact.MS),
    Gate.ORDER_WORKING: ("its order is still working here", GateFact.COUNT),
    Gate.POSITION_HELD: ("it holds its position already", GateFact.SHARES),
    Gate.STRATEGY_OFF: ("the strategy is paused or off", GateFact.NONE),
    Gate.PRICE_RANGE: ("price outside its range", GateFact.CENTS),
    Gate.REFERENCE_MOVING: ("the reference moves too fast", GateFact.BP),
    Gate.NO_PEER: ("no other window or asset to compare with", GateFact.NONE),
    Gate.WINDOWS_AGREE: ("the asset's windows agree", GateFact.BP),
    Gate.CORRELATION_LOW: ("correlation too low, or unknown", GateFact.PERCENT),
    Gate.VOL_IN_LINE: ("implied volatility is in line", GateFact.PERCENT),
    Gate.FLOW_THIN: ("too few aggressor trades", GateFact.COUNT),
    Gate.FLOW_WEAK: ("buyers and sellers are balanced", GateFact.PERCENT),
    Gate.FLOW_AGAINST: ("book or tape leans the other way", GateFact.PERCENT),
    Gate.NETTED: ("another wants the opposite", GateFact.SHARES),
    Gate.BUDGET: ("better intents used up the budget", GateFact.USD),
    Gate.RUNG: ("the risk rung does not allow it", GateFact.NONE),
    Gate.WORST_CASE_MARKET: ("worst case of this market", GateFact.USD),
    Gate.WORST_CASE_TOTAL: ("worst case of all markets", GateFact.USD),
    Gate.DAY_LOSS: ("loss of the day", GateFact.USD),
    Gate.OPEN_POSITIONS: ("markets with a position", GateFact.COUNT),
    Gate.ORDERS_PER_MINUTE: ("orders within the last minute", GateFact.COUNT),
    Gate.NOTIONAL_PER_TRADE: ("notional of one trade", GateFact.USD),
    Gate.NAKED_EXPOSURE: ("unmatched leg of a pair", GateFact.USD),
    Gate.SIZE_BELOW_MIN: ("size is below the venue's least", GateFact.SHARES),
    Gate.KELLY_ZERO: ("lower bound of its chance is too low", GateFact.CENTS),
    Gate.OFF_GRID: ("price or size is off the grid", GateFact.CENTS),
    Gate.SELF_MATCH: ("would meet our own resting order", GateFact.CENTS),
    Gate.CASH: ("not enough free cash", GateFact.USD),
    Gate.BALANCE_WAIT: ("waiting after the venue refused one", GateFact.S),
    Gate.UNKNOWN_ORDERS: ("orders with unknown outcome", GateFact.COUNT),
    Gate.LOOP_LAG: ("the engine's loop lags", GateFact.MS),
    Gate.CLOCK_OFFSET: ("the wall clock is off venue time", GateFact.MS),
    Gate.RECOVERING: ("start-up reconciliation is not complete", GateFact.NONE),
    Gate.STOPPING: ("the engine is stopping", GateFact.NONE),
}


class Severity(Enum):
    """Is how loudly an alert speaks."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
