"""Whether a replaying venues process has come to the end of its recording.

It says so some seconds before it closes its sockets, so that an engine which asks can stop with its
books still in sync.
"""

from __future__ import annotations

import aiohttp

_PATIENCE = aiohttp.ClientTimeout(total=2.0)


async def recording_ended(session: aiohttp.ClientSession, control: str) -> bool:
    """Says whether the play behind a control endpoint is over; an unreadable answer says no.

    Args:
        session: any open session.
        control: the control endpoint of the venues' greeting.
    """
    try:
        ask = session.post(f"{control}/control", json={"op": "state"}, timeout=_PATIENCE)
        async with ask as at:
            body = await at.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False
    return isinstance(body, dict) and body.get("ended") is True
