"""The terminal driver that halts from its input thread.

Textual hands keys to the event loop; a loop that is busy, or a machine whose cores are, would make
HALT wait. So the halt keys are acted upon here, in the thread that reads the terminal, before the
loop hears of them. The normal binding still runs: it shows what came of it, and sends the halt
itself where none was delivered or the engine does not show it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from textual.driver import Driver
from textual.events import Key
from textual.message import Message


class HaltKeys:
    """Is what the input thread needs: which keys halt, and how."""

    def __init__(self, keys: frozenset[str], halt: Callable[[], bool]) -> None:
        self.keys = keys
        self._halt = halt
        self.delivered = 0
        self.failed = 0
        self._taken = 0

    def press(self, key: str) -> bool:
        """Halts if the key says so; runs in the input thread and touches nothing else."""
        if key not in self.keys:
            return False
        if self._halt():
            self.delivered += 1
        else:
            self.failed += 1
        return True

    def take(self) -> bool:
        """Says whether a halt has been delivered since the last call; called in the loop."""
        fresh, self._taken = self.delivered > self._taken, self.delivered
        return fresh


def halting(driver: type[Driver], keys: HaltKeys) -> type[Driver]:
    """Returns a driver that behaves like `driver` and halts from its input thread."""

    class HaltingDriver(driver):  # type: ignore[valid-type, misc]
        """Looks at each key before the loop does."""

        def process_message(self, message: Message) -> None:
            """Halts on a halt key, then passes the message on."""
            if isinstance(message, Key):
                keys.press(message.key)
            cast("Any", super()).process_message(message)

    return HaltingDriver
