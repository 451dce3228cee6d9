"""One signed CLOB V2 order, and one authenticated request, beside the ways others make them.

Peers that are not installed are left out: py-clob-client-v2 (the official client, at its best
with coincurve present) and pycryptodome. Without either, the hand-written peer borrows our Keccak.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

from coincurve import PrivateKey

from dailyarb._fast.order import (
    CHAIN_ID,
    EXCHANGE_CTF,
    ORDER_TYPE_HASH,
    OrderSigner,
    domain_separator,
    keccak256,
)
from dailyarb.bench.rounds import Contender, compare, installed
from dailyarb.core.domain.commands import OrderDraft
from dailyarb.core.domain.market import Side
from dailyarb.core.domain.orders import TIF
from dailyarb.venues.polymarket.auth import Credentials, RequestAuth
from dailyarb.venues.polymarket.signer import Signer

CALLS = 400
KEY = bytes(range(1, 33))  # holds nothing anywhere
TOKEN = 71321045679252212594626385532706912750332728571942532289631379312455583992563
API_SECRET = base64.urlsafe_b64encode(bytes(32)).decode()
DRAFT = OrderDraft(
    draft_id=1,
    market_id="",
    token=str(TOKEN),
    side=Side.BUY,
    maker_e6=5_000_000,
    taker_e6=10_000_000,
    salt=123_456_789,
    stamp_ms=1_777_400_000_000,
    tif=TIF.GTC,
    post_only=False,
    neg_risk=False,
    version="v1",
)


def _by_hand(keccak: Callable[[bytes], bytes], address: str) -> Contender:
    """Returns a contender in Python: words by to_bytes, coincurve with the key kept."""
    key = PrivateKey(KEY)
    separator = domain_separator(EXCHANGE_CTF, CHAIN_ID)
    wallet = bytes.fromhex(address[2:]).rjust(32, b"\0")
    zero = bytes(32)

    def sign() -> tuple[bytes, bytes]:
        numbers = (TOKEN, DRAFT.maker_e6, DRAFT.taker_e6, 0, 0, DRAFT.stamp_ms)
        words = b"".join([number.to_bytes(32, "big") for number in numbers])
        salt = DRAFT.salt.to_bytes(32, "big")
        contents = keccak(ORDER_TYPE_HASH + salt + wallet + wallet + words + zero + zero)
        order_id = keccak(b"\x19\x01" + separator + contents)
        signature = key.sign_recoverable(order_id, hasher=None)
        return order_id, signature[:64] + bytes([27 + signature[64]])

    return sign


def _official() -> Contender | None:
    """Returns the official client's builder, or None when it is not installed."""
    builders = installed("py_clob_client_v2.order_builder.builder")
    signers = installed("py_clob_client_v2.signer")
    types = installed("py_clob_client_v2.clob_types")
    if builders is None or signers is None or types is None:
        return None
    builder = builders.OrderBuilder(signers.Signer("0x" + KEY.hex(), CHAIN_ID))
    wanted = types.OrderArgsV2(token_id=str(TOKEN), price=0.5, size=10.0, side="BUY")
    options = types.CreateOrderOptions(tick_size="0.01", neg_risk=False)

    def build() -> object:
        return builder.build_order(wanted, options)

    return build


def _sign_row(rounds: int) -> dict[str, object]:
    """Measures one order from draft to JSON; the peers stop at the signature."""
    signer = Signer(KEY)
    peers: dict[str, Contender] = {}
    crypto = installed("Crypto.Hash.keccak")
    if crypto is not None:

        def pycryptodome(blob: bytes) -> bytes:
            digest: bytes = crypto.new(digest_bits=256, data=blob).digest()
            return digest

        name = "by hand in Python, coincurve, pycryptodome"
        peers[name] = _by_hand(pycryptodome, signer.address)
    official = _official()
    if official is not None:
        peers["py-clob-client-v2 build_order"] = official
    if not peers:
        # Nobody else's Keccak is installed: the peer borrows ours.
        name = "by hand in Python, coincurve, our Keccak"
        peers[name] = _by_hand(keccak256, signer.address)
    return compare("sign one V2 order", lambda: signer.sign(DRAFT), peers, rounds, CALLS)


def _curve_row(rounds: int) -> dict[str, object]:
    """Measures the curve alone: the floor under any signature."""
    signer, key = OrderSigner(KEY, None, 0, bytes(32)), PrivateKey(KEY)
    digest = bytes(range(32))
    return compare(
        "sign one digest (the floor)",
        lambda: signer.sign_digest(digest),
        {"coincurve sign_recoverable": lambda: key.sign_recoverable(digest, hasher=None)},
        rounds,
        CALLS,
    )


def _keccak_row(rounds: int) -> dict[str, object]:
    """Measures the hashes of one order: 384 and 66 bytes."""
    long, short = bytes(384), bytes(66)
    peers: dict[str, Contender] = {
        "hashlib sha3_256 (same permutation)": lambda: (
            hashlib.sha3_256(long).digest(),
            hashlib.sha3_256(short).digest(),
        )
    }
    crypto = installed("Crypto.Hash.keccak")
    if crypto is not None:
        peers["pycryptodome"] = lambda: (
            crypto.new(digest_bits=256, data=long).digest(),
            crypto.new(digest_bits=256, data=short).digest(),
        )
    return compare(
        "Keccak of 384 + 66 bytes, from Python",
        lambda: (keccak256(long), keccak256(short)),
        peers,
        rounds,
        CALLS * 10,
    )


def _auth_row(rounds: int) -> dict[str, object]:
    """Measures the L2 header lines of one order request."""
    signer = Signer(KEY)
    body = signer.sign(DRAFT).order_json
    auth = RequestAuth(signer.address, Credentials("key", API_SECRET, "pass"))

    def by_hand() -> dict[str, str]:
        text = f"{1_700_000_000}POST/order{body.decode()}".encode()
        key = base64.urlsafe_b64decode(API_SECRET)
        proof = base64.urlsafe_b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
        return {
            "POLY_ADDRESS": signer.address,
            "POLY_SIGNATURE": proof,
            "POLY_TIMESTAMP": "1700000000",
            "POLY_API_KEY": "key",
            "POLY_PASSPHRASE": "pass",
        }

    return compare(
        "L2 headers of one order request",
        lambda: auth.block(1_700_000_000, "POST", "/order", body),
        {"hmac.new per request": by_hand},
        rounds,
        CALLS * 10,
    )


def run(rounds: int = 7) -> list[dict[str, object]]:
    """Returns the rows {name, unit, ours, peers, ratio_to_best_peer}; takes a few seconds.

    Args:
        rounds: interleaved repetitions of every contender.
    """
    return [_sign_row(rounds), _curve_row(rounds), _keccak_row(rounds), _auth_row(rounds)]
