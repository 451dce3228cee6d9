"""The venue's own check of what was signed: Keccak-256, typed-data hashes, recovery, HMAC.

Small and independent of the client's kernels, so that a shared bug shows. Sources: polymarket.md,
sections 1.3 (struct and domains), 1.4 (vectors), 5.1 (L1 and L2) and 7.3 (wallet types).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from coincurve import PublicKey

CHAIN_ID = 137
EXCHANGE_V2 = "0xE111180000d2663C0091e4f400237545B87B996B"
ORDER_TYPE = (
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,"
    "uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,"
    "bytes32 builder)"
)
_WRAP_TYPE = (
    "TypedDataSign(Order contents,string name,string version,uint256 chainId,"
    "address verifyingContract,bytes32 salt)" + ORDER_TYPE
)
_AUTH_TYPE = "ClobAuth(address address,string timestamp,uint256 nonce,string message)"
_AUTH_TEXT = "This message attests that I control the given wallet"
_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_AUTH_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId)"
_MASK = (1 << 64) - 1
_RATE = 136
_WRAPPED_BYTES = 317


class SignatureError(ValueError):
    """Says that a signature or a signed field cannot be read."""


class Order(NamedTuple):
    """Is what an order's signer signed, as integers; addresses are 0x-text."""

    salt: int
    maker: str
    signer: str
    token: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp: int
    metadata: int
    builder: int


def _rotations() -> tuple[list[int], list[int]]:
    """Returns the rotation and the round constants of Keccak-f[1600]."""
    rotation = [0] * 25
    x, y = 1, 0
    for step in range(24):
        rotation[x + 5 * y] = (step + 1) * (step + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    constants: list[int] = []
    register = 1
    for _ in range(24):
        value = 0
        for bit in range(7):
            if register & 1:
                value |= 1 << ((1 << bit) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(value)
    return rotation, constants


_ROTATION, _CONSTANT = _rotations()


def _permute(state: list[int]) -> list[int]:
    for constant in _CONSTANT:
        column = [
            state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20]
            for x in range(5)
        ]
        for x in range(5):
            right = column[(x + 1) % 5]
            mixed = column[(x + 4) % 5] ^ ((right << 1 | right >> 63) & _MASK)
            for row in range(0, 25, 5):
                state[x + row] ^= mixed
        moved = [0] * 25
        for x in range(5):
            for y in range(5):
                lane, turn = state[x + 5 * y], _ROTATION[x + 5 * y]
                moved[y + 5 * ((2 * x + 3 * y) % 5)] = (lane << turn | lane >> (64 - turn)) & _MASK
        for row in range(0, 25, 5):
            line = moved[row : row + 5]
            for x in range(5):
                state[row + x] = line[x] ^ (~line[(x + 1) % 5] & line[(x + 2) % 5] & _MASK)
        state[0] ^= constant
    return state


def keccak256(data: bytes) -> bytes:
    """Returns the Keccak-256 digest (the one before the SHA-3 padding)."""
    padded = bytearray(data + b"\x01" + b"\x00" * (-(len(data) + 1) % _RATE))
    padded[-1] |= 0x80
    state = [0] * 25
    for start in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            at = start + 8 * lane
            state[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        state = _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


def _word(value: int) -> bytes:
    if not 0 <= value < 1 << 256:
        raise SignatureError("a field does not fit its word")
    return value.to_bytes(32, "big")


def _address(text: str) -> bytes:
    if len(text) != 42 or not text.startswith("0x"):
        raise SignatureError("not an address")
    try:
        return b"\x00" * 12 + bytes.fromhex(text[2:])
    except ValueError as error:
        raise SignatureError("not an address") from error


@lru_cache(maxsize=64)
def domain_separator(name: str, version: str, contract: str) -> bytes:
    """Returns the EIP-712 domain separator; an empty contract leaves that field out."""
    kind = _DOMAIN_TYPE if contract else _AUTH_DOMAIN_TYPE
    words = [keccak256(text.encode()) for text in (kind, name, version)]
    words.append(_word(CHAIN_ID))
    if contract:
        words.append(_address(contract))
    return keccak256(b"".join(words))


@lru_cache(maxsize=8)
def _type_hash(text: str) -> bytes:
    return keccak256(text.encode())


def order_hash(order: Order) -> bytes:
    """Returns the struct hash of an order."""
    fields = (
        _word(order.salt), _address(order.maker), _address(order.signer), _word(order.token),
        _word(order.maker_amount), _word(order.taker_amount), _word(order.side),
        _word(order.signature_type), _word(order.timestamp), _word(order.metadata),
        _word(order.builder),
    )  # fmt: skip
    return keccak256(_type_hash(ORDER_TYPE) + b"".join(fields))


def order_digest(order: Order, contract: str = EXCHANGE_V2, version: str = "2") -> bytes:
    """Returns the digest whose hex is the order's id."""
    separator = domain_separator("Polymarket CTF Exchange", version, contract)
    return keccak256(b"\x19\x01" + separator + order_hash(order))


def order_signer(order: Order, signature: str, contract: str = EXCHANGE_V2) -> str:
    """Returns the address of the key that signed an order.

    Args:
        order: what was signed.
        signature: 65 bytes as 0x-hex, or the 317 bytes of a deposit wallet (type 3).
        contract: the exchange.

    Raises:
        SignatureError: it cannot be read, or a wrapped part disagrees with the order.
    """
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError as error:
        raise SignatureError("signature is not hex") from error
    if order.signature_type != 3:
        return recover(order_digest(order, contract), raw)
    digest, tail = wrapped(order, contract)
    if len(raw) != _WRAPPED_BYTES or raw[65:] != tail:
        raise SignatureError("wrapped signature does not match the order")
    return recover(digest, raw[:65])


def wrapped(order: Order, contract: str = EXCHANGE_V2) -> tuple[bytes, bytes]:
    """Returns what a deposit wallet's owner signs, and what follows those 65 bytes on the wire."""
    separator = domain_separator("Polymarket CTF Exchange", "2", contract)
    contents = order_hash(order)
    words = (
        contents,
        keccak256(b"DepositWallet"),
        keccak256(b"1"),
        _word(CHAIN_ID),
        _address(order.signer),
        _word(0),
    )
    struct = keccak256(_type_hash(_WRAP_TYPE) + b"".join(words))
    kind = ORDER_TYPE.encode()
    tail = separator + contents + kind + len(kind).to_bytes(2, "big")
    return keccak256(b"\x19\x01" + separator + struct), tail


def auth_digest(address: str, timestamp: str, nonce: int) -> bytes:
    """Returns what the L1 attestation signs."""
    words = (
        _address(address),
        keccak256(timestamp.encode()),
        _word(nonce),
        keccak256(_AUTH_TEXT.encode()),
    )
    struct = keccak256(_type_hash(_AUTH_TYPE) + b"".join(words))
    return keccak256(b"\x19\x01" + domain_separator("ClobAuthDomain", "1", "") + struct)


def auth_signer(address: str, timestamp: str, nonce: int, signature: str) -> str:
    """Returns the address of the key that signed the L1 attestation.

    Raises:
        SignatureError: the signature cannot be read.
    """
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError as error:
        raise SignatureError("signature is not hex") from error
    return recover(auth_digest(address, timestamp, nonce), raw)


def recover(digest: bytes, signature: bytes) -> str:
    """Returns the address behind a 65-byte signature (r, s, v).

    Raises:
        SignatureError: it is no signature.
    """
    if len(signature) != 65 or signature[64] not in (0, 1, 27, 28):
        raise SignatureError("signature has a wrong form")
    recoverable = signature[:64] + bytes([signature[64] % 27])
    try:
        key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except ValueError as error:
        raise SignatureError("signature recovers no key") from error
    return key_address(key)


def key_address(key: PublicKey) -> str:
    """Returns the checksummed address of a public key."""
    return checksum(keccak256(key.format(compressed=False)[1:])[-20:])


def checksum(address: bytes) -> str:
    """Returns an address with the capitals of EIP-55."""
    text = address.hex()
    digest = keccak256(text.encode()).hex()
    mixed = (c.upper() if int(d, 16) > 7 else c for c, d in zip(text, digest, strict=False))
    return "0x" + "".join(mixed)


def hmac_signature(secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    """Returns the L2 signature: base64url of HMAC-SHA256 over timestamp, method, path, body."""
    try:
        key = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    except binascii.Error as error:
        raise SignatureError("secret is not base64") from error
    message = (timestamp + method + path).encode() + body
    return base64.urlsafe_b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def read_order(fields: Mapping[str, Any]) -> Order:
    """Returns the signed fields of a posted order.

    Raises:
        SignatureError: a field is missing or has a wrong form.
    """
    side = {"BUY": 0, "SELL": 1}.get(str(fields.get("side")))
    salt = fields.get("salt")
    if side is None or not isinstance(salt, int) or isinstance(salt, bool):
        raise SignatureError("side or salt has a wrong form")
    try:
        return Order(
            salt, str(fields["maker"]), str(fields["signer"]), int(str(fields["tokenId"])),
            int(str(fields["makerAmount"])), int(str(fields["takerAmount"])), side,
            int(fields["signatureType"]), int(str(fields["timestamp"])),
            int(str(fields.get("metadata") or "0x0"), 16),
            int(str(fields.get("builder") or "0x0"), 16),
        )  # fmt: skip
    except (KeyError, ValueError, TypeError) as error:
        raise SignatureError("a field is missing or has a wrong form") from error
