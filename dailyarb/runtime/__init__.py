"""The asyncio shell: sockets, timers, journal, board, control socket, processes."""
