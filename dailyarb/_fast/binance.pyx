# distutils: language = c++
"""Binance spot stream frames to messages, on simdjson on-demand.

Raw events and the combined wrapper, keys in any order, unknown keys skipped. Prices and sizes
become integers scaled by 1e8, times nanoseconds by the connection's own unit.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from libcpp.pair cimport pair
from libcpp.string cimport string
from libcpp.vector cimport vector

from dailyarb.core.domain.errors import FrameFault

cdef extern from "binance_decode.hpp" namespace "dailyarb" nogil:
    cppclass SpotDecoder:
        SpotDecoder(bint micros, size_t frame_most, bint scan) except +
        int decode(const char* frame, size_t size, size_t capacity, SpotMessage& message)
        uint64_t frames
        uint64_t faults
        uint64_t ignored
        uint64_t scanned
        uint64_t unknown_more
        vector[pair[string, uint64_t]] unknown_types

# Index = fault code of text.hpp.
FAULT_KINDS = (
    "", "syntax", "type", "missing", "duplicate", "number", "scale", "range", "size", "depth",
)


cdef str fault_kind(int code):
    return FAULT_KINDS[code]


cdef str text_of(Text text):
    return text.at[:text.length].decode("utf-8", "replace") if text.at != NULL else ""


cdef list levels_of(const vector[SpotLevel]* side):
    cdef list out = []
    cdef size_t i
    for i in range(side.size()):
        out.append((side[0][i].price_e8, side[0][i].size_e8))
    return out


cdef class BinanceDecoder:
    """Decodes spot stream frames.

    Args:
        micros: the connection was opened with `timeUnit=MICROSECOND`.
        frame_bytes_max: larger frames are a fault (`size`) and are not read.
        scan: False turns the hand scanner off, so that simdjson alone decides (tests).
    """

    def __cinit__(self, bint micros=False, size_t frame_bytes_max=1 << 20, bint scan=True):
        self.frame_bytes_max = frame_bytes_max
        self.core = new SpotDecoder(micros, frame_bytes_max, scan)

    def __dealloc__(self):
        cdef SpotDecoder* core = <SpotDecoder*>self.core
        del core

    cdef int feed(self, const char* frame, size_t size, size_t capacity) noexcept nogil:
        return (<SpotDecoder*>self.core).decode(frame, size, capacity, self.message)

    def decode(self, frame):
        """Decodes one frame, which is only borrowed, and returns what it says as a tuple.

        QUOTE u s bid_e8 bid_size_e8 ask_e8 ask_size_e8 / TRADE s t price_e8 size_e8 trade_ns
        event_ns maker_bought / AGG s a price_e8 size_e8 f l trade_ns event_ns maker_bought /
        DEPTH s U u event_ns bids asks / SHUTDOWN event_ns / RESULT id / ERROR id / IGNORED name.

        Raises:
            FrameFault: the frame says nothing we may use.
        """
        cdef Py_buffer view
        cdef int fault
        cdef size_t size
        if type(frame) is bytes:
            size = PyBytes_GET_SIZE(frame)
            fault = self.feed(PyBytes_AS_STRING(frame), size, size)
            if fault:
                raise FrameFault(fault_kind(fault), size)
            return self._as_tuple()
        PyObject_GetBuffer(frame, &view, PyBUF_SIMPLE)
        try:
            size = view.len
            fault = self.feed(<const char*>view.buf, size, size)
            if fault:
                raise FrameFault(fault_kind(fault), size)
            # The message points into the borrowed frame: read it before letting go.
            return self._as_tuple()
        finally:
            PyBuffer_Release(&view)

    cdef object _as_tuple(self):
        cdef SpotMessage* m = &self.message
        if m.kind == SPOT_QUOTE:
            return ("QUOTE", m.id, text_of(m.symbol), m.bid_e8, m.bid_size_e8, m.ask_e8,
                    m.ask_size_e8)
        if m.kind == SPOT_TRADE:
            return ("TRADE", text_of(m.symbol), m.id, m.price_e8, m.size_e8, m.trade_ns,
                    m.event_ns, <bint>m.maker_bought)
        if m.kind == SPOT_AGG:
            return ("AGG", text_of(m.symbol), m.id, m.price_e8, m.size_e8, m.first_id,
                    m.last_id, m.trade_ns, m.event_ns, <bint>m.maker_bought)
        if m.kind == SPOT_DEPTH:
            return ("DEPTH", text_of(m.symbol), m.first_id, m.id, m.event_ns,
                    levels_of(m.levels), levels_of(m.levels + 1))
        if m.kind == SPOT_SHUTDOWN:
            return ("SHUTDOWN", m.event_ns)
        if m.kind == SPOT_RESULT:
            return ("RESULT", text_of(m.name))
        if m.kind == SPOT_ERROR:
            return ("ERROR", text_of(m.name))
        return ("IGNORED", text_of(m.name))

    @property
    def unknown_types(self):
        """Counts events we do not read by name, at most 32; the rest under `other`."""
        cdef SpotDecoder* core = <SpotDecoder*>self.core
        cdef dict out = {}
        cdef pair[string, uint64_t] known
        cdef bytes name
        for known in core.unknown_types:
            name = known.first
            out[name.decode("utf-8", "replace")] = known.second
        if core.unknown_more:
            out["other"] = out.get("other", 0) + core.unknown_more
        return out

    @property
    def frames(self):
        """Counts frames handed in."""
        return (<SpotDecoder*>self.core).frames

    @property
    def faults(self):
        """Counts frames that gave a fault."""
        return (<SpotDecoder*>self.core).faults

    @property
    def ignored(self):
        """Counts frames of events we do not read."""
        return (<SpotDecoder*>self.core).ignored

    @property
    def scanned(self):
        """Counts frames the hand scanner finished without simdjson."""
        return (<SpotDecoder*>self.core).scanned
