# cython: language_level=3
"""Rolling statistics over a window of time: O(1) amortised per event, memory fixed at birth."""

from libc.math cimport exp, fabs, isfinite, log, sqrt

cdef int64_t TIME_MAX = <int64_t>1 << 62
cdef int64_t VALUE_MAX = <int64_t>1 << 62
cdef double LN_2 = 0.6931471805599453
cdef double NS_PER_S = 1e9


cdef uint64_t _power_of_two(object capacity) except 0:
    """Returns the power of two at or above `capacity`, which must be 2 to 2**24."""
    if not 2 <= capacity <= 1 << 24:
        raise ValueError(f"capacity is {capacity}, allowed 2 to {1 << 24}")
    return 1 << (int(capacity) - 1).bit_length()


cdef int64_t _span(str name, object span) except -1:
    """Returns a span of time in ns, which must be 1 to 2**61."""
    if not 1 <= span <= 1 << 61:
        raise ValueError(f"{name} is {span}, allowed 1 to {1 << 61}")
    return span


cdef class RollingMove:
    """Is the move of a value over a window of time, and its extremes inside it.

    The value in force when the window began belongs to it: the move is the newest value less
    the last one at or before `now - window_ns`, or less the oldest one kept when none is so old.

    Args:
        window_ns: length of the window, 1 to 2**61 ns.
        capacity: events kept, rounded up to a power of two; more in one window push out the
            oldest and count in `overrun`.
    """

    def __init__(self, window_ns: int, capacity: int = 4096) -> None:
        self.window_ns = _span("window_ns", window_ns)
        cdef uint64_t size = _power_of_two(capacity)
        self.mask = size - 1
        self.times.assign(size, 0)
        self.values.assign(size, 0)
        self.lows.assign(size, 0)
        self.highs.assign(size, 0)
        self.clear()

    @property
    def count(self) -> int:
        """Returns how many values are kept: those in the window and the one in force before."""
        return self.end - self.first

    def push(self, t_ns: int, value: int) -> None:
        """Takes the value in force from `t_ns` on.

        Raises:
            ValueError: the time is outside 0 to 2**62, or the value outside +-2**62.
        """
        if self.push_c(t_ns, value) < 0:
            raise ValueError(f"t_ns {t_ns} or value {value} is out of range")

    def advance(self, now_ns: int) -> None:
        """Moves the window on to `now_ns`; raises ValueError outside 0 to 2**62."""
        if self.advance_c(now_ns) < 0:
            raise ValueError(f"now_ns {now_ns} is out of range")

    def move(self) -> tuple[int, int]:
        """Returns (newest value - value at the window's start, that value's t_ns), or (0, 0)."""
        if self.end == self.first:
            return 0, 0
        return self.delta_c(), self.times[self.first & self.mask]

    def extremes(self) -> tuple[int, int]:
        """Returns (lowest, highest) value in force inside the window, or (0, 0)."""
        if self.end == self.first:
            return 0, 0
        return (
            self.values[self.lows[self.low_head & self.mask] & self.mask],
            self.values[self.highs[self.high_head & self.mask] & self.mask],
        )

    def clear(self) -> None:
        """Forgets every event and count."""
        self.first = self.end = 0
        self.low_head = self.low_tail = self.high_head = self.high_tail = 0
        self.newest_ns = 0
        self.late = self.overrun = 0

    cdef int push_c(self, int64_t t_ns, int64_t value) noexcept nogil:
        cdef uint64_t mask = self.mask
        if t_ns < 0 or t_ns > TIME_MAX or value > VALUE_MAX or value < -VALUE_MAX:
            return -1
        if t_ns < self.newest_ns:
            t_ns = self.newest_ns
            self.late += 1
        self._trim(t_ns)
        if self.end - self.first > mask:
            self.first += 1
            self.overrun += 1
            self._drop_heads()
        self.times[self.end & mask] = t_ns
        self.values[self.end & mask] = value
        while (self.low_tail != self.low_head
               and self.values[self.lows[(self.low_tail - 1) & mask] & mask] >= value):
            self.low_tail -= 1
        while (self.high_tail != self.high_head
               and self.values[self.highs[(self.high_tail - 1) & mask] & mask] <= value):
            self.high_tail -= 1
        self.lows[self.low_tail & mask] = self.end
        self.highs[self.high_tail & mask] = self.end
        self.low_tail += 1
        self.high_tail += 1
        self.end += 1
        self._trim(t_ns)
        return 0

    cdef int advance_c(self, int64_t now_ns) noexcept nogil:
        if now_ns < 0 or now_ns > TIME_MAX:
            return -1
        self._trim(now_ns)
        return 0

    cdef int64_t delta_c(self) noexcept nogil:
        if self.end == self.first:
            return 0
        return self.values[(self.end - 1) & self.mask] - self.values[self.first & self.mask]

    cdef void _trim(self, int64_t now_ns) noexcept nogil:
        """Drops values that ceased to be in force at or before the window's start."""
        cdef int64_t start = now_ns - self.window_ns
        cdef uint64_t first = self.first
        if now_ns > self.newest_ns:
            self.newest_ns = now_ns
        while first + 1 < self.end and self.times[(first + 1) & self.mask] <= start:
            first += 1
        if first != self.first:
            self.first = first
            self._drop_heads()

    cdef void _drop_heads(self) noexcept nogil:
        while self.low_head != self.low_tail and self.lows[self.low_head & self.mask] < self.first:
            self.low_head += 1
        while (self.high_head != self.high_tail
               and self.highs[self.high_head & self.mask] < self.first):
            self.high_head += 1


cdef class RollingVol:
    """Is the realised volatility over a window, per root second.

    Values are sampled at the multiples of `sample_ns` (previous tick: the last value at or before
    each), which keeps bid-ask bounce and bursts of ticks from counting as volatility:
    sigma = sqrt(sum of squared log returns / (returns x sample seconds)). A silence longer than
    the window is no evidence of calm: the returns are forgotten and `resets` counts it.

    Args:
        window_ns: length of the window, at least 2 samples.
        sample_ns: step of the grid.
        capacity: the most returns a window may hold; ValueError if it needs more.
    """

    def __init__(self, window_ns: int, sample_ns: int, capacity: int = 4096) -> None:
        self.window_ns = _span("window_ns", window_ns)
        self.sample_ns = _span("sample_ns", sample_ns)
        returns = window_ns // sample_ns
        if not 2 <= returns <= capacity:
            raise ValueError(f"a window of {returns} samples, allowed 2 to {capacity}")
        self.size = returns
        self.squares.assign(self.size, 0.0)
        self.clear()

    @property
    def count(self) -> int:
        """Returns how many returns stand behind `sigma`."""
        return self.used

    def push(self, t_ns: int, value: float) -> None:
        """Takes the value in force from `t_ns` on.

        Raises:
            ValueError: the time is outside 0 to 2**62, or the value is not finite and positive.
        """
        if self.push_c(t_ns, value) < 0:
            raise ValueError(f"t_ns {t_ns} or value {value} is out of range")

    def advance(self, now_ns: int) -> None:
        """Samples the grid up to `now_ns`, exclusive; raises ValueError outside 0 to 2**62."""
        if self.advance_c(now_ns) < 0:
            raise ValueError(f"now_ns {now_ns} is out of range")

    def sigma(self) -> float:
        """Returns the volatility per root second, 0.0 while there is no return."""
        return self.sigma_c()

    def clear(self) -> None:
        """Forgets every event and count."""
        self.used = self.next_slot = self.late = self.resets = 0
        self.newest_ns = -1
        self.grid_ns = 0
        self.last = self.sampled = 0.0
        self.total = self.correction = 0.0

    cdef int push_c(self, int64_t t_ns, double value) noexcept nogil:
        if t_ns < 0 or t_ns > TIME_MAX or not isfinite(value) or value <= 0.0:
            return -1
        if t_ns < self.newest_ns:
            t_ns = self.newest_ns
            self.late += 1
        if self.newest_ns < 0:
            self.grid_ns = (t_ns + self.sample_ns - 1) // self.sample_ns * self.sample_ns
        else:
            self._close_grid(t_ns)
        self.newest_ns = t_ns
        self.last = value
        return 0

    cdef int advance_c(self, int64_t now_ns) noexcept nogil:
        if now_ns < 0 or now_ns > TIME_MAX:
            return -1
        if self.newest_ns >= 0 and now_ns > self.newest_ns:
            self._close_grid(now_ns)
            self.newest_ns = now_ns
        return 0

    cdef double sigma_c(self) noexcept nogil:
        cdef double total = self.total + self.correction
        if self.used == 0 or total <= 0.0:
            return 0.0
        return sqrt(total / (<double>self.used * (<double>self.sample_ns / NS_PER_S)))

    cdef void _close_grid(self, int64_t now_ns) noexcept nogil:
        """Samples every grid instant before `now_ns` with the value then in force."""
        cdef int64_t steps
        if self.grid_ns >= now_ns:
            return
        steps = (now_ns - 1 - self.grid_ns) // self.sample_ns + 1
        if <uint64_t>steps > self.size + 1:
            self.used = self.next_slot = 0
            self.total = self.correction = 0.0
            self.sampled = self.last
            self.grid_ns += steps * self.sample_ns
            self.resets += 1
            return
        while steps > 0:
            if self.sampled > 0.0:
                self._keep(log(self.last / self.sampled))
            self.sampled = self.last
            self.grid_ns += self.sample_ns
            steps -= 1

    cdef void _keep(self, double change) noexcept nogil:
        cdef double square = change * change
        cdef uint64_t i
        if self.used == self.size:
            self._add(-self.squares[self.next_slot])
        else:
            self.used += 1
        self.squares[self.next_slot] = square
        self._add(square)
        self.next_slot += 1
        if self.next_slot == self.size:
            self.next_slot = 0
            # Once a lap the sum is taken anew, so that rounding never piles up.
            self.total = self.correction = 0.0
            for i in range(self.size):
                self._add(self.squares[i])

    cdef void _add(self, double number) noexcept nogil:
        """Adds with Neumaier's compensation: a large return leaves nothing behind."""
        cdef double total = self.total + number
        if fabs(self.total) >= fabs(number):
            self.correction += (self.total - total) + number
        else:
            self.correction += (number - total) + self.total
        self.total = total


cdef class EwmaVol:
    """Is the volatility per root second with weights that halve every `half_life_ns`.

    sigma = sqrt(sum w r^2 / sum w dt), w = 2^(-age / half_life), r the log return between
    successive events and dt the seconds between them.

    Args:
        half_life_ns: age at which a return weighs one half.
        sample_ns: events closer than this to the last one used are passed over, so that bid-ask
            bounce does not count; 0 uses all.
        prior: volatility believed before the first return, >= 0.
        prior_s: seconds that this belief weighs; it fades like they would.
    """

    def __init__(
        self, half_life_ns: int, sample_ns: int = 0, prior: float = 0.0, prior_s: float = 0.0
    ) -> None:
        self.half_life_ns = _span("half_life_ns", half_life_ns)
        self.sample_ns = _span("sample_ns", sample_ns) if sample_ns else 0
        if not (isfinite(prior) and isfinite(prior_s) and prior >= 0.0 and prior_s >= 0.0):
            raise ValueError(f"prior {prior} or prior_s {prior_s} is out of range")
        self.prior = prior
        self.prior_s = prior_s
        self.clear()

    def push(self, t_ns: int, value: float) -> None:
        """Takes the value in force from `t_ns` on.

        Raises:
            ValueError: the time is outside 0 to 2**62, or the value is not finite and positive.
        """
        if self.push_c(t_ns, value) < 0:
            raise ValueError(f"t_ns {t_ns} or value {value} is out of range")

    def sigma(self) -> float:
        """Returns the volatility per root second, 0.0 while no time has passed."""
        return self.sigma_c()

    def clear(self) -> None:
        """Forgets every event and count."""
        self.begun = False
        self.late = self.count = 0
        self.newest_ns = 0
        self.last = 0.0
        self.squares, self.seconds = self.prior * self.prior * self.prior_s, self.prior_s

    cdef int push_c(self, int64_t t_ns, double value) noexcept nogil:
        cdef double change, kept, age
        if t_ns < 0 or t_ns > TIME_MAX or not isfinite(value) or value <= 0.0:
            return -1
        if not self.begun:
            self.begun = True
        else:
            if t_ns < self.newest_ns:
                t_ns = self.newest_ns
                self.late += 1
            if t_ns - self.newest_ns < self.sample_ns:
                return 0
            age = <double>(t_ns - self.newest_ns)
            kept = exp(-LN_2 * age / <double>self.half_life_ns)
            change = log(value / self.last)
            self.squares = self.squares * kept + change * change
            self.seconds = self.seconds * kept + age / NS_PER_S
            self.count += 1
        self.newest_ns = t_ns
        self.last = value
        return 0

    cdef double sigma_c(self) noexcept nogil:
        return sqrt(self.squares / self.seconds) if self.seconds > 0.0 else 0.0


cdef class FlowSum:
    """Is the size bought and sold by takers over the window (now - window_ns, now].

    Args:
        window_ns: length of the window, 1 to 2**61 ns.
        capacity: trades kept, rounded up to a power of two; more in one window push out the
            oldest and count in `overrun`. It also bounds one size to 2**62 / capacity, so that
            the sums cannot overflow.
    """

    def __init__(self, window_ns: int, capacity: int = 4096) -> None:
        self.window_ns = _span("window_ns", window_ns)
        cdef uint64_t size = _power_of_two(capacity)
        self.mask = size - 1
        self.size_max = VALUE_MAX // <int64_t>size
        self.times.assign(size, 0)
        self.sizes.assign(size, 0)
        self.clear()

    @property
    def count(self) -> int:
        """Returns how many trades are in the window."""
        return self.end - self.first

    @property
    def imbalance(self) -> float:
        """Returns (buy - sell) / (buy + sell), -1.0 to 1.0, 0.0 for an empty window."""
        return self.imbalance_c()

    def push(self, t_ns: int, signed_size: int) -> None:
        """Takes one trade: positive when the taker bought, negative when the taker sold.

        Raises:
            ValueError: the time is outside 0 to 2**62, or the size outside +-2**62 / capacity.
        """
        if self.push_c(t_ns, signed_size) < 0:
            raise ValueError(f"t_ns {t_ns} or signed_size {signed_size} is out of range")

    def advance(self, now_ns: int) -> None:
        """Moves the window on to `now_ns`; raises ValueError outside 0 to 2**62."""
        if self.advance_c(now_ns) < 0:
            raise ValueError(f"now_ns {now_ns} is out of range")

    def clear(self) -> None:
        """Forgets every trade and count."""
        self.first = self.end = self.late = self.overrun = 0
        self.buy = self.sell = 0
        self.newest_ns = 0

    cdef int push_c(self, int64_t t_ns, int64_t signed_size) noexcept nogil:
        if t_ns < 0 or t_ns > TIME_MAX:
            return -1
        if signed_size > self.size_max or signed_size < -self.size_max:
            return -1
        if t_ns < self.newest_ns:
            t_ns = self.newest_ns
            self.late += 1
        self._trim(t_ns)
        if self.end - self.first > self.mask:
            self._drop()
            self.overrun += 1
        self.times[self.end & self.mask] = t_ns
        self.sizes[self.end & self.mask] = signed_size
        self.end += 1
        if signed_size >= 0:
            self.buy += signed_size
        else:
            self.sell -= signed_size
        return 0

    cdef int advance_c(self, int64_t now_ns) noexcept nogil:
        if now_ns < 0 or now_ns > TIME_MAX:
            return -1
        self._trim(now_ns)
        return 0

    cdef double imbalance_c(self) noexcept nogil:
        cdef double both = <double>self.buy + <double>self.sell
        return (<double>self.buy - <double>self.sell) / both if both > 0.0 else 0.0

    cdef void _trim(self, int64_t now_ns) noexcept nogil:
        cdef int64_t start = now_ns - self.window_ns
        if now_ns > self.newest_ns:
            self.newest_ns = now_ns
        while self.first != self.end and self.times[self.first & self.mask] <= start:
            self._drop()

    cdef void _drop(self) noexcept nogil:
        cdef int64_t size = self.sizes[self.first & self.mask]
        if size >= 0:
            self.buy -= size
        else:
            self.sell += size
        self.first += 1
