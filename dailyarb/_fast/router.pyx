# distutils: language = c++
"""Market-channel frames to books to flags, the whole way in C.

Rules: both entries of a price_change are applied before anything is read; two entries of one
market must mirror each other; own touch is compared with the one each entry states, and a
mismatch or a crossed book that outlasts `settle_ms` is a desync; a change seen from one
connection is dropped when another brings it again. Stamps out of order are normal.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t
from libcpp.deque cimport deque
from libcpp.vector cimport vector

from dailyarb._fast.ladder cimport Ladder, LadderCore
from dailyarb._fast.polymarket cimport Decoder, RowBuffer, Rows, TokenTable, fault_kind

cdef extern from "router.hpp" namespace "dailyarb" nogil:
    enum RouterFlag:
        FLAG_TOP
        FLAG_DEPTH
        FLAG_TRADE
        FLAG_DESYNC
        FLAG_TICK
        FLAG_SNAPSHOT
        FLAG_RESOLVED
        FLAG_NEW_MARKET
        FLAG_FAULT

    cppclass Trade:
        int32_t market
        int32_t price_e4
        int64_t size_e6
        int64_t stamp_ms
        int8_t outcome
        int8_t side

    cppclass TickChange:
        int32_t market
        int32_t tick_e4
        int64_t stamp_ms

    cppclass MarketBook:
        LadderCore* ladder
        int64_t mark_e6
        int64_t recv_ns
        int64_t token_recv_ns[2]
        int64_t stamp_ms
        int pending

    cppclass CRouter "dailyarb::Router":
        CRouter(int markets_max, int64_t settle_ns) except +
        int apply(const RowBuffer& rows, int64_t recv_ns, int source) except +
        int expire(int64_t now_ns) except +
        void open(int market, LadderCore* ladder)
        void resync(int market)
        MarketBook& market(int index)
        vector[int] dirty
        deque[Trade] trades
        deque[TickChange] ticks
        uint64_t duplicates
        uint64_t mismatches
        uint64_t agreements
        uint64_t desyncs
        uint64_t broken_mirrors
        uint64_t trades_dropped
        uint64_t ticks_dropped
        uint64_t trims

TOP = FLAG_TOP
DEPTH = FLAG_DEPTH
TRADE = FLAG_TRADE
DESYNC = FLAG_DESYNC
TICK = FLAG_TICK
SNAPSHOT = FLAG_SNAPSHOT
RESOLVED = FLAG_RESOLVED
NEW_MARKET = FLAG_NEW_MARKET
FAULT = FLAG_FAULT

SAMPLE_BYTES_MAX = 4096


cdef class BookRouter:
    """Routes the frames of any number of connections to one ladder per market.

    Args:
        markets_max: markets have indexes below it.
        settle_ms: how long an own touch unlike the venue's, or a crossed book, is borne.
        frame_bytes_max: larger frames are a fault and are not read.
    """

    def __cinit__(self, int markets_max=64, int64_t settle_ms=250,
                  size_t frame_bytes_max=4 << 20):
        if not 1 <= markets_max <= 4096:
            raise ValueError(f"markets_max is {markets_max}, allowed 1 to 4096")
        if settle_ms < 0:
            raise ValueError(f"settle_ms is {settle_ms}")
        self.tokens = TokenTable()
        self.decoder = Decoder(self.tokens, frame_bytes_max)
        self.rows = Rows()
        self.markets_max = markets_max
        self.ladders = [None] * markets_max
        self.names = [None] * markets_max
        self.sample = b""
        self.core = new CRouter(markets_max, settle_ms * 1_000_000)

    def __dealloc__(self):
        cdef CRouter* core = <CRouter*>self.core
        del core

    cdef int _index(self, int market) except -1:
        if not 0 <= market < self.markets_max or self.ladders[market] is None:
            raise KeyError(market)
        return market

    def add_market(self, int market, str up_token, str down_token, int tick_e4):
        """Opens a market under an index of the caller's choice and returns its empty ladder.

        Raises:
            ValueError: index out of range or taken, a token already routed, an unknown tick.
        """
        if not 0 <= market < self.markets_max:
            raise ValueError(f"market {market}, allowed 0 to {self.markets_max - 1}")
        if self.ladders[market] is not None:
            raise ValueError(f"market {market} is already open")
        cdef Ladder ladder = Ladder(tick_e4)
        self.tokens.add(up_token, market, 0)
        try:
            self.tokens.add(down_token, market, 1)
        except ValueError:
            self.tokens.remove(up_token)
            raise
        self.ladders[market] = ladder
        self.names[market] = (up_token, down_token)
        (<CRouter*>self.core).open(market, ladder.core)
        return ladder

    def remove_market(self, int market):
        """Closes a market; its tokens' rows are dropped from now on. KeyError when not open."""
        self._index(market)
        for token in self.names[market]:
            self.tokens.remove(token)
        (<CRouter*>self.core).open(market, NULL)
        self.ladders[market] = None
        self.names[market] = None

    def set_mark(self, int market, int64_t size_e6):
        """Tells of the touch (TOP) only where its price changed, or its size below this mark.

        Whoever asks a touch for at most `size_e6` shares is told of everything that matters to
        them; at the full rate nine in ten changes of the touch are of sizes beyond a hundred
        shares. Without a mark every change is told. KeyError when not open.

        Raises:
            ValueError: the mark is not positive.
        """
        if size_e6 <= 0:
            raise ValueError(f"mark {size_e6}: not positive")
        (&(<CRouter*>self.core).market(self._index(market))).mark_e6 = size_e6

    def ladder(self, int market):
        """Returns the ladder of an open market. KeyError when not open."""
        return self.ladders[self._index(market)]

    cdef int feed(self, const char* frame, size_t size, size_t capacity,
                  int64_t recv_ns, int source=-1) except -1:
        self.frames += 1
        cdef int fault = self.decoder.feed(frame, size, capacity, self.rows.core)
        if fault:
            self.last_fault = fault
            self.fault_counts[fault] += 1
            self.sample = frame[:min(size, <size_t>SAMPLE_BYTES_MAX)]
            return FLAG_FAULT
        return (<CRouter*>self.core).apply(self.rows.core[0], recv_ns, source)

    def on_frame(self, frame, int64_t recv_ns, int source=-1):
        """Applies one frame, which is only borrowed, and returns the OR of its flags.

        `source` tells redundant connections apart, 0 to 6: the nth coming of a change is applied
        once, whoever brings it first. With -1 every repetition counts as a copy.

        FAULT means that nothing was applied; the kind is in `faults`, the frame in
        `fault_sample`.
        """
        cdef Py_buffer view
        cdef size_t size
        if type(frame) is bytes:
            size = PyBytes_GET_SIZE(frame)
            return self.feed(PyBytes_AS_STRING(frame), size, size, recv_ns, source)
        PyObject_GetBuffer(frame, &view, PyBUF_SIMPLE)
        try:
            return self.feed(<const char*>view.buf, view.len, view.len, recv_ns, source)
        finally:
            PyBuffer_Release(&view)

    def expire(self, int64_t now_ns):
        """Judges by time alone what a quiet feed left open; returns flags (DESYNC or 0)."""
        return (<CRouter*>self.core).expire(now_ns)

    def drain(self):
        """Returns (market, flags) of the markets touched since the last call."""
        cdef CRouter* core = <CRouter*>self.core
        if core.dirty.empty():
            return []
        cdef list out = []
        cdef int market
        for market in core.dirty:
            if core.market(market).pending:
                out.append((market, core.market(market).pending))
                (&core.market(market)).pending = 0
        core.dirty.clear()
        return out

    def take_trades(self):
        """Returns trades since the last call: market, outcome, side, price_e4, size_e6, stamp_ms.

        `side` is the taker's: 0 BUY, 1 SELL. The newest 4,096 are kept.
        """
        cdef CRouter* core = <CRouter*>self.core
        cdef list out = []
        cdef Trade trade
        for trade in core.trades:
            out.append((trade.market, <int>trade.outcome, <int>trade.side, trade.price_e4,
                        trade.size_e6, trade.stamp_ms))
        core.trades.clear()
        return out

    def take_ticks(self):
        """Returns tick changes since the last call: market, tick_e4, stamp_ms."""
        cdef CRouter* core = <CRouter*>self.core
        cdef list out = []
        cdef TickChange change
        for change in core.ticks:
            out.append((change.market, change.tick_e4, change.stamp_ms))
        core.ticks.clear()
        return out

    def take_rare(self):
        """Returns the raw market_resolved and new_market objects since the last call."""
        return self.decoder.take_rare()

    def resync(self, int market):
        """Opens a new epoch of a market's book: empty until a snapshot. KeyError when not open."""
        (<CRouter*>self.core).resync(self._index(market))

    def last_recv_ns(self, int market):
        """Returns when a row of the market last came, on the receiver's clock; 0 for never."""
        return (<CRouter*>self.core).market(self._index(market)).recv_ns

    def token_recv_ns(self, int market, int outcome):
        """Returns when a row of the outcome's token last came; 0 for never."""
        if outcome not in (0, 1):
            raise ValueError(f"outcome {outcome}: 0 or 1")
        return (<CRouter*>self.core).market(self._index(market)).token_recv_ns[outcome]

    def last_stamp_ms(self, int market):
        """Returns the newest venue stamp of the market; 0 for none."""
        return (<CRouter*>self.core).market(self._index(market)).stamp_ms

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
        """Gives the counts of what was dropped, compared and contradicted, by name."""
        cdef CRouter* core = <CRouter*>self.core
        return {
            "duplicates": core.duplicates, "mismatches": core.mismatches,
            "agreements": core.agreements, "desyncs": core.desyncs,
            "broken_mirrors": core.broken_mirrors, "trims": core.trims,
            "trades_dropped": core.trades_dropped, "ticks_dropped": core.ticks_dropped,
            "late": sum(ladder.late for ladder in self.ladders if ladder is not None),
            "unknown_tokens": self.decoder.unknown_tokens, "ignored": self.decoder.ignored,
        }
