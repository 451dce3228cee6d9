"""Pure-Python twins of `dailyarb._fast.order`: Keccak-256 and EIP-712 from their definitions."""

from __future__ import annotations

MASK = (1 << 64) - 1
RATE = 136
EXCHANGES = (
    ("2", "E111180000d2663C0091e4f400237545B87B996B"),
    ("2", "e2222d279d744050d28e00520010520000310F59"),
    ("3", "e3333700cA9d93003F00f0F71f8515005F6c00Aa"),
)
ORDER_FIELDS = (
    "uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,"
    "uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,"
    "bytes32 builder"
)


def _rotate(lane: int, by: int) -> int:
    """Rotates a lane to the left."""
    by %= 64
    return ((lane << by) | (lane >> (64 - by))) & MASK


def _permute(lanes: list[list[int]]) -> None:
    """Applies Keccak-f[1600] to lanes[x][y], with round constants from their shift register."""
    register = 1
    for _ in range(24):
        parity = [
            lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)
        ]
        for x in range(5):
            tilt = parity[(x - 1) % 5] ^ _rotate(parity[(x + 1) % 5], 1)
            for y in range(5):
                lanes[x][y] ^= tilt
        x, y = 1, 0
        moved = lanes[x][y]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            moved, lanes[x][y] = lanes[x][y], _rotate(moved, (step + 1) * (step + 2) // 2)
        for y in range(5):
            row = [lanes[x][y] for x in range(5)]
            for x in range(5):
                lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & MASK & row[(x + 2) % 5])
        for power in range(7):
            if register & 1:
                lanes[0][0] ^= 1 << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)


def keccak256(blob: bytes) -> bytes:
    """Returns Keccak-256 with the original padding."""
    padded = bytearray(blob) + b"\x01" + bytes(-(len(blob) + 1) % RATE)
    padded[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), RATE):
        for i in range(RATE // 8):
            place = start + 8 * i
            lanes[i % 5][i // 5] ^= int.from_bytes(padded[place : place + 8], "little")
        _permute(lanes)
    return b"".join(lanes[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def word(value: int | str | bytes) -> bytes:
    """Encodes a number, a text (hashed), an address or a word of 32 bytes."""
    if isinstance(value, int):
        return value.to_bytes(32, "big")
    if isinstance(value, str):
        return keccak256(value.encode())
    return value.rjust(32, b"\0")


def struct_hash(type_text: str, *values: int | str | bytes) -> bytes:
    """Returns the hash of an EIP-712 struct."""
    return keccak256(keccak256(type_text.encode()) + b"".join(map(word, values)))


def separator(exchange: int, chain_id: int = 137) -> bytes:
    """Returns the domain separator of an exchange."""
    version, contract = EXCHANGES[exchange]
    fields = "string name,string version,uint256 chainId,address verifyingContract"
    return struct_hash(
        f"EIP712Domain({fields})",
        "Polymarket CTF Exchange",
        version,
        chain_id,
        bytes.fromhex(contract),
    )


def order_hash(*values: int | bytes) -> bytes:
    """Returns the struct hash of the eleven fields of an order."""
    return struct_hash(f"Order({ORDER_FIELDS})", *values)


def digest(domain: bytes, contents: bytes) -> bytes:
    """Returns what is signed."""
    return keccak256(b"\x19\x01" + domain + contents)


def wrapped_digest(domain: bytes, contents: bytes, wallet: bytes, chain_id: int = 137) -> bytes:
    """Returns what the owner of a deposit wallet signs (ERC-7739)."""
    type_text = (
        "TypedDataSign(Order contents,string name,string version,uint256 chainId,"
        f"address verifyingContract,bytes32 salt)Order({ORDER_FIELDS})"
    )
    inner = struct_hash(type_text, contents, "DepositWallet", "1", chain_id, wallet, bytes(32))
    return digest(domain, inner)
