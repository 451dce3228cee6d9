"""Market-data sockets: a frame is decoded and applied inside the socket's own callback."""

from collections.abc import Callable

from picows import WSListener

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb._fast.ring import Ring
from dailyarb._fast.router import BookRouter
from dailyarb._fast.spot import SpotRouter

FAULT: int

class FeedListener(WSListener):
    frames: int
    octets: int
    faults: int
    refusals: int
    fragments: int
    errors: int
    bursts: int
    opened_ns: int
    content_ns: int
    pong_ns: int
    offset_ns: int
    decode: LatencyHistogram
    lag: LatencyHistogram
    def __init__(
        self,
        burst: Callable[[int], None],
        opened: Callable[[FeedListener], None],
        closed: Callable[[FeedListener], None],
        failed: Callable[[BaseException], None],
        noticed: Callable[[FeedListener, int], None],
        ring: Ring | None = None,
        tag: int = 0,
        frame_bytes_max: int = 4194304,
    ) -> None: ...
    def send(self, text: bytes) -> None: ...
    def drop(self) -> None: ...
    @property
    def alive(self) -> bool: ...

class MarketListener(FeedListener):
    def __init__(
        self,
        router: BookRouter,
        burst: Callable[[int], None],
        opened: Callable[[FeedListener], None],
        closed: Callable[[FeedListener], None],
        failed: Callable[[BaseException], None],
        noticed: Callable[[FeedListener, int], None],
        ring: Ring | None = None,
        tag: int = 0,
        frame_bytes_max: int = 4194304,
        source: int = -1,
    ) -> None: ...

class SpotListener(FeedListener):
    def __init__(
        self,
        router: SpotRouter,
        burst: Callable[[int], None],
        opened: Callable[[FeedListener], None],
        closed: Callable[[FeedListener], None],
        failed: Callable[[BaseException], None],
        noticed: Callable[[FeedListener, int], None],
        ring: Ring | None = None,
        tag: int = 0,
        frame_bytes_max: int = 4194304,
        micros: bool = False,
    ) -> None: ...
