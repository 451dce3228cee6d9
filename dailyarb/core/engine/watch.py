"""What only some strategies need measured: order flow, and who moves with whom.

Built from the strategies that are enabled; without one that asks there is no Watch at all, and
the path from frame to order pays one comparison. All O(1) per event but for a sample once a
second, which costs the number of assets and of running windows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import log

from dailyarb.core.domain.events import ReferenceMoved, Traded
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.market import Window
from dailyarb.core.domain.settings import Settings
from dailyarb.core.domain.units import SECOND
from dailyarb.core.pricing.flow import MIDDLE, Flow, FlowMeter, buys_up
from dailyarb.core.pricing.lead import Comovement

WATCHED = (StrategyId.S4, StrategyId.S6, StrategyId.X1)
FRESH_NS = 2 * SECOND  # a quote older than this is no sample of its second
LAGS_MAX = 3
TAPE_CAPACITY = 512
_SILENT = FlowMeter(2).read(0)


class _Onset:
    """Is since when the 5 s imbalance has been beyond the threshold on one side."""

    __slots__ = ("above", "since_ns")

    def __init__(self) -> None:
        self.since_ns = 0
        self.above = 0

    def note(self, now_ns: int, share: float, threshold: float) -> None:
        side = 0 if abs(share) < threshold else 1 if share > 0 else -1
        if side != self.above:
            self.above, self.since_ns = side, now_ns


class Watch:
    """Keeps the measures of the strategies that ask for some.

    Args:
        settings: their parameters, and the priors of [assets].
        enabled: the strategies that are built.
    """

    def __init__(self, settings: Settings, enabled: Collection[StrategyId]) -> None:
        own = settings.strategies
        self._threshold = own.S6.min_imbalance
        self._flows = StrategyId.S6 in enabled
        self._binance = {name: FlowMeter() for name in settings.assets if self._flows}
        self._onsets = {name: _Onset() for name in self._binance}
        self._tapes: dict[str, FlowMeter] = {}
        self._leader = own.X1.leader if StrategyId.X1 in enabled else ""
        self._followers = {
            name: Comovement(
                own.X1.half_life_s, asset.correlation, asset.vol_ratio, own.X1.prior_s, LAGS_MAX
            )
            for name, asset in settings.assets.items()
            if self._leader in settings.assets and name != self._leader
        }
        self._windows = StrategyId.S4 in enabled
        self._half_life_s = own.S4.half_life_s
        self._pairs: dict[tuple[str, Window, Window], Comovement] = {}
        self._mids: dict[str, tuple[int, int]] = {}  # market -> (second, mid)
        self._quotes: dict[str, tuple[int, int]] = {}  # asset -> (recv_ns, mid_e8)
        self._closed: dict[str, int] = {}  # asset -> mid_e8 when the last second ended
        self._second = 0

    def reference(self, event: ReferenceMoved, mid_e8: int) -> bool:
        """Takes a burst of Binance; says whether a second began, so windows may be sampled."""
        flow = self._binance.get(event.asset)
        if flow is not None and event.trades:
            sells = event.trades - event.buys
            flow.push(event.recv_ns, event.buy_e8, event.sell_e8, event.buys, sells)
            share = flow.read(event.recv_ns)[MIDDLE].share
            self._onsets[event.asset].note(event.recv_ns, share, self._threshold)
        began = event.recv_ns // SECOND > self._second
        if began:
            self._second = event.recv_ns // SECOND
            self._sample(event.recv_ns)
        self._quotes[event.asset] = (event.recv_ns, mid_e8)
        return began and self._windows

    def _sample(self, now_ns: int) -> None:
        """Compares the last second's returns of the leader and its followers."""
        fresh = {
            name: mid
            for name, (recv_ns, mid) in self._quotes.items()
            if now_ns - recv_ns < FRESH_NS and mid > 0
        }
        before, self._closed = self._closed, fresh
        if self._leader not in before or self._leader not in fresh:
            return
        led = log(fresh[self._leader] / before[self._leader])
        for name, pair in self._followers.items():
            if name in before and name in fresh:
                pair.push(led, log(fresh[name] / before[name]))

    def windows(self, running: Iterable[tuple[str, Window, str, int]]) -> None:
        """Samples the mids of running windows: (asset, window, market, UP mid), one second each."""
        changes: dict[str, list[tuple[Window, int]]] = {}
        mids: dict[str, tuple[int, int]] = {}
        for asset, window, market_id, mid_e4 in running:
            second, before = self._mids.get(market_id, (0, 0))
            mids[market_id] = (self._second, mid_e4)
            if second == self._second - 1:
                changes.setdefault(asset, []).append((window, mid_e4 - before))
        self._mids = mids
        for asset, rows in changes.items():
            rows.sort(key=lambda row: row[0].seconds)
            for i, (short, moved) in enumerate(rows):
                for long, followed in rows[i + 1 :]:
                    self._pair(asset, short, long).push(moved, followed)

    def _pair(self, asset: str, one: Window, other: Window) -> Comovement:
        short, long = sorted((one, other), key=lambda window: window.seconds)
        return self._pairs.setdefault((asset, short, long), Comovement(self._half_life_s))

    def correlation(self, asset: str, one: Window, other: Window) -> float:
        """Returns how two windows of an asset have moved together, 0 before any evidence."""
        return self._pair(asset, one, other).correlation

    def traded(self, event: Traded, now_ns: int) -> None:
        """Takes a print of a market's tape."""
        if not self._flows:
            return
        tape = self._tapes.setdefault(event.market_id, FlowMeter(TAPE_CAPACITY))
        up = buys_up(event.outcome, event.side)
        tape.push(now_ns, event.size_e6 * up, event.size_e6 * (not up), int(up), int(not up))

    def flow(self, asset: str, market_id: str, now_ns: int) -> Flow:
        """Returns the flow of an asset on Binance and of a market's tape."""
        tape, onset = self._tapes.get(market_id), self._onsets[asset]
        return Flow(
            self._binance[asset].read(now_ns),
            _SILENT if tape is None else tape.read(now_ns),
            now_ns - onset.since_ns,
        )

    def follower(self, asset: str) -> Comovement | None:
        """Returns how an asset follows the leader, None for the leader and without one."""
        return self._followers.get(asset)

    @property
    def leader(self) -> str:
        """Returns the asset that leads, "" where nobody asks."""
        return self._leader if self._followers else ""

    def forget(self, market_id: str) -> None:
        """Drops what belongs to a finished market."""
        self._tapes.pop(market_id, None)


def build_watch(settings: Settings, enabled: Collection[StrategyId]) -> Watch | None:
    """Returns the measures that the enabled strategies ask for, None where none does."""
    return Watch(settings, enabled) if any(name in WATCHED for name in enabled) else None
