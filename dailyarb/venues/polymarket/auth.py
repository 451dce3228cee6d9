"""Proof of who asks, by an API secret: what the venue calls L2.

It is base64url, padded, of HMAC-SHA256 over timestamp (seconds) + method + path without its query
+ the very body bytes that are sent. POLY_ADDRESS is the signing key's address for every wallet
type. API keys are made elsewhere: the wallet's own key signs orders here and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import NoReturn

from dailyarb.core.domain.errors import SecretError


def _plain(name: str, text: str) -> str:
    """Returns a credential fit for a header: printable ASCII without spaces, 1 to 256 of it."""
    if not (0 < len(text) <= 256 and text.isascii() and text.isprintable() and " " not in text):
        raise SecretError(f"the API {name} is not plain text")
    return text


def _key_bytes(secret: str) -> bytes:
    """Returns the HMAC key of an API secret; the venue leaves its padding out at times."""
    text = secret.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        # Raised outside the handler: a chained exception could carry the secret.
        raise SecretError("the API secret is not base64")
    return key


class Credentials:
    """Holds an API key and proves it on requests; prints as *** and refuses pickling.

    Args:
        api_key: names the key, also the `owner` of its orders.
        secret: base64url, with or without padding.
        passphrase: as given by the venue.

    Raises:
        SecretError: one of them is malformed; its text is never shown.
    """

    __slots__ = ("_hmac", "_passphrase", "_secret", "api_key")

    def __init__(self, api_key: str, secret: str, passphrase: str) -> None:
        self.api_key = _plain("key", api_key)
        self._secret = _plain("secret", secret)
        self._passphrase = _plain("passphrase", passphrase)
        self._hmac = hmac.new(_key_bytes(secret), digestmod="sha256")

    def __repr__(self) -> str:
        return "Credentials(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are never pickled or copied")

    def signature(self, timestamp_s: int, method: str, path: str, body: bytes = b"") -> str:
        """Returns the L2 signature of one request.

        Args:
            timestamp_s: Unix seconds, the venue's.
            method: GET, POST or DELETE.
            path: from the slash on; a query is not signed and may stand in it.
            body: the bytes that will be sent, b"" without a body.
        """
        proof = self._hmac.copy()
        proof.update(f"{timestamp_s}{method}{path.partition('?')[0]}".encode() + body)
        return base64.b64encode(proof.digest(), b"-_").decode()

    def channel_auth(self) -> dict[str, str]:
        """Returns the `auth` object of the user channel's first frame. Never log it."""
        return {
            "apiKey": self.api_key,
            "secret": self._secret,
            "passphrase": self._passphrase,
        }

    def fixed_headers(self, address: str) -> dict[str, str]:
        """Returns the L2 headers that stay the same for every request of an address."""
        return {
            "POLY_ADDRESS": address,
            "POLY_API_KEY": self.api_key,
            "POLY_PASSPHRASE": self._passphrase,
        }


class RequestAuth:
    """Makes the L2 headers of one address and one API key.

    Args:
        address: the signing key's address, 0x text.
        credentials: the API key.
    """

    __slots__ = ("_credentials", "_fixed", "_prefix")

    def __init__(self, address: str, credentials: Credentials) -> None:
        self._credentials = credentials
        self._fixed = credentials.fixed_headers(_plain("address", address))
        lines = "".join(f"{name}: {text}\r\n" for name, text in self._fixed.items())
        self._prefix = lines.encode() + b"POLY_TIMESTAMP: "

    def __repr__(self) -> str:
        return "RequestAuth(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are never pickled or copied")

    def block(self, timestamp_s: int, method: str, path: str, body: bytes = b"") -> bytes:
        """Returns the header lines ready for the wire, each ended by CRLF."""
        proof = self._credentials.signature(timestamp_s, method, path, body)
        return self._prefix + f"{timestamp_s}\r\nPOLY_SIGNATURE: {proof}\r\n".encode()

    def headers(
        self, timestamp_s: int, method: str, path: str, body: bytes = b""
    ) -> dict[str, str]:
        """Returns the same as a mapping."""
        return {
            **self._fixed,
            "POLY_TIMESTAMP": str(timestamp_s),
            "POLY_SIGNATURE": self._credentials.signature(timestamp_s, method, path, body),
        }
