"""Binance spot frames to messages: what other kernels may cimport."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libcpp.vector cimport vector


cdef extern from "binance_message.hpp" namespace "dailyarb" nogil:
    enum SpotKind:
        SPOT_IGNORED
        SPOT_QUOTE
        SPOT_TRADE
        SPOT_AGG
        SPOT_DEPTH
        SPOT_SHUTDOWN
        SPOT_RESULT
        SPOT_ERROR

    cppclass Text:
        const char* at
        uint32_t length

    cppclass SpotLevel:
        int64_t price_e8
        int64_t size_e8

    cppclass SpotMessage:
        int kind
        Text symbol
        Text name
        int64_t id
        int64_t first_id
        int64_t last_id
        int64_t bid_e8
        int64_t bid_size_e8
        int64_t ask_e8
        int64_t ask_size_e8
        int64_t price_e8
        int64_t size_e8
        int64_t trade_ns
        int64_t event_ns
        bint maker_bought
        const vector[SpotLevel]* levels


cdef class BinanceDecoder:
    cdef void* core
    cdef SpotMessage message
    cdef readonly size_t frame_bytes_max

    # Returns a fault code (index into FAULT_KINDS), 0 for none; the message is valid until the
    # next call. `size` bytes of frame, `capacity` readable bytes: 64 to spare saves a copy.
    cdef int feed(self, const char* frame, size_t size, size_t capacity) noexcept nogil

    cdef object _as_tuple(self)


cdef str fault_kind(int code)
