# cython: language_level=3
"""SPSC ring of byte records: one producer, one consumer, threads or processes, nobody waits."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

cdef extern from "ring.hpp" namespace "dailyarb" nogil:
    int64_t RING_EMPTY
    int64_t RING_BROKEN
    int64_t RING_NO_ROOM
    RingHead* ring_head(char* base)
    void ring_lay(char* base, uint64_t capacity)
    bint ring_is(char* base, uint64_t capacity)
    bint ring_push(char* base, uint64_t capacity, const char* record, size_t size,
                   int64_t stamp, uint32_t tag)
    int64_t ring_peek(char* base, uint64_t capacity)
    void ring_take(char* base, uint64_t capacity, char* into, size_t size,
                   int64_t* stamp, uint32_t* tag)

cdef Py_ssize_t HEAD_BYTES = sizeof(RingHead)
cdef Py_ssize_t LINE = 64


cdef class Ring:
    """Is a lossy queue of byte records between one producer and one consumer.

    A record that does not fit is dropped and counted, never waited for. One thread may push and
    one thread may pop at the same time, in one process or two.

    Args:
        capacity: bytes, a power of two, 64 to 2**31; a record takes 16 and its payload rounded
            up to 16.
        memory: where the ring lies (writable, `bytes_for(capacity)` bytes from `offset`);
            without it the ring owns its memory.
        offset: its place, best a multiple of 64.
        fresh: lay an empty ring; False joins the one that is there.

    Raises:
        ValueError: a bad capacity, too little memory, or no ring of this capacity to join.
        TypeError: the memory is read-only.
    """

    def __init__(
        self,
        capacity: int = 1048576,
        Memory memory = None,
        Py_ssize_t offset = 0,
        bint fresh = True,
    ) -> None:
        if not 64 <= capacity <= 1 << 31 or capacity & (capacity - 1):
            raise ValueError(f"capacity is {capacity}, allowed a power of two, 64 to {1 << 31}")
        if memory is None:
            memory = Memory(bytearray(capacity + HEAD_BYTES + LINE))
            offset = -<Py_ssize_t>memory.base % LINE
            fresh = True
        if not memory.writable:
            raise TypeError("a ring needs writable memory")
        self.base = memory.place(offset, capacity + HEAD_BYTES)
        self.memory, self.offset, self.capacity = memory, offset, capacity
        if fresh:
            ring_lay(self.base, self.capacity)
        elif not ring_is(self.base, self.capacity):
            raise ValueError(f"no ring of {capacity} bytes to join")

    @staticmethod
    def bytes_for(capacity: int) -> int:
        """Returns the bytes of memory that a ring of this capacity takes."""
        return capacity + HEAD_BYTES

    @property
    def pushed(self) -> int:
        """Returns how many records went in."""
        return self._head().pushed.load()

    @property
    def dropped(self) -> int:
        """Returns how many records found no room."""
        return self._head().dropped.load()

    @property
    def popped(self) -> int:
        """Returns how many records came out."""
        return self._head().popped.load()

    @property
    def used_bytes(self) -> int:
        """Returns how many bytes of the capacity are waiting."""
        cdef uint64_t head = self._head().head.load()
        return self._head().tail.load() - head

    def push(
        self, const unsigned char[::1] record not None, int64_t stamp=0, uint32_t tag=0
    ) -> bool:
        """Puts one record in; the buffer is borrowed for the call.

        Returns:
            False when it was dropped for lack of room.
        """
        cdef Py_ssize_t size = record.shape[0]
        self._head()
        return self.push_tagged(<const char*>&record[0] if size else NULL, size, stamp, tag)

    def pop(self) -> tuple[int, bytes] | None:
        """Takes the oldest record out as (stamp, bytes), or None when there is none.

        Raises:
            RuntimeError: the memory no longer holds a ring.
        """
        cdef int64_t stamp
        cdef uint32_t tag
        record = self._take(&stamp, &tag)
        return None if record is None else (stamp, record)

    def drain(self, Py_ssize_t records_max) -> list[tuple[int, bytes]]:
        """Takes up to `records_max` records out, oldest first, as (stamp, bytes)."""
        return [(stamp, record) for stamp, _, record in self.drain_tagged(records_max)]

    def drain_tagged(self, Py_ssize_t records_max) -> list[tuple[int, int, bytes]]:
        """Takes up to `records_max` records out, oldest first, as (stamp, tag, bytes)."""
        cdef int64_t stamp
        cdef uint32_t tag
        cdef list out = []
        while len(out) < records_max:
            record = self._take(&stamp, &tag)
            if record is None:
                break
            out.append((stamp, tag, record))
        return out

    cdef RingHead* _head(self) except NULL:
        """Returns the head, after checking that the memory is still there."""
        self.memory.place(self.offset, HEAD_BYTES)
        return ring_head(self.base)

    cdef object _take(self, int64_t* stamp, uint32_t* tag):
        """Returns the oldest record as bytes, or None."""
        cdef int64_t size
        self._head()
        size = ring_peek(self.base, self.capacity)
        if size == RING_EMPTY:
            return None
        if size < 0:
            raise RuntimeError("the memory of the ring is broken")
        record = PyBytes_FromStringAndSize(NULL, size)
        ring_take(self.base, self.capacity, PyBytes_AS_STRING(record), size, stamp, tag)
        return record

    cdef bint push_raw(self, const char* record, size_t size, int64_t stamp) noexcept nogil:
        return self.push_tagged(record, size, stamp, 0)

    cdef bint push_tagged(
        self, const char* record, size_t size, int64_t stamp, uint32_t tag
    ) noexcept nogil:
        if self.memory.base == NULL:
            return False
        return ring_push(self.base, self.capacity, record, size, stamp, tag)

    cdef int64_t pop_raw(
        self, char* into, size_t room, int64_t* stamp, uint32_t* tag
    ) noexcept nogil:
        cdef int64_t size
        if self.memory.base == NULL:
            return RING_BROKEN
        size = ring_peek(self.base, self.capacity)
        if size < 0:
            return size
        if <size_t>size > room:
            return RING_NO_ROOM
        ring_take(self.base, self.capacity, into, size, stamp, tag)
        return size
