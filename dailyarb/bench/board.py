"""What crosses between threads and processes: ring, board, histogram."""

from __future__ import annotations

import queue
import struct
from collections import deque
from multiprocessing import get_context

from prometheus_client import CollectorRegistry, Histogram

from dailyarb._fast.board import BOOK_BYTES, BookSlot, Memory, Slot
from dailyarb._fast.histogram import LatencyHistogram
from dailyarb._fast.ladder import Ladder
from dailyarb._fast.ring import Ring
from dailyarb.bench import kernels
from dailyarb.bench.rounds import Contender, compare

LOOP = 1000
CALLS = 20_000
VIEW_BYTES = 20_000


def _ladder() -> Ladder:
    """Returns a ladder of 30 levels a side."""
    ladder = Ladder(10)
    for step in range(30):
        ladder.apply_level(0, 0, 4_990 - 10 * step, 1_000_000 + step, 1)
        ladder.apply_level(0, 1, 5_010 + 10 * step, 1_000_000 + step, 1)
    return ladder


def _ring_rows(rounds: int) -> list[dict[str, object]]:
    """Measures one record of 64 bytes in and out, in C and from Python."""
    record = bytes(64)
    ring, simple, double = Ring(1 << 16), queue.SimpleQueue[bytes](), deque[bytes]()
    locked = queue.Queue[bytes]()

    def through_ring() -> None:
        ring.push(record, 1)
        ring.pop()

    def through_simple_queue() -> None:
        simple.put(record)
        simple.get()

    def through_deque() -> None:
        double.append(record)
        double.popleft()

    def through_queue() -> None:
        locked.put(record)
        locked.get()

    peers: dict[str, Contender] = {
        "queue.SimpleQueue": through_simple_queue,
        "collections.deque": through_deque,
        "queue.Queue": through_queue,
    }
    in_c = compare(
        "ring push + pop of 64 bytes, in C",
        lambda: kernels.ring_hand_over(ring, record, LOOP),
        peers,
        rounds,
        CALLS,
        {"ours": LOOP},
    )
    from_python = compare(
        "ring push + pop of 64 bytes, from Python", through_ring, peers, rounds, CALLS
    )
    return [in_c, from_python]


def _board_rows(rounds: int) -> list[dict[str, object]]:
    """Measures a book and a view through the board, beside a lock around the same bytes."""
    place = bytearray(Slot.bytes_for(BOOK_BYTES) + Slot.bytes_for(VIEW_BYTES))
    memory = Memory(place)
    book = BookSlot(memory, 0)
    view = Slot(memory, Slot.bytes_for(BOOK_BYTES), VIEW_BYTES)
    ladder, blob = _ladder(), bytes(VIEW_BYTES)
    lock, plain = get_context("spawn").Lock(), memoryview(bytearray(VIEW_BYTES))
    pack = struct.Struct("<" + "qi" * 40)
    book.write_ladder(ladder, 0, 1, 1)
    view.write(blob)

    def locked_book_write() -> None:
        levels = ladder.levels(0, 0, 20) + ladder.levels(0, 1, 20)
        with lock:
            pack.pack_into(
                plain, 0, *[n for price_e4, size_e6 in levels for n in (size_e6, price_e4)]
            )

    def locked_book_read() -> object:
        with lock:
            return pack.unpack_from(plain, 0)

    def locked_view() -> object:
        with lock:
            plain[:] = blob
        with lock:
            return plain.tobytes()

    def through_view() -> object:
        view.write(blob)
        return view.read()

    name = "multiprocessing.Lock + struct"
    return [
        compare(
            "board: write a book of 40 levels, in C",
            lambda: kernels.book_write(book, ladder, LOOP),
            {name: locked_book_write},
            rounds,
            CALLS,
            {"ours": LOOP},
        ),
        compare(
            "board: read a book of 40 levels, in C",
            lambda: kernels.book_read(book, LOOP),
            {name: locked_book_read},
            rounds,
            CALLS,
            {"ours": LOOP},
        ),
        compare(
            "board: read a book of 40 levels, as Python lists",
            book.read_book,
            {name: locked_book_read},
            rounds,
            CALLS,
        ),
        compare(
            "board: write and read a view of 20 kB, from Python",
            through_view,
            {"multiprocessing.Lock + memoryview": locked_view},
            rounds,
            CALLS // 4,
        ),
    ]


def _histogram_rows(rounds: int) -> list[dict[str, object]]:
    """Measures one latency counted."""
    ours = LatencyHistogram()
    buckets = [2.0**power for power in range(5, 38)]
    peer = Histogram("stage_ns", "latency", buckets=buckets, registry=CollectorRegistry())
    peers: dict[str, Contender] = {"prometheus-client Histogram": lambda: peer.observe(23_000.0)}
    return [
        compare(
            "histogram: count one latency, in C",
            lambda: kernels.histogram_record(ours, LOOP),
            peers,
            rounds,
            CALLS,
            {"ours": LOOP},
        ),
        compare(
            "histogram: count one latency, from Python",
            lambda: ours.record(23_000),
            peers,
            rounds,
            CALLS,
        ),
    ]


def run(rounds: int = 7) -> list[dict[str, object]]:
    """Returns the rows {name, unit, ours, peers, ratio_to_best_peer}; takes a few seconds.

    Args:
        rounds: interleaved repetitions of every contender.
    """
    return [*_ring_rows(rounds), *_board_rows(rounds), *_histogram_rows(rounds)]
