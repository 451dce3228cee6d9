"""Seqlock slots: the newest whole blob, whatever happened to its writer."""

from __future__ import annotations

import struct

import pytest

from dailyarb._fast.board import BOOK_BYTES, DEPTH_MAX, BookSlot, Memory, Slot, TornReadError, Word

PAYLOAD = 100
COPY = 64 + 128  # a line of head and the payload in whole lines


def slot_over(place: bytearray) -> Slot:
    """Returns a slot of 100 bytes at the beginning of `place`."""
    return Slot(Memory(place), 0, PAYLOAD)


def sequences(place: bytearray) -> list[int]:
    """Returns the sequence words of both copies."""
    return [struct.unpack_from("<Q", place, at)[0] for at in (0, COPY)]


def half_write(place: bytearray, blob: bytes) -> None:
    """Leaves the slot as a writer does that was killed in the middle of `blob`."""
    first, second = sequences(place)
    at = COPY if first > second else 0
    struct.pack_into("<Q", place, at, max(first, second) + 1)
    struct.pack_into("<Q", place, at + 8, len(blob))
    place[at + 64 : at + 64 + len(blob) // 2] = blob[: len(blob) // 2]


def test_the_newest_blob_is_read_whole_at_any_size() -> None:
    slot = slot_over(bytearray(Slot.bytes_for(PAYLOAD)))
    assert slot.read() is None
    for size in (0, 1, 7, 8, 9, 63, 64, 99, PAYLOAD):
        blob = bytes(range(size))
        slot.write(blob)
        assert slot.read() == blob


def test_a_slot_refuses_what_it_cannot_hold() -> None:
    slot = slot_over(bytearray(Slot.bytes_for(PAYLOAD)))
    slot.write(b"kept")
    with pytest.raises(ValueError, match="101 bytes, allowed 100"):
        slot.write(bytes(101))
    assert slot.read() == b"kept"


@pytest.mark.parametrize("writes", [1, 2, 3])
def test_a_writer_killed_half_way_leaves_the_blob_before(writes: int) -> None:
    place = bytearray(Slot.bytes_for(PAYLOAD))
    slot = slot_over(place)
    for number in range(writes):
        slot.write(bytes([number]) * 90)
    half_write(place, b"\xff" * PAYLOAD)
    assert slot.read() == bytes([writes - 1]) * 90
    # The next writer, maybe another process, goes on over the broken copy.
    slot_over(place).write(b"after")
    assert slot.read() == b"after"
    slot.write(b"and after")
    assert slot.read() == b"and after"


def test_a_first_blob_never_finished_was_never_written() -> None:
    place = bytearray(Slot.bytes_for(PAYLOAD))
    slot = slot_over(place)
    half_write(place, b"\xff" * PAYLOAD)
    assert slot.read() is None


def test_sequences_only_grow() -> None:
    place = bytearray(Slot.bytes_for(PAYLOAD))
    slot = slot_over(place)
    seen = 0
    for number in range(20):
        if number % 3 == 2:
            half_write(place, b"\xff" * 9)
        slot.write(b"x")
        newest = max(sequences(place))
        assert newest % 2 == 0
        assert newest > seen
        seen = newest


def test_foreign_memory_is_a_torn_read_not_a_hang() -> None:
    place = bytearray(Slot.bytes_for(PAYLOAD))
    slot = slot_over(place)
    struct.pack_into("<Q", place, 0, 3)
    struct.pack_into("<Q", place, COPY, 5)
    with pytest.raises(TornReadError):
        slot.read()
    struct.pack_into("<QQ", place, 0, 8, PAYLOAD + 1)
    with pytest.raises(TornReadError):
        slot.read()


def test_read_only_memory_is_read_only() -> None:
    place = bytearray(Slot.bytes_for(PAYLOAD))
    slot_over(place).write(b"seen")
    reader = Slot(Memory(memoryview(place).toreadonly()), 0, PAYLOAD)
    assert reader.read() == b"seen"
    with pytest.raises(TypeError, match="read-only"):
        reader.write(b"no")


def test_a_slot_must_lie_inside_its_memory() -> None:
    memory = Memory(bytearray(Slot.bytes_for(PAYLOAD)))
    for offset, payload in ((8, PAYLOAD), (-8, 8), (4, 8), (0, PAYLOAD + 64)):
        with pytest.raises(ValueError, match="bytes at"):
            Slot(memory, offset, payload)
    with pytest.raises(ValueError, match="payload_bytes"):
        Slot(memory, 0, 0)
    with memoryview(bytearray(65)) as view, pytest.raises(ValueError, match="boundary"):
        Memory(view[1:])


def test_released_memory_is_refused_and_may_be_exchanged() -> None:
    first, second = Memory(bytearray(1024)), Memory(bytearray(1024))
    slot, word = Slot(first, 8, PAYLOAD), Word(first, 0)
    slot.write(b"old")
    first.release()
    first.release()
    for use in (slot.read, lambda: slot.write(b"x"), word.load, lambda: word.store(1)):
        with pytest.raises(ValueError, match="released"):
            use()
    slot.rebind(second)
    word.rebind(second)
    assert slot.read() is None
    word.store(-5)
    assert word.load() == -5


def test_a_word_is_signed_and_guarded() -> None:
    with pytest.raises(ValueError, match="bytes at"):
        Word(Memory(bytearray(8)), 8)
    with pytest.raises(TypeError, match="read-only"):
        Word(Memory(b"12345678"), 0).store(1)


def test_a_book_comes_back_as_it_was_laid() -> None:
    slot = BookSlot(Memory(bytearray(Slot.bytes_for(BOOK_BYTES))), 0)
    assert slot.read_book() is None
    head = (3, 1 << 40, 1, 25, 0, 123_456_789_012, 1_777_400_000_000)
    bids = [(5_000 - i, 10**15 - i) for i in range(DEPTH_MAX)]
    slot.write_book(head, bids, [(5_001, 7)])
    assert slot.read_book() == (head, bids, [(5_001, 7)])
    slot.write_book(head, [], [(9_999 - i, 1) for i in range(30)])
    assert slot.read_book() == (head, [], [(9_999 - i, 1) for i in range(DEPTH_MAX)])


def test_a_book_that_does_not_fit_its_fields_is_refused_whole() -> None:
    slot = BookSlot(Memory(bytearray(Slot.bytes_for(BOOK_BYTES))), 0)
    head = (0, 0, 0, 100, 0, 0, 0)
    slot.write_book(head, [], [])
    with pytest.raises(OverflowError):
        slot.write_book(head, [(1 << 31, 1)], [])
    with pytest.raises(OverflowError):
        slot.write_book(head, [(1, 1 << 63)], [])
    assert slot.read_book() == (head, [], [])


def test_a_foreign_book_is_refused() -> None:
    place = bytearray(Slot.bytes_for(BOOK_BYTES))
    memory = Memory(place)
    blob = Slot(memory, 0, BOOK_BYTES)
    for foreign in (b"short", struct.pack("<6i", 0, 0, 0, 0, 21, 0).ljust(BOOK_BYTES, b"\0")):
        blob.write(foreign)
        with pytest.raises(TornReadError, match="book"):
            BookSlot(memory, 0).read_book()
