"""A heap of due things: equal times run in the order in which they were planned."""

from __future__ import annotations

import heapq
from collections.abc import Callable

Action = Callable[[int], None]


class Schedule:
    """Is what a model means to do, and when; the heart of `advance`."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Action]] = []
        self._count = 0

    def at(self, due_ns: int, action: Action) -> None:
        """Plans an action; it is called with its own due time."""
        self._count += 1
        heapq.heappush(self._heap, (due_ns, self._count, action))

    def next_due_ns(self) -> int | None:
        """Returns the earliest due time."""
        return self._heap[0][0] if self._heap else None

    def run(self, now_ns: int) -> None:
        """Runs everything due by now, in order, including what that plans."""
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            due_ns, _, action = heapq.heappop(heap)
            action(due_ns)
