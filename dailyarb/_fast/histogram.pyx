# cython: language_level=3
"""Latency histogram: fixed log-linear buckets, 1 ns to 100 s, at most 1.6 % from the truth."""

import struct

from libc.math cimport ceil
from libc.string cimport memset

cdef extern from *:
    """
    static inline int dailyarb_bit_length(unsigned long long number) {
        return number ? 64 - __builtin_clzll(number) : 0;
    }
    """
    int dailyarb_bit_length(unsigned long long number) noexcept nogil

cdef int64_t LONGEST_NS = 100_000_000_000
HEAD = struct.Struct("<4sIQQqd")
PAIR = struct.Struct("<IQ")
MAGIC = b"LH01"


cdef inline int _bucket(int64_t ns) noexcept nogil:
    """Returns the bucket of a time of 0 to LONGEST_NS; the result is below BUCKETS."""
    cdef int shift
    if ns < SUBS:
        return <int>ns
    shift = dailyarb_bit_length(<unsigned long long>ns) - SUB_BITS - 1
    return (shift + 1) * SUBS + <int>((ns >> shift) - SUBS)


cdef inline int64_t _middle(int bucket) noexcept nogil:
    """Returns the time a bucket speaks as."""
    cdef int shift
    if bucket < SUBS:
        return bucket
    shift = (bucket >> SUB_BITS) - 1
    return ((<int64_t>(SUBS + (bucket & (SUBS - 1)))) << shift) + ((<int64_t>1 << shift) >> 1)


cdef class LatencyHistogram:
    """Counts times in fixed log-linear buckets; 8.4 kB, no allocation after birth."""

    def __init__(self) -> None:
        self.clear()

    def record(self, ns: int) -> None:
        """Counts one time in nanoseconds; below 0 is 0, above 100 s is 100 s and in `over`.

        Raises:
            OverflowError: the time does not fit 64 bits.
        """
        self.record_c(ns)

    def percentile(self, q: float) -> int:
        """Returns the time in ns that `q` percent of all times do not exceed (nearest rank).

        Args:
            q: 0 to 100. 100 gives the exact maximum, an empty histogram gives 0.

        Raises:
            ValueError: q is outside 0 to 100.
        """
        if not 0.0 <= q <= 100.0:
            raise ValueError(f"percentile {q}, allowed 0 to 100")
        return self.percentile_c(q)

    def snapshot(self) -> tuple[int, int, int, int, int, int]:
        """Returns (count, p50, p90, p99, p99.9, max), times in ns."""
        return (
            self.count,
            self.percentile_c(50.0),
            self.percentile_c(90.0),
            self.percentile_c(99.0),
            self.percentile_c(99.9),
            self.max,
        )

    def counts_within(self, bounds: tuple[int, ...]) -> tuple[int, ...]:
        """Returns how many times each bound covers, and last how many there are.

        A bucket counts where its middle lies, so each number is as exact as a percentile.

        Args:
            bounds: times in ns, ascending.
        """
        cdef uint64_t seen = 0
        cdef int i = 0
        out = []
        for bound in bounds:
            while i < BUCKETS and _middle(i) <= <int64_t>bound:
                seen += self.buckets[i]
                i += 1
            out.append(seen)
        return (*out, self.count)

    def merge(self, LatencyHistogram other not None) -> None:
        """Adds the counts of another histogram."""
        cdef int i
        for i in range(BUCKETS):
            self.buckets[i] += other.buckets[i]
        self.count += other.count
        self.over += other.over
        self.sum_ns += other.sum_ns
        if other.max > self.max:
            self.max = other.max

    def clear(self) -> None:
        """Forgets every count."""
        memset(self.buckets, 0, sizeof(self.buckets))
        self.count = self.over = 0
        self.max = 0
        self.sum_ns = 0.0

    def to_bytes(self) -> bytes:
        """Returns the histogram as bytes: a head, then the buckets in use."""
        used = [(i, self.buckets[i]) for i in range(BUCKETS) if self.buckets[i]]
        head = HEAD.pack(MAGIC, len(used), self.count, self.over, self.max, self.sum_ns)
        return head + b"".join([PAIR.pack(i, n) for i, n in used])

    @staticmethod
    def from_bytes(blob: bytes) -> LatencyHistogram:
        """Returns the histogram that `to_bytes` wrote.

        Raises:
            ValueError: the bytes are not such a histogram, or contradict themselves.
        """
        cdef LatencyHistogram out = LatencyHistogram()
        cdef uint64_t seen = 0
        if len(blob) < HEAD.size:
            raise ValueError("a histogram of too few bytes")
        magic, used, count, over, longest, total = HEAD.unpack_from(blob)
        if magic != MAGIC or used > BUCKETS or len(blob) != HEAD.size + used * PAIR.size:
            raise ValueError("not a histogram")
        if not 0 <= longest or not total >= 0.0:
            raise ValueError("a histogram with negative times")
        for i, n in PAIR.iter_unpack(blob[HEAD.size :]):
            if i >= BUCKETS or out.buckets[<int>i]:
                raise ValueError("a histogram with a foreign bucket")
            out.buckets[<int>i] = n
            seen += n
        if seen != count or over > count:
            raise ValueError("a histogram whose counts do not add up")
        out.count, out.over, out.max, out.sum_ns = count, over, longest, total
        return out

    cdef void record_c(self, int64_t ns) noexcept nogil:
        if ns < 0:
            ns = 0
        if ns > self.max:
            self.max = ns
        self.sum_ns += <double>ns
        self.count += 1
        if ns > LONGEST_NS:
            self.over += 1
            ns = LONGEST_NS
        self.buckets[_bucket(ns)] += 1

    cdef int64_t percentile_c(self, double q) noexcept nogil:
        cdef uint64_t rank, seen = 0
        cdef int64_t middle
        cdef int i
        if self.count == 0:
            return 0
        rank = <uint64_t>ceil(q / 100.0 * <double>self.count)
        if rank < 1:
            rank = 1
        if rank >= self.count:
            return self.max
        for i in range(BUCKETS):
            seen += self.buckets[i]
            if seen >= rank:
                middle = _middle(i)
                return middle if middle < self.max else self.max
        return self.max
