"""The other process of `test_board_processes.py`: writes a board or fills a ring until killed.

python -m tests.integration.board_child view|books|large PATH
python -m tests.integration.board_child ring PATH RECORDS SEED keep|drop
"""

from __future__ import annotations

import mmap
import random
import sys
import zlib
from pathlib import Path

from dailyarb._fast.board import Memory
from dailyarb._fast.ring import Ring
from dailyarb.core.domain.orders import BookState
from dailyarb.runtime.board import BoardWriter, BookImage

RING_BYTES = 1 << 14
LARGE = 1 << 20


def sealed(number: int, size: int) -> bytes:
    """Returns a blob that carries its number, depends on it everywhere, and ends in a checksum."""
    body = number.to_bytes(8, "little") * size
    return body + zlib.crc32(body).to_bytes(4, "little")


def opened(blob: bytes) -> int:
    """Returns the number of a sealed blob; fails if a byte of it is not its own."""
    number = int.from_bytes(blob[:8], "little")
    assert blob[-4:] == zlib.crc32(blob[:-4]).to_bytes(4, "little")
    assert blob[:-4] == blob[:8] * (len(blob) // 8)
    return number


def book_of(number: int) -> BookImage:
    """Returns a book every field of which follows from one number."""
    levels = [(number % 10_000, number + i) for i in range(number % 21)]
    return BookImage(
        1, number, BookState.SYNCED, 100, number, number, levels, levels[::-1], number % 7
    )


def write_board(mode: str, path: Path) -> None:
    """Writes views, books or large views as fast as it can."""
    writer = BoardWriter.create(path, "hammer", books_max=1, view_bytes_max=LARGE)
    large = [sealed(number, LARGE // 8 - 1) for number in range(4)]
    number = 0
    while True:
        number += 1
        if mode == "view":
            writer.write_view(sealed(number, 1 + number % 60))
        elif mode == "books":
            writer.write_book(0, book_of(number))
        else:
            writer.write_view(large[number % 4])


def fill_ring(path: Path, records: int, seed: int, keep: bool) -> None:
    """Pushes sealed records; with `keep` it offers each until there is room."""
    draw = random.Random(seed)
    sizes = [draw.randrange(1, 40) for _ in range(997)]
    with path.open("r+b") as file:
        ring = Ring(RING_BYTES, Memory(mmap.mmap(file.fileno(), 0)), fresh=False)
        for number in range(records):
            blob = sealed(number, sizes[number % 997])
            while not ring.push(blob, number, number % 5) and keep:
                pass


if __name__ == "__main__":
    if sys.argv[1] == "ring":
        fill_ring(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5] == "keep")
    else:
        write_board(sys.argv[1], Path(sys.argv[2]))
