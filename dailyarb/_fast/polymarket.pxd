"""Market-channel frames to rows: what other kernels may cimport.

`Decoder.feed` takes a borrowed buffer: `size` bytes of frame, `capacity` readable bytes behind
`frame`. With 64 readable bytes to spare no copy is made. It returns a fault code (index into
`FAULT_KINDS`), 0 for none, and appends rows only then.
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t


cdef extern from "polymarket_rows.hpp" namespace "dailyarb" nogil:
    enum RowKind:
        ROW_LEVEL
        ROW_BOOK_BEGIN
        ROW_BOOK_LEVEL
        ROW_BOOK_END
        ROW_TRADE
        ROW_TICK_SIZE
        ROW_TOP
        ROW_RESOLVED
        ROW_NEW_MARKET

    cppclass Row:
        int64_t size_e6
        int64_t stamp_ms
        uint64_t hash64
        int32_t price_e4
        int32_t best_bid_e4
        int32_t best_ask_e4
        int32_t slot
        int32_t market
        int32_t fee_rate_bps
        int32_t group
        int8_t kind
        int8_t outcome
        int8_t side

    cppclass RowBuffer:
        RowBuffer(size_t most) except +
        Row* rows
        size_t length

    cppclass CTokenTable "dailyarb::TokenTable":
        CTokenTable() except +
        int add(const char* at, size_t length, int market, int outcome) except +
        bint remove(const char* at, size_t length) except +
        size_t count()


cdef class TokenTable:
    cdef CTokenTable* core


cdef class Rows:
    cdef RowBuffer* core


cdef class Decoder:
    cdef void* core
    cdef TokenTable tokens
    cdef readonly size_t frame_bytes_max

    cdef int feed(self, const char* frame, size_t size, size_t capacity,
                  RowBuffer* rows) noexcept nogil


cdef str fault_kind(int code)
