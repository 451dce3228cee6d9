# cython: language_level=3
"""Seqlock slots over memory handed in: one writer, any number of readers, in any process."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.string cimport memset

cdef extern from "seqlock.hpp" namespace "dailyarb" nogil:
    int64_t NEVER_WRITTEN
    int64_t TORN
    size_t slot_bytes(size_t payload_bytes)
    void slot_write(char* slot, size_t payload_bytes, const char* blob, size_t size)
    int64_t slot_read(const char* slot, size_t payload_bytes, char* into, size_t tries)
    void store_word(char* place, uint64_t number)
    uint64_t load_word(const char* place)

cdef size_t TRIES = 1024
BOOK_BYTES = sizeof(BookImage)
DEPTH_MAX = DEPTH


class TornReadError(RuntimeError):
    """Says that no whole copy was met in a bounded number of tries: broken or foreign memory."""


cdef class Memory:
    """Is a buffer borrowed until `release` or the end of this object.

    Nothing bound to it may be used after `release`; rebind it first.

    Args:
        memory: a contiguous buffer that starts on an 8-byte boundary (every mmap does), and
            whose owner keeps its length.

    Raises:
        ValueError: the buffer starts off such a boundary.
    """

    def __init__(self, memory) -> None:
        try:
            PyObject_GetBuffer(memory, &self.view, PyBUF_WRITABLE)
            self.writable = True
        except (BufferError, TypeError):
            PyObject_GetBuffer(memory, &self.view, PyBUF_SIMPLE)
            self.writable = False
        self.base = <char*>self.view.buf
        self.size = self.view.len
        if <size_t>self.base % 8:
            self.release()
            raise ValueError("shared memory must start on an 8-byte boundary")

    def __dealloc__(self) -> None:
        if self.base != NULL:
            PyBuffer_Release(&self.view)

    def release(self) -> None:
        """Gives the buffer back; the owner may then close it."""
        if self.base != NULL:
            self.base = NULL
            self.size = 0
            PyBuffer_Release(&self.view)

    cdef char* place(self, Py_ssize_t offset, Py_ssize_t length) except NULL:
        """Returns the address of `length` bytes at `offset`, after checking that they exist."""
        if self.base == NULL:
            raise ValueError("this memory was released")
        if offset < 0 or offset % 8 or length < 0 or offset > self.size - length:
            raise ValueError(f"{length} bytes at {offset} of {self.size}")
        return self.base + offset


cdef class Word:
    """Is one 64-bit integer in shared memory, read and written whole.

    Args:
        memory: where it lies.
        offset: its place, a multiple of 8.
    """

    def __init__(self, Memory memory not None, Py_ssize_t offset) -> None:
        self.offset = offset
        self.rebind(memory)

    def rebind(self, Memory memory not None) -> None:
        """Moves to the same place of other memory."""
        self.at = memory.place(self.offset, 8)
        self.memory = memory

    def load(self) -> int:
        """Returns the number, signed."""
        self.memory.place(self.offset, 8)
        return <int64_t>load_word(self.at)

    def store(self, int64_t number) -> None:
        """Sets the number; raises TypeError where the memory is read-only."""
        self.memory.place(self.offset, 8)
        if not self.memory.writable:
            raise TypeError("this memory is read-only")
        store_word(self.at, <uint64_t>number)


cdef class Slot:
    """Is the newest blob in shared memory, always whole for its readers.

    One writer at a time; a writer that died or stopped half-way leaves the blob before readable,
    and the next writer goes on from there.

    Args:
        memory: where it lies.
        offset: its place, a multiple of 8; `bytes_for(payload_bytes)` bytes are used.
        payload_bytes: the largest blob.
    """

    def __init__(self, Memory memory not None, Py_ssize_t offset, Py_ssize_t payload_bytes) -> None:
        if payload_bytes < 1:
            raise ValueError(f"payload_bytes is {payload_bytes}")
        self.offset = offset
        self.payload_bytes = payload_bytes
        self.rebind(memory)

    @staticmethod
    def bytes_for(Py_ssize_t payload_bytes) -> int:
        """Returns the bytes a slot takes for blobs of at most `payload_bytes`."""
        return slot_bytes(payload_bytes)

    def rebind(self, Memory memory not None) -> None:
        """Moves to the same place of other memory."""
        self.at = memory.place(self.offset, slot_bytes(self.payload_bytes))
        self.memory = memory

    def write(self, const unsigned char[::1] blob not None) -> None:
        """Makes `blob` the newest; the buffer is borrowed for the call.

        Raises:
            ValueError: it is larger than `payload_bytes`.
            TypeError: the memory is read-only.
        """
        cdef Py_ssize_t size = blob.shape[0]
        self._must_be_writable()
        if size > self.payload_bytes:
            raise ValueError(f"a blob of {size} bytes, allowed {self.payload_bytes}")
        self.write_raw(<const char*>&blob[0] if size else NULL, size)

    def read(self) -> bytes | None:
        """Returns the newest blob, or None if none was ever written.

        Raises:
            TornReadError: no whole copy in a bounded number of tries.
        """
        cdef int64_t size
        self.memory.place(self.offset, slot_bytes(self.payload_bytes))
        if self.scratch.size() == 0:
            self.scratch.resize(self.payload_bytes)
        size = self.read_raw(self.scratch.data())
        if size == NEVER_WRITTEN:
            return None
        if size < 0:
            raise TornReadError("no whole copy")
        return self.scratch.data()[:size]

    def _must_be_writable(self) -> None:
        self.memory.place(self.offset, slot_bytes(self.payload_bytes))
        if not self.memory.writable:
            raise TypeError("this memory is read-only")

    cdef int write_raw(self, const char* blob, size_t size) noexcept nogil:
        """Makes `size` bytes the newest blob; returns -1 where they cannot be written."""
        if self.memory.base == NULL or not self.memory.writable:
            return -1
        if size > <size_t>self.payload_bytes:
            return -1
        slot_write(self.at, self.payload_bytes, blob, size)
        return 0

    cdef int64_t read_raw(self, char* into) noexcept nogil:
        """Copies the newest blob to `into` (payload_bytes long); returns its size or below 0."""
        if self.memory.base == NULL:
            return TORN
        return slot_read(self.at, self.payload_bytes, into, TRIES)


cdef int _fill(int64_t* sizes, int32_t* prices, list levels) except -1:
    """Copies the first DEPTH levels (price_e4, size_e6); returns how many."""
    cdef int i, n = min(len(levels), DEPTH)
    for i in range(n):
        prices[i], sizes[i] = levels[i]
    return n


cdef list _levels(const int64_t* sizes, const int32_t* prices, int n):
    """Returns levels as (price_e4, size_e6), best first."""
    cdef int i
    return [(prices[i], sizes[i]) for i in range(n)]


cdef class BookSlot(Slot):
    """Is the newest image of one book in shared memory.

    A head is (market, epoch, state, tick_e4, flags, recv_ns, stamp_ms); what the numbers of
    state and flags mean is the caller's.

    Args:
        memory: where it lies.
        offset: its place, a multiple of 8; `Slot.bytes_for(BOOK_BYTES)` bytes are used.
    """

    def __init__(self, Memory memory not None, Py_ssize_t offset) -> None:
        Slot.__init__(self, memory, offset, sizeof(BookImage))

    def write_book(self, tuple head not None, list bids not None, list asks not None) -> None:
        """Makes this book the newest image; levels are (price_e4, size_e6), best first.

        Levels past DEPTH_MAX are left out.

        Raises:
            OverflowError: a number does not fit its field.
            TypeError: the memory is read-only.
        """
        cdef BookImage image
        self._must_be_writable()
        memset(&image, 0, sizeof(BookImage))
        (image.market, image.epoch, image.state, image.tick_e4, image.flags,
         image.recv_ns, image.stamp_ms) = head
        image.bids = _fill(image.bid_size_e6, image.bid_price_e4, bids)
        image.asks = _fill(image.ask_size_e6, image.ask_price_e4, asks)
        self.write_image(&image)

    def write_ladder(
        self, Ladder ladder not None, int32_t market, int32_t state, int64_t recv_ns,
        int32_t flags=0
    ) -> None:
        """Makes a ladder's first DEPTH_MAX levels a side the newest image.

        Epoch, tick and newest stamp are the ladder's own.

        Raises:
            TypeError: the memory is read-only.
        """
        cdef BookImage image
        self._must_be_writable()
        memset(&image, 0, sizeof(BookImage))
        image.market, image.state, image.recv_ns, image.flags = market, state, recv_ns, flags
        image.epoch = ladder.core.epoch
        image.tick_e4 = ladder.core.tick_e4
        image.stamp_ms = ladder.core.newest_ms
        image.bids = ladder.core.copy_levels(0, 0, DEPTH, image.bid_price_e4, image.bid_size_e6)
        image.asks = ladder.core.copy_levels(0, 1, DEPTH, image.ask_price_e4, image.ask_size_e6)
        self.write_image(&image)

    def read_book(self) -> tuple | None:
        """Returns (head, bids, asks), or None if never written.

        Raises:
            TornReadError: no whole image in a bounded number of tries.
        """
        cdef BookImage image
        cdef int64_t size
        self.memory.place(self.offset, slot_bytes(self.payload_bytes))
        size = self.read_raw(<char*>&image)
        if size == NEVER_WRITTEN:
            return None
        if (size != sizeof(BookImage) or not 0 <= image.bids <= DEPTH
                or not 0 <= image.asks <= DEPTH):
            raise TornReadError("no whole image of a book")
        head = (image.market, image.epoch, image.state, image.tick_e4, image.flags,
                image.recv_ns, image.stamp_ms)
        return (
            head,
            _levels(image.bid_size_e6, image.bid_price_e4, image.bids),
            _levels(image.ask_size_e6, image.ask_price_e4, image.asks),
        )

    cdef int write_image(self, const BookImage* image) noexcept nogil:
        """Makes `image` the newest; returns -1 where it cannot be written."""
        return self.write_raw(<const char*>image, sizeof(BookImage))
