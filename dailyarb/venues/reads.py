"""Reading over HTTP: one session, bounded, without hidden retries of ours, errors classified."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import aiohttp

from dailyarb.core.domain.errors import (
    AuthFailed,
    Blocked,
    OutcomeUnknown,
    Refused,
    Restricted,
    Throttled,
    VenueError,
)

BODY_BYTES_MAX = 16_777_216
Query = Sequence[tuple[str, str]]


class Reader:
    """Asks one base address.

    Args:
        venue: its name in errors.
        base: address without trailing slash.
        timeout_s: longest wait for a whole answer.
        connections: most requests at a time.
    """

    def __init__(
        self, venue: str, base: str, timeout_s: float = 8.0, connections: int = 8
    ) -> None:
        self.venue = venue
        self.base = base
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Closes the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(
        self, path: str, query: Query = (), headers: Mapping[str, str] | None = None
    ) -> bytes:
        """Returns the body of a successful answer.

        Raises:
            Refused: another 4xx; 404 among them.
            Throttled, Restricted, AuthFailed, Blocked: as the status says.
            OutcomeUnknown: no answer, a 5xx, or a body beyond its bound.
        """
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections)
            self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
        request = f"GET {path}"
        try:
            async with self._session.get(
                self.base + path,
                params=list(query) or None,
                headers=headers,
                allow_redirects=False,
            ) as response:
                body = await _read(response.content)
                status, wait = response.status, response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OutcomeUnknown(self.venue, request, f"{type(error).__name__}: {error}") from None
        if body is None:
            raise OutcomeUnknown(self.venue, request, f"more than {BODY_BYTES_MAX} bytes")
        if status == 200:
            return body
        raise _classified(self.venue, request, status, wait, body)


async def _read(stream: aiohttp.StreamReader) -> bytes | None:
    """Returns a whole body, None when it is beyond its bound."""
    whole = bytearray()
    async for part in stream.iter_any():
        whole += part
        if len(whole) > BODY_BYTES_MAX:
            return None
    return bytes(whole)


def _classified(venue: str, request: str, status: int, wait: str, body: bytes) -> VenueError:
    """Returns the error a status means for a read."""
    detail = f"HTTP {status} {_words(body)}".strip()
    seconds = float(wait) if wait.isascii() and wait.isdecimal() else 0.0
    if status in (418, 429):
        return Throttled(venue, request, seconds, detail)
    if status in (425, 503):
        return Restricted(venue, request, detail)
    if status == 401:
        return AuthFailed(venue, request, detail)
    if status in (403, 451):
        return Blocked(venue, request, detail)
    if 400 <= status < 500 and status != 408:
        return Refused(venue, request, detail)
    return OutcomeUnknown(venue, request, detail)


def _words(body: bytes) -> str:
    """Returns the error text of a JSON body, or nothing of a page."""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    if isinstance(found, dict):
        text = found.get("error") or found.get("msg") or found.get("message") or ""
        return str(text)[:200]
    return ""
