"""SPSC ring: records come out once, in order and whole, or are counted as dropped."""

from __future__ import annotations

import pytest

from dailyarb._fast.board import Memory
from dailyarb._fast.ring import Ring


def test_records_come_out_in_order_with_stamp_and_tag() -> None:
    ring = Ring(256)
    assert ring.push(b"one", 11, 1)
    assert ring.push(memoryview(b"two"), 22, 2)
    assert ring.push(b"", -3)
    assert ring.drain_tagged(2) == [(11, 1, b"one"), (22, 2, b"two")]
    assert ring.pop() == (-3, b"")
    assert ring.pop() is None
    assert (ring.pushed, ring.popped, ring.dropped, ring.used_bytes) == (3, 3, 0, 0)


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    ring = Ring(64)
    assert ring.push(b"x" * 49) is False  # never fits: 16 of head and 64 of payload
    assert ring.push(b"a" * 16) is True
    assert ring.push(b"b" * 16) is True
    assert ring.push(b"c") is False
    assert (ring.pushed, ring.dropped, ring.used_bytes) == (2, 2, 64)
    assert ring.drain(9) == [(0, b"a" * 16), (0, b"b" * 16)]
    assert ring.push(b"c") is True


def test_a_record_may_fill_the_ring_and_wrap_around_its_end() -> None:
    ring = Ring(128)
    ring.push(b"z" * 30)
    ring.pop()
    whole = bytes(range(112))
    assert ring.push(whole) is True
    assert ring.push(b"") is False
    assert ring.pop() == (0, whole)
    assert ring.push(bytes(113)) is False


def test_drain_takes_no_more_than_asked() -> None:
    ring = Ring(1024)
    for number in range(5):
        ring.push(bytes([number]), number)
    assert ring.drain(0) == []
    assert ring.drain(3) == [(0, b"\0"), (1, b"\1"), (2, b"\2")]
    assert len(ring.drain(100)) == 2


def test_two_ends_share_one_memory() -> None:
    memory = Memory(bytearray(Ring.bytes_for(256) + 64))
    producer = Ring(256, memory, 64)
    consumer = Ring(256, memory, 64, fresh=False)
    producer.push(b"over there", 5)
    assert consumer.pop() == (5, b"over there")
    assert producer.popped == 1


def test_a_ring_joins_only_a_ring() -> None:
    memory = Memory(bytearray(Ring.bytes_for(512)))
    with pytest.raises(ValueError, match="no ring"):
        Ring(512, memory, fresh=False)
    Ring(512, memory)
    with pytest.raises(ValueError, match="no ring"):
        Ring(256, memory, fresh=False)


@pytest.mark.parametrize("capacity", [0, 32, 100, 1 << 32])
def test_a_capacity_is_a_power_of_two(capacity: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Ring(capacity)


def test_a_ring_needs_enough_writable_memory_that_stays() -> None:
    with pytest.raises(TypeError, match="writable"):
        Ring(64, Memory(bytes(Ring.bytes_for(64) + 64)))
    with pytest.raises(ValueError, match="bytes at"):
        Ring(64, Memory(bytearray(Ring.bytes_for(64) - 1)))
    memory = Memory(bytearray(Ring.bytes_for(64)))
    ring = Ring(64, memory)
    memory.release()
    for use in (ring.pop, lambda: ring.push(b"x"), lambda: ring.pushed):
        with pytest.raises(ValueError, match="released"):
            use()


@pytest.mark.parametrize("word_at", [64, 128, 192])
def test_broken_memory_is_noticed_not_followed(word_at: int) -> None:
    """Damage to tail, head or a record's size: no read beyond the ring."""
    place = bytearray(Ring.bytes_for(64))
    memory = Memory(place)
    ring = Ring(64, memory)
    ring.push(b"x")
    with memoryview(place) as view:
        view[word_at : word_at + 4] = b"\xf0\xff\xff\x7f"
    with pytest.raises(RuntimeError, match="broken"):
        ring.pop()
