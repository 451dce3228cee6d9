"""What every redundant feed has in common: the pool's actions on real sockets, and its health."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import msgspec

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb._fast.ring import Ring
from dailyarb.core.domain.events import Event, FeedState, FeedStatus
from dailyarb.core.domain.ids import FeedId
from dailyarb.runtime.clock import BootClock, boot_ns
from dailyarb.venues.pool import Action, Degrade, Dial, Drop, Pool, PoolSettings, TokenBucket

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000
LOOK_S = 0.2


def dial_budget() -> TokenBucket:
    """Returns how often a process may try to connect: Binance allows 300 attempts in 5 minutes."""
    return TokenBucket(300, 300 * SECOND_NS)


class FeedContext(msgspec.Struct, frozen=True):
    """Is what every feed is given.

    emit takes each event; failed takes a fault of our own that must not be swallowed; rng is the
    source of all jitter; dials bounds the attempts to connect of all feeds together. ring, when
    given, takes a copy of each frame of a price.
    """

    clock: BootClock
    emit: Callable[[Event], None]
    failed: Callable[[BaseException], None]
    rng: random.Random
    ring: Ring | None = None
    dials: TokenBucket = msgspec.field(default_factory=dial_budget)


class Totals(msgspec.Struct, frozen=True, gc=False):
    """Is what the open connections of a feed have received, and when content last came."""

    frames: int = 0
    octets: int = 0
    faults: int = 0
    content_ns: int = 0


class PooledFeed(ABC):
    """Keeps the connections of one feed as its pool decides, and reports its health.

    Subclasses run a connection in `_connect`: it calls `_opened`, returns when the connection is
    over, and closes the socket when it is cancelled.

    Args:
        feed: its name.
        context: clock, callbacks, jitter.
        urls: addresses; connections spread over them.
        settings: the pool's bounds.
        max_age_ms: age of content up to which the feed counts as fresh.
    """

    def __init__(
        self,
        feed: FeedId,
        context: FeedContext,
        urls: Sequence[str],
        settings: PoolSettings,
        max_age_ms: int,
    ) -> None:
        self.feed = feed
        self.context = context
        self.urls = tuple(urls)
        self.pool = Pool(settings, len(self.urls), context.rng, context.dials)
        self.max_age_ms = max_age_ms
        self.gaps = 0
        self.resyncs = 0
        self.detail = ""
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self._ever_open = False
        self._alive = 0
        self._was = (FeedStatus.CONNECTING, 0, "")
        self._gone = Totals()  # of connections that ended
        self._before = (0, 0, 0)  # frames, bytes and time of the last second

    @abstractmethod
    async def _connect(self, conn: int, url: str) -> float:
        """Runs one connection to its end; returns how long to wait before the next, in seconds.

        Raises:
            OSError: it could not be opened, or broke.
        """

    @abstractmethod
    def _totals(self) -> Totals:
        """Returns the sums over the open connections."""

    def _lags(self) -> LatencyHistogram:
        """Returns the lag of receipt behind the venue's stamps; empty where it sends none."""
        return LatencyHistogram()

    @abstractmethod
    def _all_lost(self) -> None:
        """Takes that the last open connection ended."""

    def _witness(self) -> None:
        """Asks another source; by default nobody can be asked."""
        self._act(self.pool.witness(None, boot_ns()))

    @abstractmethod
    def _chores(self, now_ns: int) -> None:
        """Does what is due once a second."""

    def start(self) -> None:
        """Starts to connect."""
        self._running = True
        self._before = (0, 0, boot_ns())
        self.step()

    async def close(self) -> None:
        """Drops every connection and waits for their tasks."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def step(self) -> None:
        """Lets the pool decide now; called on every change and when its deadline comes."""
        if not self._running:
            return
        now_ns = boot_ns()
        self._act(self.pool.step(now_ns))
        if self._timer is not None:
            self._timer.cancel()
        due_ns = self.pool.next_deadline(boot_ns())
        # Content is looked up, not reported frame by frame, so the pool is asked often.
        wait_s = min(LOOK_S, max(0.001, (due_ns - now_ns) / SECOND_NS))
        self._timer = asyncio.get_running_loop().call_later(wait_s, self.step)
        self._report(force=False)

    def second(self) -> None:
        """Does the chores of once a second and reports the feed's state; the shell calls it."""
        self._chores(boot_ns())
        self.step()
        self._report(force=True)

    def state(self) -> FeedState:
        """Returns the feed's health as of now.

        rate_hz is per connection, bytes_hz of all together, both since the last `second`.
        """
        now_ns = boot_ns()
        totals = self._sums()
        frames, octets, since_ns = self._before
        seconds = max(1e-3, (now_ns - since_ns) / SECOND_NS)
        lags = self._lags()
        status, alive, detail = self._standing(totals, now_ns)
        return FeedState(
            feed=self.feed,
            status=status,
            connections=alive,
            wanted=self.pool.wanted,
            age_ms=max(0, (now_ns - totals.content_ns) // MS_NS) if totals.content_ns else -1,
            rate_hz=max(0, totals.frames - frames) / seconds / max(1, alive),
            bytes_hz=max(0, totals.octets - octets) / seconds,
            lag_p50_ms=lags.percentile(50) / MS_NS if lags.count else 0.0,
            lag_p99_ms=lags.percentile(99) / MS_NS if lags.count else 0.0,
            gaps=self.gaps,
            resyncs=self.resyncs,
            reconnects=self.pool.reconnects,
            faults=totals.faults,
            frames=totals.frames,
            detail=detail,
        )

    def _act(self, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, Dial):
                loop = asyncio.get_running_loop()
                name = f"{self.feed.value}-{action.conn}"
                task = loop.create_task(self._run(action.conn, action.endpoint), name=name)
                task.add_done_callback(self._finished)
                self._tasks[action.conn] = task
            elif isinstance(action, Drop):
                self.detail = action.why
                dropped = self._tasks.pop(action.conn, None)
                if dropped is not None:
                    dropped.cancel()
            elif isinstance(action, Degrade):
                self.detail = f"found wrong {action.suspicions} times"
            else:
                self._witness()
        self._watch_loss()

    def _finished(self, task: asyncio.Task[None]) -> None:
        """Reports what a connection's task should never have raised."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.context.failed(error)

    def _watch_loss(self) -> None:
        """Notices the moment at which no connection is open any more."""
        alive = self.pool.alive
        lost = self._alive > 0 and alive == 0
        self._alive = alive
        if lost and self._running:
            self._all_lost()

    async def _run(self, conn: int, endpoint: int) -> None:
        """Runs one connection; whatever ends it, the pool hears of it in the same loop run."""
        wait_s = 0.0
        try:
            wait_s = await self._connect(conn, self.urls[endpoint])
        except OSError as error:
            self.detail = f"{type(error).__name__}: {error}"[:200]
        finally:
            self._tasks.pop(conn, None)
            self._ended(conn, wait_s)

    def _opened(self, conn: int) -> None:
        """Takes that a connection is open."""
        self._ever_open = True
        self.pool.opened(conn, boot_ns())
        self._alive = self.pool.alive
        self.step()

    def _ended(self, conn: int, wait_s: float = 0.0) -> None:
        """Takes that a connection is over; the replacement is dialled in this run."""
        self.pool.lost(conn, boot_ns(), wait_s)
        self._watch_loss()
        self.step()

    def _keep(self, frames: int, octets: int, faults: int, content_ns: int) -> None:
        """Adds the counts of a connection that ended to the feed's sums."""
        gone = self._gone
        self._gone = Totals(
            gone.frames + frames,
            gone.octets + octets,
            gone.faults + faults,
            max(gone.content_ns, content_ns),
        )

    def _sums(self) -> Totals:
        now, gone = self._totals(), self._gone
        return Totals(
            now.frames + gone.frames,
            now.octets + gone.octets,
            now.faults + gone.faults,
            max(now.content_ns, gone.content_ns),
        )

    def _standing(self, totals: Totals, now_ns: int) -> tuple[FeedStatus, int, str]:
        alive = self.pool.alive
        if not alive:
            status = FeedStatus.DOWN if self._ever_open else FeedStatus.CONNECTING
        elif totals.content_ns and now_ns - totals.content_ns <= self.max_age_ms * MS_NS:
            status = FeedStatus.FRESH
        else:
            status = FeedStatus.STALE if totals.content_ns else FeedStatus.CONNECTING
        return status, alive, self.detail

    def _report(self, force: bool) -> None:
        standing = self._standing(self._sums(), boot_ns())
        if not force and standing[:2] == self._was[:2]:
            return
        self._was = standing
        state = self.state()
        if force:
            totals = self._sums()
            self._before = (totals.frames, totals.octets, boot_ns())
        self.context.emit(state)
