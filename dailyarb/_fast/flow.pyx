# cython: language_level=3
"""Order flow over several windows of time at once: O(1) amortised per event."""

cdef int64_t TIME_MAX = <int64_t>1 << 62
cdef int64_t SUM_MAX = <int64_t>1 << 62
BANDS_MAX = 8


cdef class FlowWindows:
    """Sums what aggressors bought and sold over each window (now - window_ns, now].

    Args:
        windows_ns: one to eight lengths, each 1 to 2**61 ns.
        capacity: events kept, rounded up to a power of two, 2 to 2**24; more in the longest
            window push out the oldest and count in `overrun`. It also bounds one size or count
            to 2**62 / capacity, so that no sum can overflow.

    Raises:
        ValueError: an argument is outside its range.
    """

    def __init__(self, windows_ns: tuple[int, ...], capacity: int = 4096) -> None:
        cdef FlowBand band
        cdef uint64_t size
        if not 2 <= capacity <= 1 << 24:
            raise ValueError(f"capacity is {capacity}, allowed 2 to {1 << 24}")
        if not 1 <= len(windows_ns) <= BANDS_MAX:
            raise ValueError(f"{len(windows_ns)} windows, allowed 1 to {BANDS_MAX}")
        size = 1 << (int(capacity) - 1).bit_length()
        self.mask = size - 1
        self.size_max = SUM_MAX // <int64_t>size
        self.events.resize(size)
        self.bands.clear()
        for window in windows_ns:
            if not 1 <= window <= 1 << 61:
                raise ValueError(f"a window of {window} ns, allowed 1 to {1 << 61}")
            band.window_ns = window
            band.first = 0
            band.buy = band.sell = band.buys = band.sells = 0
            self.bands.push_back(band)
        self.end = self.overrun = 0
        self.newest_ns = 0

    def push(self, t_ns: int, buy: int, sell: int, buys: int, sells: int) -> None:
        """Takes what aggressors bought and sold at one moment, in sizes and in trades.

        Raises:
            ValueError: the time is outside 0 to 2**62, or a number outside 0 to 2**62 / capacity.
        """
        cdef FlowEvent* event
        cdef size_t i
        cdef int64_t at = t_ns, bought = buy, sold = sell, up = buys, down = sells
        if at < 0 or at > TIME_MAX:
            raise ValueError(f"t_ns {t_ns} is out of range")
        if min(bought, sold, up, down) < 0 or max(bought, sold, up, down) > self.size_max:
            raise ValueError(f"{buy}, {sell}, {buys} or {sells} is out of range")
        self._trim(at)
        for i in range(self.bands.size()):
            if self.end - self.bands[i].first > self.mask:
                self._drop(&self.bands[i])
                self.overrun += 1
            self.bands[i].buy += bought
            self.bands[i].sell += sold
            self.bands[i].buys += up
            self.bands[i].sells += down
        event = &self.events[self.end & self.mask]
        event.t_ns = self.newest_ns
        event.buy, event.sell, event.buys, event.sells = bought, sold, up, down
        self.end += 1

    def advance(self, now_ns: int) -> None:
        """Moves every window on to `now_ns`; raises ValueError outside 0 to 2**62."""
        cdef int64_t at = now_ns
        if at < 0 or at > TIME_MAX:
            raise ValueError(f"now_ns {now_ns} is out of range")
        self._trim(at)

    def sums(self, band: int) -> tuple[int, int, int, int]:
        """Returns (buy, sell, buys, sells) of one window; raises IndexError beyond the last."""
        if not 0 <= band < <int>self.bands.size():
            raise IndexError(band)
        cdef FlowBand* found = &self.bands[<size_t>band]
        return found.buy, found.sell, found.buys, found.sells

    def imbalance(self, band: int) -> float:
        """Returns (buy - sell) / (buy + sell) of one window, -1.0 to 1.0, 0.0 where empty."""
        if not 0 <= band < <int>self.bands.size():
            raise IndexError(band)
        cdef FlowBand* found = &self.bands[<size_t>band]
        cdef double both = <double>found.buy + <double>found.sell
        return (<double>found.buy - <double>found.sell) / both if both > 0.0 else 0.0

    cdef void _trim(self, int64_t now_ns) noexcept nogil:
        cdef size_t i
        cdef FlowBand* band
        if now_ns > self.newest_ns:
            self.newest_ns = now_ns
        for i in range(self.bands.size()):
            band = &self.bands[i]
            while (band.first != self.end
                   and self.newest_ns - self.events[band.first & self.mask].t_ns
                   >= band.window_ns):
                self._drop(band)

    cdef void _drop(self, FlowBand* band) noexcept nogil:
        cdef FlowEvent* event = &self.events[band.first & self.mask]
        band.buy -= event.buy
        band.sell -= event.sell
        band.buys -= event.buys
        band.sells -= event.sells
        band.first += 1
