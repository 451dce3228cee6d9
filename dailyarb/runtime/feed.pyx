# distutils: language = c++
"""Market-data sockets: a frame is decoded and applied inside the socket's own callback.

The engine is called once per burst: when the last frame of what the kernel had is applied, and
only when something happened. Until then nothing is allocated per frame but what picows makes.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from picows.picows cimport WSFrame, WSListener, WSMsgType, WSTransport

from dailyarb._fast.histogram cimport LatencyHistogram
from dailyarb._fast.ring cimport Ring
from dailyarb._fast.router cimport BookRouter
from dailyarb._fast.spot cimport SpotRouter

cdef extern from *:
    """
    #include <string.h>
    #include <time.h>
    #ifdef CLOCK_BOOTTIME
    static const clockid_t dailyarb_boot_clock = CLOCK_BOOTTIME;
    #else
    static const clockid_t dailyarb_boot_clock = CLOCK_MONOTONIC;
    #endif
    """
    const int dailyarb_boot_clock
    void* memmem(const void* where, size_t size, const void* what, size_t length) nogil

FAULT = 256  # the flag of a frame that was refused, the same in both routers
cdef int FLAG_FAULT = 256
cdef int FLAG_SHUTDOWN = 16  # of SpotRouter; the BookRouter uses the same bit for a tick change

cdef size_t LAG_BYTES_MAX = 4096


cdef inline int64_t now_ns(int clock) noexcept nogil:
    cdef timespec at
    clock_gettime(<int>clock, &at)
    return <int64_t>at.tv_sec * 1000000000 + at.tv_nsec


cdef class FeedListener(WSListener):
    """Is one connection of a feed.

    Args:
        burst: called with the boot clock of the first frame of a burst that changed something.
        opened: called with the listener when the socket is open.
        closed: called with the listener when it is gone.
        failed: called with whatever a callback raised; nothing escapes into the socket library.
        noticed: called with the listener and the flags of a burst that holds a refused frame or,
            from Binance, a notice of shutdown; before `burst`.
        ring: takes a copy of each data frame, or None.
        tag: the ring's channel number.
        frame_bytes_max: longest message put together from fragments.
    """

    def __init__(self, burst, opened, closed, failed, noticed, Ring ring=None, int tag=0,
                 size_t frame_bytes_max=4194304):
        self.burst = burst
        self.opened = opened
        self.closed = closed
        self.failed = failed
        self.noticed = noticed
        self.notices = FLAG_FAULT
        self.ring = ring
        self.tag = tag
        self.frame_bytes_max = frame_bytes_max
        self.decode = LatencyHistogram()
        self.lag = LatencyHistogram()
        self.stamp_key = b'"timestamp"'
        self.stamp_scale = 1000000

    cdef int apply(self, const char* frame, size_t size, size_t capacity,
                   int64_t recv_ns) except -1:
        return 0

    cpdef on_ws_connected(self, WSTransport transport):
        """Remembers the transport and says that the socket is open."""
        self.transport = transport
        self.opened_ns = now_ns(dailyarb_boot_clock)
        try:
            self.opened(self)
        except BaseException as error:  # a callback's fault is reported, never swallowed
            self._fail(error)

    cpdef on_ws_disconnected(self, WSTransport transport):
        """Says that the socket is gone."""
        self.transport = None
        try:
            self.closed(self)
        except BaseException as error:
            self._fail(error)

    cpdef on_ws_frame(self, WSTransport transport, WSFrame frame):
        """Applies one frame; the buffer is borrowed for this call."""
        cdef int64_t recv_ns = now_ns(dailyarb_boot_clock)
        cdef WSMsgType kind = frame.msg_type
        if kind == WSMsgType.TEXT or kind == WSMsgType.BINARY or kind == WSMsgType.CONTINUATION:
            if frame.fin and kind != WSMsgType.CONTINUATION:
                self.take(frame.payload_ptr, <size_t>frame.payload_size,
                          <size_t>(frame.payload_size + frame.tail_size), recv_ns)
            else:
                self._take_part(frame, recv_ns)
        elif kind == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        if frame.last_in_buffer and self.pending:
            self._burst()

    cdef void take(self, const char* frame, size_t size, size_t capacity, int64_t recv_ns):
        cdef int flags
        if size == 4 and memcmp(frame, b"PONG", 4) == 0:
            self.pong_ns = recv_ns
            return
        if size == 17 and memcmp(frame, b"INVALID OPERATION", 17) == 0:
            self.refusals += 1
            return
        try:
            flags = self.apply(frame, size, capacity, recv_ns)
        except BaseException as error:
            self._fail(error)
            return
        self.frames += 1
        self.octets += size
        self.content_ns = recv_ns
        if flags:
            if not self.pending:
                self.pending_ns = recv_ns
            self.pending |= flags
            if flags & FLAG_FAULT:
                self.faults += 1
        self.decode.record_c(now_ns(dailyarb_boot_clock) - recv_ns)
        if self.ring is not None:
            self.ring.push_tagged(frame, size, recv_ns, self.tag)
        self._measure_lag(frame, size)

    cdef void _measure_lag(self, const char* frame, size_t size) noexcept:
        """Records wall time of receipt less the venue's stamp; skips frames without one."""
        cdef const char* key = self.stamp_key
        cdef size_t length = len(self.stamp_key)
        cdef const char* end = frame + size
        cdef int64_t stamp = 0
        cdef int digits = 0
        if size > LAG_BYTES_MAX:
            return
        cdef const char* at = <const char*>memmem(frame, size, key, length)
        if at == NULL:
            return
        at += length
        while at < end and (at[0] == 58 or at[0] == 32 or at[0] == 34):  # colon, space, quote
            at += 1
        while at < end and 48 <= at[0] <= 57 and digits < 18:
            stamp = stamp * 10 + (at[0] - 48)
            digits += 1
            at += 1
        if digits >= 13:
            self.lag.record_c(now_ns(CLOCK_REALTIME) + self.offset_ns - stamp * self.stamp_scale)

    cdef void _take_part(self, WSFrame frame, int64_t recv_ns):
        """Puts a message together that came in fragments."""
        cdef bytes whole
        if self.partial is None:
            self.partial = bytearray()
        self.partial += frame.payload_ptr[:frame.payload_size]
        self.fragments += 1
        if <size_t>len(self.partial) > self.frame_bytes_max:
            self.faults += 1
            self.partial = None
            self.transport.disconnect()
        elif frame.fin:
            whole = bytes(self.partial)
            self.partial = None
            self.take(whole, <size_t>len(whole), <size_t>len(whole), recv_ns)

    cdef void _burst(self):
        cdef int64_t since = self.pending_ns
        cdef int flags = self.pending
        self.pending = 0
        self.bursts += 1
        try:
            if flags & self.notices:
                self.noticed(self, flags)
            self.burst(since)
        except BaseException as error:
            self._fail(error)

    cdef void _fail(self, object error):
        self.errors += 1
        self.failed(error)

    def send(self, bytes text):
        """Writes one text frame; does nothing on a socket that is gone."""
        if self.transport is not None and not self.transport.is_disconnected:
            self.transport.send(WSMsgType.TEXT, text)

    def drop(self):
        """Closes the socket at once."""
        if self.transport is not None:
            self.transport.disconnect(False)

    @property
    def alive(self):
        """Says whether the socket is open."""
        return self.transport is not None and not self.transport.is_disconnected


cdef class MarketListener(FeedListener):
    """Is one connection of Polymarket's market channel; its frames go to a BookRouter.

    `source` tells it from the others, so that a copy is not taken for a change that came back.
    """

    def __init__(self, BookRouter router, *args, int source=-1, **kwargs):
        FeedListener.__init__(self, *args, **kwargs)
        self.router = router
        self.source = source

    cdef int apply(self, const char* frame, size_t size, size_t capacity,
                   int64_t recv_ns) except -1:
        return self.router.feed(frame, size, capacity, recv_ns, self.source)


cdef class SpotListener(FeedListener):
    """Is one connection of Binance's combined stream; its frames go to a SpotRouter."""

    def __init__(self, SpotRouter router, *args, bint micros=False, **kwargs):
        FeedListener.__init__(self, *args, **kwargs)
        self.router = router
        self.notices = FLAG_FAULT | FLAG_SHUTDOWN
        self.stamp_key = b'"E"'
        self.stamp_scale = 1000 if micros else 1000000

    cdef int apply(self, const char* frame, size_t size, size_t capacity,
                   int64_t recv_ns) except -1:
        return self.router.feed(frame, size, capacity, recv_ns)
