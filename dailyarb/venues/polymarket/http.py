"""Polymarket over HTTP, reads only: discovery, books, and our own account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.errors import FrameFault, OutcomeUnknown, Refused
from dailyarb.core.domain.events import OpenOrder
from dailyarb.core.domain.market import Outcome
from dailyarb.venues.exact import load
from dailyarb.venues.polymarket import answers, catalog, codec
from dailyarb.venues.reads import Query, Reader

PAGES_MAX = 500
VENUE = "polymarket"


class HeaderMaker(Protocol):
    """Is what proves a read is ours (`RequestAuth`)."""

    def headers(self, timestamp_s: int, method: str, path: str, body: bytes) -> dict[str, str]:
        """Returns the headers of one request."""
        ...


class Gamma:
    """Asks the catalogue."""

    def __init__(self, base: str) -> None:
        self.reader = Reader(VENUE, base)

    async def market(self, slug: str) -> catalog.WireMarket | None:
        """Returns a market by slug, None when there is none yet.

        Raises:
            VenueError: the catalogue did not answer.
            FrameFault: the answer is damaged.
        """
        try:
            body = await self.reader.get(f"/markets/slug/{slug}")
        except Refused as error:
            if "HTTP 404" in error.detail:
                return None
            raise
        return catalog.gamma_market(body)


class Clob:
    """Asks the order venue: public data, and our own account when given an authority.

    Args:
        base: address of the order venue.
        clock: venue time for the headers.
        auth: makes the headers; None for public data alone.
        signature_type: kind of wallet, for balances.
    """

    def __init__(
        self, base: str, clock: Clock, auth: HeaderMaker | None = None, signature_type: int = 0
    ) -> None:
        self.reader = Reader(VENUE, base)
        self._clock = clock
        self._auth = auth
        self._signature_type = signature_type

    async def server_time(self) -> float:
        """Returns the venue's clock in seconds, whole ones.

        Raises:
            VenueError: no answer, or none that is a time.
        """
        body = await self.reader.get("/time")
        try:
            return answers.server_seconds(body)
        except FrameFault as fault:
            raise OutcomeUnknown(VENUE, "GET /time", str(fault)) from None

    async def version(self) -> int:
        """Returns the order version the venue accepts."""
        found = load(await self.reader.get("/version"))
        version = found.get("version") if isinstance(found, dict) else None
        if not isinstance(version, int):
            raise FrameFault("missing", 0)
        return version

    async def top(self, token: str) -> tuple[int, int]:
        """Returns (bid_e4, ask_e4) of a token's book."""
        return answers.top_of_book(await self.reader.get("/book", [("token_id", token)]))

    async def order(self, order_id: str) -> codec.WireOrder | None:
        """Returns an active order; None when the venue has none active under this id."""
        try:
            body = await self._private(f"/data/order/{order_id}")
        except Refused as error:
            if "HTTP 404" in error.detail:
                return None
            raise
        return answers.one_order(body)

    async def open_orders(self, roles: Mapping[str, Outcome]) -> tuple[OpenOrder, ...]:
        """Returns every open order of the key, all pages or none."""
        rows = await self._pages("/data/orders", ())
        return tuple(answers.open_order(row, roles) for row in rows)

    async def trades(self, query: Query) -> tuple[codec.WireTrade, ...]:
        """Returns every trade of the key that a query names, all pages or none."""
        return tuple(answers.trade(row) for row in await self._pages("/data/trades", query))

    async def cash_e6(self) -> int:
        """Returns the collateral of the account in micro-dollars."""
        return await self._balance([("asset_type", "COLLATERAL")])

    async def shares_e6(self, token: str) -> int:
        """Returns the account's shares of a token in micro-shares."""
        return await self._balance([("asset_type", "CONDITIONAL"), ("token_id", token)])

    async def _balance(self, query: list[tuple[str, str]]) -> int:
        query.append(("signature_type", str(self._signature_type)))
        return answers.balance_e6(await self._private("/balance-allowance", query))

    async def _private(self, path: str, query: Query = ()) -> bytes:
        if self._auth is None:
            raise OutcomeUnknown(VENUE, f"GET {path}", "no credentials")
        stamp_s = self._clock.now().wall_ns // 1_000_000_000
        headers = self._auth.headers(stamp_s, "GET", path, b"")
        return await self.reader.get(path, query, headers)

    async def _pages(self, path: str, query: Query) -> list[Any]:
        """Returns the rows of all pages.

        Raises:
            VenueError: a page did not come, or there are too many.
            FrameFault: a page is damaged, or the cursor goes in circles.
        """
        rows: list[Any] = []
        cursor = answers.CURSOR_START
        seen = {cursor}
        for _ in range(PAGES_MAX):
            body = await self._private(path, [*query, ("next_cursor", cursor)])
            part, cursor = answers.page(body)
            rows.extend(part)
            if cursor == answers.CURSOR_END:
                return rows
            if cursor in seen:
                raise FrameFault("duplicate", len(body))
            seen.add(cursor)
        raise OutcomeUnknown(VENUE, f"GET {path}", f"more than {PAGES_MAX} pages")
