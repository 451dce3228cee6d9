"""A client of the replayed order book for tests: signs, authenticates, reads answers."""

from __future__ import annotations

import json
from typing import Any

from dailyarb.core.domain.commands import OrderDraft
from dailyarb.core.domain.market import Side
from dailyarb.core.domain.orders import TIF
from dailyarb.sim.embedded import Credentials as Known
from dailyarb.sim.types import Request
from dailyarb.venues.polymarket.auth import Credentials, RequestAuth
from dailyarb.venues.polymarket.signer import Signer


class ReplayClient:
    """Makes signed requests for one account; `now_s` is the venue's time in seconds."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self._signer = Signer(known.private_key)
        credentials = Credentials(known.api_key, known.secret, known.passphrase)
        self._auth = RequestAuth(known.address, credentials)
        self._count = 0

    def order(
        self,
        token: str,
        side: Side,
        amounts_e6: tuple[int, int],
        now_s: int,
        tif: TIF = TIF.GTC,
        post_only: bool = False,
    ) -> tuple[str, dict[str, Any]]:
        """Returns the id and the body of one order; amounts are (maker_e6, taker_e6)."""
        self._count += 1
        draft = OrderDraft(
            draft_id=self._count,
            market_id="",
            token=token,
            side=side,
            maker_e6=amounts_e6[0],
            taker_e6=amounts_e6[1],
            salt=self._count,
            stamp_ms=now_s * 1_000 + self._count,
            tif=tif,
            post_only=post_only,
            neg_risk=False,
            version="v1",
        )
        signed = self._signer.sign(draft)
        body = {
            "deferExec": False,
            "owner": self.known.api_key,
            "orderType": tif.value,
            "postOnly": post_only,
            "order": json.loads(signed.order_json),
        }
        return signed.order_id, body

    def request(self, method: str, path: str, body: object, now_s: int) -> Request:
        """Returns one authenticated request."""
        query = tuple(
            tuple(pair.split("=", 1)) for pair in path.partition("?")[2].split("&") if pair
        )
        path = path.partition("?")[0]
        raw = json.dumps(body, separators=(",", ":")).encode() if body is not None else b""
        headers = self._auth.headers(now_s, method, path, raw)
        return Request(method, path, query, headers, raw)  # type: ignore[arg-type]
