# distutils: language = c++
"""Recorded frames through both routers without a Python call a frame.

A slice is what one read of a socket would have brought: the frames whose times fall into the same
`slice_ns`. The caller hears of a slice only if it changed what somebody acts on.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.tuple cimport PyTuple_Check, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport int64_t

from dailyarb._fast.router cimport BookRouter
from dailyarb._fast.spot cimport SpotRouter

from dailyarb._fast.router import DEPTH as _DEPTH
from dailyarb._fast.router import FAULT as _FAULT
from dailyarb._fast.router import SNAPSHOT as _SNAPSHOT
from dailyarb._fast.spot import QUOTE as _QUOTE
from dailyarb._fast.spot import TRADE as _TRADE


cdef class Player:
    """Feeds frames, each a tuple that starts with (at_ns, channel, payload), to two routers.

    Args:
        books: takes frames of `market_channel`.
        spot: takes frames of `spot_channel`.
        market_channel: compared by identity.
        spot_channel: compared by identity.
        slice_ns: length of a slice, > 0.
    """

    cdef BookRouter books
    cdef SpotRouter spot
    cdef object market_channel
    cdef object spot_channel
    cdef readonly int64_t slice_ns
    cdef int quiet_market
    cdef int telling_spot
    cdef readonly int64_t market_ns
    cdef readonly int64_t spot_ns
    cdef readonly int64_t last_ns
    cdef readonly int64_t slices
    cdef readonly bint market_news
    cdef readonly bint spot_news
    cdef readonly list others

    def __cinit__(self, BookRouter books not None, SpotRouter spot not None,
                  market_channel, spot_channel, int64_t slice_ns):
        if slice_ns <= 0:
            raise ValueError(f"slice_ns is {slice_ns}")
        self.books = books
        self.spot = spot
        self.market_channel = market_channel
        self.spot_channel = spot_channel
        self.slice_ns = slice_ns
        self.quiet_market = _DEPTH | _FAULT | _SNAPSHOT
        self.telling_spot = _QUOTE | _TRADE
        self.others = []

    cdef int64_t _instant(self, object frame) except -1:
        if not PyTuple_Check(frame) or PyTuple_GET_SIZE(frame) < 3:
            raise TypeError(f"a frame is (at_ns, channel, payload), not {type(frame).__name__}")
        return <object>PyTuple_GET_ITEM(frame, 0)

    def run(self, list frames not None, Py_ssize_t start, int64_t stop_ns):
        """Plays whole slices from `start` until one is news or one would begin at `stop_ns`.

        Afterwards `market_news` and `spot_news` say whose news the last slice was, `others` holds
        its frames of any other channel, `last_ns` its time, `market_ns` and `spot_ns` when each
        channel last said something. A list must end where a slice ends.

        Returns:
            The index of the first frame that was not played.

        Raises:
            TypeError: a frame is no tuple, or its payload is not bytes.
        """
        cdef Py_ssize_t at = start, count = len(frames)
        cdef int64_t at_ns, slice_end
        cdef int market_flags, spot_flags, flags
        cdef object frame
        cdef bytes payload
        cdef object channel
        cdef Py_ssize_t size
        self.market_news = self.spot_news = False
        self.others = []
        while at < count:
            frame = frames[at]
            at_ns = self._instant(frame)
            if at_ns >= stop_ns:
                return at
            slice_end = (at_ns // self.slice_ns + 1) * self.slice_ns
            market_flags = spot_flags = 0
            while True:
                channel = <object>PyTuple_GET_ITEM(frame, 1)
                payload = <object>PyTuple_GET_ITEM(frame, 2)
                size = PyBytes_GET_SIZE(payload)
                if channel is self.market_channel:
                    flags = self.books.feed(PyBytes_AS_STRING(payload), size, size, at_ns)
                    if flags:
                        self.market_ns = at_ns
                    market_flags |= flags
                elif channel is self.spot_channel:
                    flags = self.spot.feed(PyBytes_AS_STRING(payload), size, size, at_ns)
                    if flags:
                        self.spot_ns = at_ns
                    spot_flags |= flags
                else:
                    self.others.append(frame)
                self.last_ns = at_ns
                at += 1
                if at == count:
                    break
                frame = frames[at]
                at_ns = self._instant(frame)
                if at_ns >= slice_end:
                    break
            self.slices += 1
            self.market_news = (market_flags & ~self.quiet_market) != 0
            self.spot_news = (spot_flags & self.telling_spot) != 0
            if self.market_news or self.spot_news or self.others:
                break
        return at
