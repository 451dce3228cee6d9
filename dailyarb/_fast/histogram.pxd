"""Latency histogram: fixed log-linear buckets, 1 ns to 100 s, at most 1.6 % from the truth.

Below 32 ns each bucket is one nanosecond; above, every doubling is cut into 32 equal buckets,
and a bucket speaks as its middle. `record_c` needs no GIL and never fails: what is below 0
counts as 0, what is above 100 s counts in the last bucket and in `over`.
"""

from libc.stdint cimport int64_t, uint64_t

cdef enum:
    SUB_BITS = 5
    SUBS = 32
    BUCKETS = 1056  # 32 single ones, then 32 for each of the 32 doublings up to 2**37


cdef class LatencyHistogram:
    cdef readonly uint64_t count, over
    cdef readonly int64_t max
    cdef readonly double sum_ns
    cdef uint64_t buckets[BUCKETS]

    cdef void record_c(self, int64_t ns) noexcept nogil
    cdef int64_t percentile_c(self, double q) noexcept nogil
