"""The run directory while an engine lives: a log-out may wipe it, or take it away for good.

Without it no console sees the engine, but the engine needs nothing that lies there: it goes on
trading, and lays board and socket as soon as there is a place for them again.
"""

from __future__ import annotations

from dailyarb.core.domain.errors import DailyarbError
from dailyarb.runtime.board import BoardWriter
from dailyarb.runtime.control import ControlServer
from dailyarb.runtime.logs import Log


class RunDir:
    """Lays board and socket anew where they are gone.

    Args:
        board: the engine's board.
        control: its control socket.
        log: told when something was laid, and once when it could not be.
    """

    def __init__(self, board: BoardWriter, control: ControlServer, log: Log) -> None:
        self._board = board
        self._control = control
        self._log = log
        self._why = ""

    async def ensure(self) -> None:
        """Looks once; what cannot be laid is tried again at the next look."""
        try:
            laid = self._board.ensure()
            laid = await self._control.ensure() or laid
        except (DailyarbError, OSError) as error:
            if str(error) != self._why:
                self._why = str(error)
                self._log.event("error", "board.lost", what=self._why)
            return
        self._why = ""
        if laid:
            self._log.event("warn", "board.laid")
