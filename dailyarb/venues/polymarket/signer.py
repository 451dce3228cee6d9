"""Turns a draft into a signed order: its id, its signature, its JSON as the venue wants it.

The id is the venue's hash of what was signed, so it follows from the draft alone and is known
before anything is sent. The digest and the signature are made in `_fast/order.pyx`.

Three exchanges are known (CTF v2 and neg-risk v2 under domain version "2", exchange v3 under
"3"); the market's own `version` and `neg_risk` choose, and any other pair is refused.
"""

from __future__ import annotations

import os
from time import perf_counter_ns
from typing import NoReturn

from dailyarb._fast.order import (
    CHAIN_ID,
    EXCHANGE_CTF,
    EXCHANGE_NEG_RISK,
    EXCHANGE_V3,
    OrderSigner,
    keccak256,
)
from dailyarb.core.domain.commands import OrderDraft
from dailyarb.core.domain.errors import Refused, SecretError, UnitError
from dailyarb.core.domain.events import Signed
from dailyarb.core.domain.market import Side
from dailyarb.core.domain.units import check

EXCHANGES: dict[tuple[str, bool], int] = {
    ("v1", False): EXCHANGE_CTF,
    ("v1", True): EXCHANGE_NEG_RISK,
    ("v2", False): EXCHANGE_V3,
}
EXACT_IN_JSON = (1 << 53) - 1  # the salt travels as a JSON number
AMOUNT_MAX_E6 = (1 << 63) - 1
WORD_MAX = (1 << 256) - 1
TOKENS_MAX = 4096
_ZERO_WORD = "0x" + "00" * 32


def checksummed(address: bytes) -> str:
    """Returns an address of 20 bytes as text with its EIP-55 checksum."""
    digits = address.hex()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) >= 8 else digit
        for digit, mark in zip(digits, marks, strict=False)
    )


def from_hex(name: str, text: str, size: int) -> bytes:
    """Returns the bytes of a hexadecimal text with or without 0x.

    Raises:
        SecretError: it is not `size` bytes; the text itself is never shown.
    """
    try:
        blob = bytes.fromhex(text.strip().removeprefix("0x"))
    except ValueError:
        blob = b""
    if len(blob) != size:
        raise SecretError(f"{name} is not {size} bytes in hexadecimal")
    return blob


class Signer:
    """Signs for one wallet with one key. The key leaves it in no form: repr, pickle or copy.

    Args:
        secret: the private key, 32 bytes or hexadecimal text.
        maker: the wallet that pays, as 0x text; "" for the key's own address (type 0).
        signature_type: 0 EOA, 1 proxy, 2 safe, 3 deposit wallet.
        chain_id: 137, the only chain whose contracts are known.
        builder: builder code of 32 bytes as 0x text, or "".

    Raises:
        SecretError: key, wallet or builder code is malformed, or wallet and type disagree.
        UnitError: another chain.
    """

    def __init__(
        self,
        secret: bytes | str,
        maker: str = "",
        signature_type: int = 0,
        chain_id: int = CHAIN_ID,
        builder: str = "",
    ) -> None:
        check("chain_id", chain_id, CHAIN_ID, CHAIN_ID)
        key = from_hex("the private key", secret, 32) if isinstance(secret, str) else secret
        wallet = from_hex("the wallet address", maker, 20) if maker else None
        code = from_hex("the builder code", builder or _ZERO_WORD, 32)
        fault = ""
        try:
            self._kernel = OrderSigner(key, wallet, signature_type, os.urandom(32), chain_id, code)
        except ValueError as error:
            fault = str(error)
        if fault:
            # Raised outside the handler: the frames of a chained error hold the key.
            raise SecretError(fault)
        self.signature_type = signature_type
        self.address = checksummed(self._kernel.address)
        self.maker = checksummed(wallet) if wallet is not None else self.address
        signer = checksummed(self._kernel.signer)
        self._head = f',"maker":"{self.maker}","signer":"{signer}","tokenId":"'
        self._tail = f'","metadata":"{_ZERO_WORD}","builder":"0x{code.hex()}","signature":"0x'
        self._tokens: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"Signer(maker={self.maker}, signature_type={self.signature_type}, key=***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer holds a key and is never pickled or copied")

    def sign(self, draft: OrderDraft) -> Signed:
        """Signs one draft; takes about 20 us.

        Returns:
            The order id (0x text), and the order object as JSON bytes: `salt` a number, the
            other integers text, no owner. sign_ns is how long it took.

        Raises:
            Refused: no exchange is known for the market's version and neg-risk flag.
            UnitError: a number or the token id is outside its range.
        """
        begun_ns = perf_counter_ns()
        exchange = EXCHANGES.get((draft.version, draft.neg_risk))
        if exchange is None:
            what = f"no exchange for version {draft.version!r}, neg_risk {draft.neg_risk}"
            raise Refused("polymarket", "sign", what)
        check("salt", draft.salt, 0, EXACT_IN_JSON)
        check("stamp_ms", draft.stamp_ms, 1, EXACT_IN_JSON)
        check("expiration_s", draft.expiration_s, 0, EXACT_IN_JSON)
        check("maker_e6", draft.maker_e6, 1, AMOUNT_MAX_E6)
        check("taker_e6", draft.taker_e6, 1, AMOUNT_MAX_E6)
        order_id, signature = self._kernel.sign(
            exchange,
            0 if draft.side is Side.BUY else 1,
            draft.salt,
            draft.stamp_ms,
            self._tokens.get(draft.token) or self._token_word(draft.token),
            (draft.maker_e6, draft.taker_e6),
        )
        body = (
            f'{{"salt":{draft.salt}{self._head}{draft.token}","makerAmount":"{draft.maker_e6}",'
            f'"takerAmount":"{draft.taker_e6}","side":"{draft.side.value}",'
            f'"expiration":"{draft.expiration_s}","signatureType":{self.signature_type},'
            f'"timestamp":"{draft.stamp_ms}{self._tail}{signature.hex()}"}}'
        )
        return Signed(
            draft.draft_id, "0x" + order_id.hex(), body.encode(), perf_counter_ns() - begun_ns
        )

    def _token_word(self, token: str) -> bytes:
        """Returns a token id as a word, and remembers it; the venue's form has no leading zero."""
        canonical = token.isascii() and token.isdecimal() and not token.startswith("0")
        if not canonical or len(token) > 78 or int(token) > WORD_MAX:
            raise UnitError("token", token, 1, WORD_MAX)
        if len(self._tokens) >= TOKENS_MAX:
            self._tokens.clear()
        word = self._tokens[token] = int(token).to_bytes(32, "big")
        return word
