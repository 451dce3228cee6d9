"""What is written to Polymarket's sockets, exactly. Sans-IO.

The first frame of a market-channel connection has another shape than all later ones; the first
form sent twice is refused. Compact JSON: some filters are matched as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

IDS_PER_FRAME_MAX = 100  # longer subscriptions make the server close
PING = b"PING"

_encode = msgspec.json.Encoder().encode


def _parts(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[at : at + IDS_PER_FRAME_MAX] for at in range(0, len(ids), IDS_PER_FRAME_MAX)]


class MarketSubscription:
    """Is what one connection of the market channel is subscribed to."""

    def __init__(self) -> None:
        self.tokens: dict[str, None] = {}
        self._greeted = False

    @property
    def greeted(self) -> bool:
        """Says whether the first frame was sent: a PING before it closes the socket."""
        return self._greeted

    def want(self, tokens: Sequence[str]) -> list[bytes]:
        """Returns the frames that turn the subscription into these tokens."""
        wanted = dict.fromkeys(tokens)
        gone = [token for token in self.tokens if token not in wanted]
        new = [token for token in wanted if token not in self.tokens]
        self.tokens = wanted
        return self._leave(gone) + self._join(new)

    def renew(self, tokens: Sequence[str]) -> list[bytes]:
        """Returns the frames that make the server send these tokens' snapshots again."""
        known = [token for token in tokens if token in self.tokens]
        return self._leave(known) + self._join(known)

    def _join(self, tokens: Sequence[str]) -> list[bytes]:
        frames: list[bytes] = []
        for part in _parts(tokens):
            if self._greeted:
                head: dict[str, object] = {"operation": "subscribe"}
            else:
                head = {"type": "market"}
                self._greeted = True
            frames.append(_encode({**head, "assets_ids": part, "custom_feature_enabled": True}))
        return frames

    def _leave(self, tokens: Sequence[str]) -> list[bytes]:
        if not self._greeted:
            return []
        return [
            _encode({"operation": "unsubscribe", "assets_ids": part}) for part in _parts(tokens)
        ]


def user_greeting(auth: Mapping[str, str]) -> str:
    """Returns the first frame of the user channel: everything of the key. Never log it."""
    return _encode({"type": "user", "auth": dict(auth)}).decode()


def bolt_auth(rid: str, auth: Mapping[str, str]) -> str:
    """Returns the authentication of the settling feed. Never log it."""
    return _encode({"op": "auth", "rid": rid, "auth": dict(auth)}).decode()


def bolt_subscribe(rid: str, symbols: Sequence[str], window_s: int) -> str:
    """Returns the subscription to the settling averages of these symbols."""
    wanted = [
        {
            "channel": "price.crypto.twap",
            "filter": {"symbol": symbol, "window_seconds": window_s},
        }
        for symbol in symbols
    ]
    return _encode({"op": "subscribe", "rid": rid, "subscriptions": wanted}).decode()
