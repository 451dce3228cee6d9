# distutils: language = c++
"""Binance frames to the newest quote, the trade flow and the gaps of each symbol, in C.

Any number of connections may feed one router: a quote that does not raise `u` and a trade id
already seen are copies and dropped.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t
from libcpp.string cimport string
from libcpp.vector cimport vector

from dailyarb._fast.binance cimport BinanceDecoder, SpotMessage, fault_kind

cdef extern from "spot.hpp" namespace "dailyarb" nogil:
    enum SpotFlag:
        SPOT_FLAG_QUOTE
        SPOT_FLAG_TRADE
        SPOT_FLAG_DEPTH
        SPOT_FLAG_GAP
        SPOT_FLAG_SHUTDOWN
        SPOT_FLAG_FAULT

    cppclass SpotSymbol:
        string name
        int64_t update_id
        int64_t bid_e8
        int64_t bid_size_e8
        int64_t ask_e8
        int64_t ask_size_e8
        int64_t quote_recv_ns
        int64_t recv_ns
        uint64_t trades
        uint64_t buys
        int64_t last_price_e8
        int64_t last_event_ns
        int64_t depth_id
        int64_t depth_event_ns
        int pending
        uint64_t buy_high()
        uint64_t buy_low()
        uint64_t sell_high()
        uint64_t sell_low()
        void reset_flow()

    cppclass SpotCore:
        SpotCore() except +
        int apply(const SpotMessage& message, int64_t recv_ns) except +
        vector[SpotSymbol] symbols
        vector[int] dirty
        uint64_t stale_quotes
        uint64_t duplicates
        uint64_t gaps
        uint64_t unknown_symbols

QUOTE = SPOT_FLAG_QUOTE
TRADE = SPOT_FLAG_TRADE
DEPTH = SPOT_FLAG_DEPTH
GAP = SPOT_FLAG_GAP
SHUTDOWN = SPOT_FLAG_SHUTDOWN
FAULT = SPOT_FLAG_FAULT

SYMBOLS_MAX = 64
SAMPLE_BYTES_MAX = 4096


cdef class SpotRouter:
    """Keeps the reference of each symbol.

    Args:
        micros: the connections were opened with `timeUnit=MICROSECOND`.
        frame_bytes_max: larger frames are a fault and are not read.
    """

    def __cinit__(self, bint micros=False, size_t frame_bytes_max=1 << 20):
        self.decoder = BinanceDecoder(micros, frame_bytes_max)
        self.sample = b""
        self.core = new SpotCore()

    def __dealloc__(self):
        cdef SpotCore* core = <SpotCore*>self.core
        del core

    cdef int _index(self, int index) except -1:
        if not 0 <= index < <int>(<SpotCore*>self.core).symbols.size():
            raise IndexError(index)
        return index

    def add_symbol(self, str symbol):
        """Adds a symbol as the venue writes it (`BTCUSDT`) and returns its index.

        Raises:
            ValueError: empty, already there, or more than 64.
        """
        cdef SpotCore* core = <SpotCore*>self.core
        cdef bytes name = symbol.encode()
        cdef SpotSymbol fresh
        cdef SpotSymbol known
        if not name or core.symbols.size() >= <size_t>SYMBOLS_MAX:
            raise ValueError(f"symbol {symbol!r}: empty, or more than {SYMBOLS_MAX}")
        for known in core.symbols:
            if <bytes>known.name == name:
                raise ValueError(f"symbol {symbol} is already there")
        fresh.name = name
        core.symbols.push_back(fresh)
        return <int>core.symbols.size() - 1

    cdef int feed(self, const char* frame, size_t size, size_t capacity,
                  int64_t recv_ns) except -1:
        self.frames += 1
        cdef int fault = self.decoder.feed(frame, size, capacity)
        if fault:
            self.last_fault = fault
            self.fault_counts[fault] += 1
            self.sample = frame[:min(size, <size_t>SAMPLE_BYTES_MAX)]
            return SPOT_FLAG_FAULT
        return (<SpotCore*>self.core).apply(self.decoder.message, recv_ns)

    def on_frame(self, frame, int64_t recv_ns):
        """Applies one frame, which is only borrowed, and returns the OR of its flags."""
        cdef Py_buffer view
        cdef size_t size
        if type(frame) is bytes:
            size = PyBytes_GET_SIZE(frame)
            return self.feed(PyBytes_AS_STRING(frame), size, size, recv_ns)
        PyObject_GetBuffer(frame, &view, PyBUF_SIMPLE)
        try:
            return self.feed(<const char*>view.buf, view.len, view.len, recv_ns)
        finally:
            PyBuffer_Release(&view)

    def drain(self):
        """Returns (index, flags) of the symbols touched since the last call."""
        cdef SpotCore* core = <SpotCore*>self.core
        if core.dirty.empty():
            return []
        cdef list out = []
        cdef int index
        for index in core.dirty:
            out.append((index, core.symbols[index].pending))
            core.symbols[index].pending = 0
        core.dirty.clear()
        return out

    def quote(self, int index):
        """Returns bid_e8, bid_size_e8, ask_e8, ask_size_e8, update_id (-1: none yet), recv_ns."""
        cdef SpotSymbol* s = &(<SpotCore*>self.core).symbols[self._index(index)]
        return s.bid_e8, s.bid_size_e8, s.ask_e8, s.ask_size_e8, s.update_id, s.quote_recv_ns

    def take_flow(self, int index):
        """Returns buy_e8, sell_e8, trades since the last call, last_price_e8, last_event_ns, buys.

        Sizes are those of the aggressive side; buys is how many of the trades a buyer began. A
        symbol with single trades does not count their aggregates again.
        """
        cdef SpotSymbol* s = &(<SpotCore*>self.core).symbols[self._index(index)]
        out = (
            ((<object>s.buy_high()) << 64) | s.buy_low(),
            ((<object>s.sell_high()) << 64) | s.sell_low(),
            s.trades, s.last_price_e8, s.last_event_ns, s.buys,
        )
        s.reset_flow()
        return out

    def depth(self, int index):
        """Returns last update id (-1: none yet) and event_ns of the depth stream: an upper bound
        for the time of every quote whose update id it covers."""
        cdef SpotSymbol* s = &(<SpotCore*>self.core).symbols[self._index(index)]
        return s.depth_id, s.depth_event_ns

    def last_recv_ns(self, int index):
        """Returns when anything of the symbol last came; 0 for never."""
        return (<SpotCore*>self.core).symbols[self._index(index)].recv_ns

    @property
    def faults(self):
        """Counts faults by kind."""
        return {fault_kind(i): self.fault_counts[i] for i in range(16) if self.fault_counts[i]}

    @property
    def fault_sample(self):
        """Gives the last frame at fault, its first 4 KiB."""
        return self.sample

    @property
    def counters(self):
        """Gives the counts of what was dropped or missed, by name."""
        cdef SpotCore* core = <SpotCore*>self.core
        return {
            "stale_quotes": core.stale_quotes, "duplicates": core.duplicates,
            "gaps": core.gaps, "unknown_symbols": core.unknown_symbols,
            "ignored": self.decoder.ignored,
        }
