"""Which recordings are asked what: the studies of the evidence page, and why the rest is not asked.

A recording is asked about a strategy where it carries all that the strategy reads. What it carries,
and what is missing for the others, stands in `RECORDINGS`, one line a source.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from dailyarb.runtime.replay_worlds import World, worlds_of

Sets = tuple[tuple[str, str], ...]


class Study(msgspec.Struct, frozen=True):
    """Is one question put to one recording.

    path may hold `*`. given are values beside the defaults without which the recording could not
    be asked at all, and why says so. resting: whether the queue matters, so that both its ends are
    played; else rivals are. sets are the parameters that are tried, chosen on one half of the
    windows and shown on the other.
    """

    title: str
    strategy: str
    path: str
    source: str
    question: str
    caveat: str  # what must be said in the same breath as the verdict, or ""
    resting: bool = False
    sets: tuple[Sets, ...] = ()
    given: Sets = ()
    why: str = ""

    @property
    def name(self) -> str:
        """Returns what a table calls the recording."""
        parts = Path(self.path).parts
        name = parts[1] if parts[0] == "recordings" else parts[-1]
        return f"{name} (not the defaults)" if self.given else name

    def files(self, data: Path) -> list[Path]:
        """Returns what of it is in a folder, in order of name."""
        return sorted(data.glob(self.path))

    def worlds(self, data: Path) -> tuple[World, ...]:
        """Returns its worlds.

        Raises:
            RecordingError: a recording cannot be read.
        """
        return tuple(world for file in self.files(data) for world in worlds_of(str(file)))


class Source(NamedTuple):
    """Is one shared recording: what it carries, who is asked of it, and why nobody else is."""

    path: str
    licence: str
    carries: str
    asked: str
    missing: str


CRONOS = (
    "CronosVirus00/polymarket-BTC5min-database, CC BY 4.0, (c) 2026 CronosVirus00; five levels "
    "a side of every book frame, BTC 5m windows of 2026-04-13 and 2026-04-15 that cover more "
    "than 250 s"
)
ADRIEN = (
    "AdrienChereau/polymarket-mm-bot, no licence, not shipped; Up mids and Binance microprices "
    "once a second, 13 BTC 5m windows of the evening of 2026-06-25"
)
MATT = (
    "matt-1374/poly_btc, no licence, not shipped; Up mids and Binance prices once a second, 19 BTC "
    "hours of 2025-11-28"
)
BORISZ = (
    "Borisz42/PolymarketAnalyst, MIT by its README, not shipped; both touches by two REST requests "
    "a second, 68 BTC 15m windows of 2025-12-26 and 2025-12-29"
)
UPCOW = (
    "easyspace-ai/upcow, no licence, not shipped; both best prices to buy, event by event, parts "
    "of 4 BTC 15m windows of 2025-12-21"
)
LEAFURYK = (
    "LeaFuryk/polymarket-bot, no licence, not shipped; both touches by REST and BTC every 2.8 s, "
    "16 BTC 5m windows of 2026-02-25, 14 of which went Up"
)
ALIHAKAN = (
    "AliHakanVesca/xx8-btc-5min-YesNo, no licence, not shipped; every frame of one BTC 5m window "
    "of 2026-04-21 for 7 s, prints included"
)
SAMPLED = (
    "The quotes are samples up to a second old: part of what looks stale was gone already, so "
    "these figures flatter whoever takes; only a recording of every frame beside Binance decides."
)
SELDOM = (
    "Samples 2.8 s apart on a day that went one way: an order meets the book of the sample it was "
    "decided on, which flatters whoever takes and leaves a resting order no time to be pulled."
)
LONGER: Sets = (("feeds.max_book_age_ms", "6000"), ("feeds.max_reference_age_ms", "6000"))
LONGER_WHY = (
    "Books and reference may be 6 s old here instead of 2 s and 0.5 s: with the defaults every "
    "quote is withdrawn between two samples."
)
STUDIES = (
    Study(
        "S2 pairs on full books",
        "S2",
        "recordings/cronos-5m-depth",
        CRONOS,
        "Do both bids, rested below a dollar together, earn more on completed pairs than the "
        "one-sided ones cost?",
        "",
        True,
        tuple((("strategies.S2.max_pair_cost_cents", str(c)),) for c in (95, 98)),
    ),
    Study(
        "S2 pairs in 15m windows",
        "S2",
        "recordings/borisz42-15m-1hz/market_data_*.parquet",
        BORISZ,
        "The same in windows of a quarter of an hour, where a well-known trader bought pairs at "
        "0.985.",
        "The two books were read up to a second apart.",
        True,
    ),
    Study(
        "S2 pairs event by event",
        "S2",
        "recordings/upcow-15m-event",
        UPCOW,
        "The same where each change of the best prices was kept, for twenty minutes.",
        "Only one of the four parts reaches its close, so most fills have no result.",
        True,
    ),
    Study(
        "S2 pairs on every frame",
        "S2",
        "ws/polymarket/alihakanvesca",
        ALIHAKAN,
        "Are both asks ever below a dollar in a feed in which one frame holds both sides?",
        "Seven seconds say that the taker form finds nothing, and nothing of the resting one.",
        True,
        given=(("strategies.S2.min_time_left_s", "0.0"),),
        why="The seven seconds lie 86 s before the close, where S2 no longer rests by default.",
    ),
    Study(
        "S2 pairs on sampled touches",
        "S2",
        "recordings/leafuryk-5m-3s",
        LEAFURYK,
        "The same on another day's touches, seconds apart.",
        SELDOM,
        True,
        given=LONGER,
        why=LONGER_WHY,
    ),
    Study(
        "S3 quoting around fair value",
        "S3",
        "recordings/leafuryk-5m-3s",
        LEAFURYK,
        "Do fills of quotes around fair value earn their half spread?",
        SELDOM,
        True,
        given=LONGER,
        why=LONGER_WHY,
    ),
    Study(
        "S1 stale odds beside Binance",
        "S1",
        "recordings/adrien-5m-1hz",
        ADRIEN,
        "After Binance moves, is the old price still there long enough to pay the fee?",
        SAMPLED,
        sets=tuple((("strategies.S1.min_move_bps", str(bp)),) for bp in (1.0, 2.0, 3.0)),
    ),
    Study(
        "S5 volatility value at five minutes",
        "S5",
        "recordings/adrien-5m-1hz",
        ADRIEN,
        "Where our volatility and the one in the price differ, does ours pay?",
        SAMPLED,
        sets=tuple((("strategies.S5.min_edge_cents", str(c)),) for c in (2.0, 4.0, 6.0)),
    ),
    Study(
        "S5 volatility value on sampled touches",
        "S5",
        "recordings/leafuryk-5m-3s",
        LEAFURYK,
        "The same where the touch was recorded and not made up.",
        SELDOM,
    ),
    Study(
        "S1 stale odds in hourly windows",
        "S1",
        "recordings/matt1374-1h-1hz",
        MATT,
        "The same in windows of an hour, where a basis point moves the price less.",
        SAMPLED,
    ),
    Study(
        "S5 volatility value at one hour",
        "S5",
        "recordings/matt1374-1h-1hz",
        MATT,
        "The same over an hour, where there is time for the difference to show.",
        SAMPLED,
    ),
)
# What no shared recording can say: each needs something that none of them holds.
_WANTING = {
    "S4": "windows of several lengths at the same time: the recordings of 5m, 15m and 1h books are "
    "of different days",
    "S6": "Binance trades beside a book: they were recorded with none, or in bursts of ten",
    "X1": "several assets at a second's rate: the one recording of three has one a minute",
}
NOT_TESTED = tuple(
    (name, f"needs {what}; half of it is measured below") for name, what in _WANTING.items()
)

_NO_REFERENCE = "S1 S3 S5 S6 X1: no reference price; S4: one length"
RECORDINGS = (
    Source("recordings/cronos-5m-depth", "CC BY 4.0", "five levels of one token, every book frame",
           "S2", _NO_REFERENCE),
    Source("ws/polymarket/cronosvirus00", "CC BY 4.0", "raw frames of 16 of the same windows", "",
           "the same windows as above, not counted twice"),
    Source("recordings/adrien-5m-1hz", "none", "Up mid and Binance microprice, 1 s", "S1 S5",
           "S2 S3: the touch is made up around the mid; S6: no trades; S4 X1: one length, one "
           "asset"),
    Source("recordings/matt1374-1h-1hz", "none", "Up mid and Binance price, 1 s, hours", "S1 S5",
           "as above"),
    Source("recordings/borisz42-15m-1hz", "MIT by README",
           "both touches by REST, 1 s; one trader's purchases", "S2",
           f"{_NO_REFERENCE}; the purchases came 3 to 6 s late and name no taker, so they fill "
           "nobody here"),
    Source("recordings/upcow-15m-event", "none", "both asks and the settling feed, 20 min", "S2",
           "S1 S3 S5 S6 X1: no Binance, and the settling feed runs 2 s behind the books; S4: one "
           "length"),
    Source("recordings/upcow-15m-pairbot-fills", "none", "purchases of a pair trader", "",
           "all: no book"),
    Source("recordings/leafuryk-5m-3s", "none", "both touches and BTC, 2.8 s, outcomes",
           "S2 S3 S5",
           "S1: a move within one second cannot be seen; S6: no trades; S4 X1: one length, one "
           "asset"),
    Source("recordings/houssem98-5m-ladder", "none",
           "both touches at 7 moments; a resting probe", "",
           "all: 10 to 30 s between samples, no volatility to be had; the probe and the prices "
           "are used below"),
    Source("recordings/rogersialves-window-end", "none", "prices 8 s before the close, 5m and 15m",
           "", "all: one row a window, after the last entry; S4's bound is measured below"),
    Source("recordings/yannick-1h-60s", "none", "touch and spot of BTC, ETH, SOL hours, 60 s", "",
           "all that value: no strike was recorded; S1 S6 X1: a sample a minute; "
           "S2: books too old"),
    Source("recordings/smallyunet-5m-touch29", "none", "when an ask first came to 0.29", "",
           "all: no bids, no reference"),
    Source("recordings/ligengxin-chainlink-1hz", "none", "settling feed and outcomes of a day", "",
           "all: no books"),
    Source("recordings/mxtown-pricefeeds-100ms", "none", "four BTC price feeds, 100 ms", "",
           "all: no books"),
    Source("recordings/felixdoteth-5m-outcomes", "MIT", "outcome, Binance open and close", "",
           "all: no books"),
    Source("ws/polymarket/alihakanvesca", "none", "every frame with prints, 7 s", "S2",
           _NO_REFERENCE),
    Source("ws/polymarket/jonahgrigoryan", "none", "books, settling feed, Binance trades", "",
           "all: read in bursts of ten, up to 10 s late, so what came first is not known"),
    Source("ws/binance/jonahgrigoryan", "none", "its Binance trades", "", "as above"),
    Source("ws/polymarket/xinghuan18", "none", "an hourly touch, 7 s; 23 rows beside Binance", "",
           "all that value: a volatility wants 20 s; S2: two books of 23 rows"),
    Source("ws/polymarket/nautilus", "LGPL-3.0", "single frames", "", "all: no time passes"),
    Source("ws/binance/nautilus", "LGPL-3.0", "single frames", "", "all: no time passes"),
    Source("ws/binance/hftbacktest", "MIT", "every BTC and ETH frame, 346 s", "",
           "all: no books of the venue; the halves of S6 and X1 are measured below"),
    Source("ws/binance/cryptofeed", "permissive", "small symbols, 2021", "",
           "all: no asset of ours"),
)  # fmt: skip
