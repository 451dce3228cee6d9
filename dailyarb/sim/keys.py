"""Who is asking: L2 headers on private calls, L1 attestations for new keys.

Source: polymarket.md, section 5.1.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from fractions import Fraction

from dailyarb.sim import eip712, wire
from dailyarb.sim.accounts import Account, Ledger
from dailyarb.sim.types import NS_PER_S, Reply, Request

_BAD = "Unauthorized/Invalid api key"


class NotAuthorizedError(Exception):
    """Is a request without valid headers."""


class Keys:
    """Checks headers against the ledger's accounts."""

    def __init__(self, ledger: Ledger, skew_s_max: float) -> None:
        """Takes the largest difference between a header's stamp and the venue's clock."""
        self._ledger = ledger
        self._skew_s_max = skew_s_max

    def check(self, request: Request, now_ns: int) -> Account:
        """Returns the account behind L2 headers.

        Raises:
            NotAuthorizedError: a header is missing, unknown, too old, or the signature is wrong.
        """
        account = self._ledger.accounts.get(request.header("POLY_API_KEY"))
        stamp = request.header("POLY_TIMESTAMP")
        if account is None or not self._fresh(stamp, now_ns):
            raise NotAuthorizedError(_BAD)
        if request.header("POLY_ADDRESS").lower() != account.address.lower():
            raise NotAuthorizedError(_BAD)
        if not hmac.compare_digest(request.header("POLY_PASSPHRASE"), account.passphrase):
            raise NotAuthorizedError(_BAD)
        expected = eip712.hmac_signature(
            account.secret, stamp, request.method, request.path, request.body
        )
        if not hmac.compare_digest(request.header("POLY_SIGNATURE"), expected):
            raise NotAuthorizedError(_BAD)
        return account

    def issue(self, request: Request, now_ns: int) -> Reply:
        """Answers an L1 call: derive returns the existing triple, create makes one.

        Raises:
            NotAuthorizedError: the attestation does not come from the address.
        """
        address = request.header("POLY_ADDRESS")
        stamp, nonce = request.header("POLY_TIMESTAMP"), request.header("POLY_NONCE") or "0"
        if not nonce.isdigit() or not self._fresh(stamp, now_ns):
            raise NotAuthorizedError("Invalid L1 Request headers")
        try:
            signature = request.header("POLY_SIGNATURE")
            signer = eip712.auth_signer(address, stamp, int(nonce), signature)
        except eip712.SignatureError as error:
            raise NotAuthorizedError("Invalid L1 Request headers") from error
        if signer.lower() != address.lower():
            raise NotAuthorizedError("Invalid L1 Request headers")
        known = self._ledger.by_address.get(address.lower())
        creating = request.method == "POST"
        if creating == (known is not None):
            text = "Could not create api key" if creating else "Could not derive api key!"
            return Reply(now_ns, 400, wire.compact({"error": text}))
        if known is None:
            known = Account(address, triple(f"{address.lower()}/{nonce}"), Fraction(0))
            self._ledger.open(known)
        body = {"apiKey": known.api_key, "secret": known.secret, "passphrase": known.passphrase}
        return Reply(now_ns, 200, wire.compact(body))

    def _fresh(self, stamp: str, now_ns: int) -> bool:
        return stamp.isdigit() and abs(int(stamp) - now_ns / NS_PER_S) <= self._skew_s_max


def triple(root: str) -> tuple[str, str, str]:
    """Returns a throw-away API key, secret and passphrase that follow from a text."""
    raw = hashlib.sha256(f"{root}/key".encode()).hexdigest()
    key = f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:32]}"
    secret = base64.urlsafe_b64encode(hashlib.sha256(f"{root}/secret".encode()).digest()).decode()
    return key, secret, hashlib.sha256(f"{root}/phrase".encode()).hexdigest()
