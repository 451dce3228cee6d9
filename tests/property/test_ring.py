"""The ring against a plain list with the same room."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dailyarb._fast.ring import Ring

MOVES = st.lists(st.one_of(st.none(), st.integers(0, 140)), max_size=200)


@settings(max_examples=200, deadline=None)
@given(MOVES, st.sampled_from([64, 128, 512]))
def test_a_ring_is_a_bounded_queue(moves: list[int | None], capacity: int) -> None:
    ring, waiting, used, dropped = Ring(capacity), list[tuple[int, bytes]](), 0, 0
    for stamp, move in enumerate(moves):
        if move is None:
            assert ring.pop() == (waiting[0] if waiting else None)
            if waiting:
                used -= 16 + -(-len(waiting.pop(0)[1]) // 16) * 16
        else:
            record = bytes((stamp + i) % 256 for i in range(move))
            need = 16 + -(-move // 16) * 16
            fits = used + need <= capacity
            assert ring.push(record, stamp) is fits
            if fits:
                waiting.append((stamp, record))
                used += need
            else:
                dropped += 1
        assert (ring.used_bytes, ring.dropped) == (used, dropped)
    assert ring.drain(1000) == waiting
