# distutils: language = c++
"""Polymarket market-channel frames to rows, on simdjson on-demand.

A frame is one JSON object, an array of objects, or a control text. Keys come in any order,
unknown keys are skipped, unknown event types are counted. A frame gives all its rows or, with a
fault, none. Prices become price_e4 and sizes size_e6 exactly; what the scale cannot hold is a
fault. Rows of tokens that are not in the table are dropped and counted.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t
from libcpp.deque cimport deque
from libcpp.pair cimport pair
from libcpp.string cimport string
from libcpp.vector cimport vector

from dailyarb.core.domain.errors import FrameFault

cdef extern from "polymarket_decode.hpp" namespace "dailyarb" nogil:
    cppclass PolymarketDecoder:
        PolymarketDecoder(const CTokenTable* tokens, size_t frame_most, bint scan) except +
        int decode(const char* frame, size_t size, size_t capacity, RowBuffer& rows)
        uint64_t frames
        uint64_t faults
        uint64_t ignored
        uint64_t unknown_tokens
        uint64_t unknown_more
        uint64_t rare_dropped
        uint64_t scanned
        vector[pair[string, uint64_t]] unknown_types
        deque[string] rare
        const char* control

# The C names serve Python too.
globals().update(
    ROW_LEVEL=ROW_LEVEL, ROW_BOOK_BEGIN=ROW_BOOK_BEGIN, ROW_BOOK_LEVEL=ROW_BOOK_LEVEL,
    ROW_BOOK_END=ROW_BOOK_END, ROW_TRADE=ROW_TRADE, ROW_TICK_SIZE=ROW_TICK_SIZE,
    ROW_TOP=ROW_TOP, ROW_RESOLVED=ROW_RESOLVED, ROW_NEW_MARKET=ROW_NEW_MARKET,
)

# Index = fault code of text.hpp.
FAULT_KINDS = (
    "", "syntax", "type", "missing", "duplicate", "number", "scale", "range", "size", "depth",
)

ROWS_MAX = 1 << 18
TOKEN_BYTES_MAX = 96


cdef str fault_kind(int code):
    return FAULT_KINDS[code]


cdef class TokenTable:
    """Maps token ids to slots, markets and outcomes; shared by the decoders that read them."""

    def __cinit__(self):
        self.core = new CTokenTable()

    def __dealloc__(self):
        del self.core

    def __len__(self):
        return self.core.count()

    def add(self, str token_id, int market, int outcome):
        """Adds a token and returns its slot, the lowest free one.

        Args:
            token_id: the venue's text, 1 to 96 bytes.
            market: index chosen by the caller, >= 0.
            outcome: 0 UP, 1 DOWN.

        Raises:
            ValueError: an argument is outside its range, or the token is already there.
        """
        cdef bytes text = token_id.encode()
        if not 1 <= len(text) <= TOKEN_BYTES_MAX:
            raise ValueError(f"token id of {len(text)} bytes, allowed 1 to {TOKEN_BYTES_MAX}")
        if market < 0 or outcome not in (0, 1):
            raise ValueError(f"market {market}, outcome {outcome}: no such place")
        cdef int slot = self.core.add(PyBytes_AS_STRING(text), len(text), market, outcome)
        if slot < 0:
            raise ValueError(f"token {token_id} is already there")
        return slot

    def remove(self, str token_id):
        """Removes a token; its slot becomes free. Raises KeyError when it is not there."""
        cdef bytes text = token_id.encode()
        if not self.core.remove(PyBytes_AS_STRING(text), len(text)):
            raise KeyError(token_id)


cdef class Rows:
    """Holds the rows of one frame in C memory, kept between frames, up to `rows_max`."""

    def __cinit__(self, size_t rows_max=ROWS_MAX):
        self.core = new RowBuffer(rows_max)

    def __dealloc__(self):
        del self.core

    def __len__(self):
        return self.core.length

    def clear(self):
        """Forgets the rows, keeps the memory."""
        self.core.length = 0

    def to_list(self):
        """Returns the rows as tuples: kind, slot, market, outcome, side, price_e4, size_e6,
        stamp_ms, best_bid_e4, best_ask_e4, hash64, fee_rate_bps, group."""
        cdef list out = []
        cdef size_t i
        cdef Row* row
        for i in range(self.core.length):
            row = &self.core.rows[i]
            out.append((
                <int>row.kind, row.slot, row.market, <int>row.outcome, <int>row.side,
                row.price_e4, row.size_e6, row.stamp_ms, row.best_bid_e4, row.best_ask_e4,
                row.hash64, row.fee_rate_bps, row.group,
            ))
        return out


cdef class Decoder:
    """Decodes market-channel frames.

    Args:
        tokens: the tokens whose rows are wanted.
        frame_bytes_max: larger frames are a fault (`size`) and are not read.
        scan: False turns the hand scanner off, so that simdjson alone decides (tests).
    """

    def __cinit__(self, TokenTable tokens not None, size_t frame_bytes_max=4 << 20,
                  bint scan=True):
        self.tokens = tokens
        self.frame_bytes_max = frame_bytes_max
        self.core = new PolymarketDecoder(tokens.core, frame_bytes_max, scan)

    def __dealloc__(self):
        cdef PolymarketDecoder* core = <PolymarketDecoder*>self.core
        del core

    cdef int feed(self, const char* frame, size_t size, size_t capacity,
                  RowBuffer* rows) noexcept nogil:
        rows.length = 0
        return (<PolymarketDecoder*>self.core).decode(frame, size, capacity, rows[0])

    def decode(self, frame, Rows rows not None):
        """Decodes one frame, which is only borrowed, into `rows` and returns their number.

        Raises:
            FrameFault: the frame gives no rows; `rows` is empty then.
        """
        cdef Py_buffer view
        cdef int fault
        cdef size_t size
        if type(frame) is bytes:
            size = PyBytes_GET_SIZE(frame)
            fault = self.feed(PyBytes_AS_STRING(frame), size, size, rows.core)
        else:
            PyObject_GetBuffer(frame, &view, PyBUF_SIMPLE)
            size = view.len
            fault = self.feed(<const char*>view.buf, size, size, rows.core)
            PyBuffer_Release(&view)
        if fault:
            raise FrameFault(fault_kind(fault), size)
        return rows.core.length

    def take_rare(self):
        """Returns the raw market_resolved and new_market objects since the last call, at most
        the newest 256."""
        cdef PolymarketDecoder* core = <PolymarketDecoder*>self.core
        cdef list out = []
        cdef bytes raw
        cdef size_t i
        for i in range(core.rare.size()):
            raw = core.rare[i]
            out.append(raw)
        core.rare.clear()
        return out

    @property
    def unknown_types(self):
        """Counts event types we do not know by name, at most 32; the rest under `other`."""
        cdef PolymarketDecoder* core = <PolymarketDecoder*>self.core
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
    def unknown_tokens(self):
        """Counts entries and objects dropped because their token is not in the table."""
        return (<PolymarketDecoder*>self.core).unknown_tokens

    @property
    def ignored(self):
        """Counts control texts."""
        return (<PolymarketDecoder*>self.core).ignored

    @property
    def control(self):
        """Gives the last control text: PONG, PING, INVALID OPERATION, or "" for none yet."""
        cdef bytes word = (<PolymarketDecoder*>self.core).control
        return word.decode("ascii")

    @property
    def frames(self):
        """Counts frames handed in."""
        return (<PolymarketDecoder*>self.core).frames

    @property
    def faults(self):
        """Counts frames that gave a fault."""
        return (<PolymarketDecoder*>self.core).faults

    @property
    def rare_dropped(self):
        """Counts rare objects lost to the bound of `take_rare`."""
        return (<PolymarketDecoder*>self.core).rare_dropped

    @property
    def scanned(self):
        """Counts frames the hand scanner finished without simdjson."""
        return (<PolymarketDecoder*>self.core).scanned
