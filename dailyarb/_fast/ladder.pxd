"""One market's book. `Ladder.core` is what the router writes and the board reads.

Everything in C is in UP coordinates unless a function takes an outcome (0 UP, 1 DOWN); sides are
0 BUY (bids) and 1 SELL (asks). An absent bid is 0 with size 0, an absent ask 10,000 with size 0.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t


cdef extern from "ladder.hpp" namespace "dailyarb" nogil:
    enum Applied:
        APPLIED_LATE
        APPLIED_SAME
        APPLIED_CHANGED
        APPLIED_OFF_GRID

    cppclass LadderTop:
        int32_t bid_e4
        int32_t ask_e4
        int64_t bid_size_e6
        int64_t ask_size_e6

    cppclass LadderCore:
        LadderCore(int tick_e4) except +
        @staticmethod
        bint tick_known(int tick_e4)
        void clear()
        void set_tick(int tick_e4)
        Applied apply(int outcome, int side, int price_e4, int64_t size_e6, int64_t stamp_ms)
        void begin_book(int64_t stamp_ms)
        Applied book_level(int outcome, int side, int price_e4, int64_t size_e6)
        bint end_book()
        bint trim(int bid_e4, int ask_e4, int64_t stamp_ms)
        LadderTop top_of(int outcome)
        bint crossed()
        int levels_count()
        uint64_t total(int outcome, int side)
        uint64_t depth(int outcome, int side, int price_e4)
        int64_t sweep_halves(int outcome, int taken, int64_t size_e6, int limit_e4,
                             uint64_t& high, uint64_t& low)
        int copy_levels(int outcome, int side, int most, int32_t* price_e4, int64_t* size_e6)
        int tick_e4
        uint32_t epoch
        bint synced
        bint desynced
        int64_t newest_ms
        uint64_t off_grid
        uint64_t late


cdef class Ladder:
    cdef LadderCore* core
    cdef int book_outcome
    cdef bint book_open

    cdef list _all_levels(self, int outcome, int side, int n)
