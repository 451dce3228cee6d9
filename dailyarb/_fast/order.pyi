"""EIP-712 order digests and their signatures: fixed words, own Keccak, coincurve's libsecp256k1."""

from typing_extensions import Buffer

CHAIN_ID: int
EXCHANGE_CTF: int
EXCHANGE_NEG_RISK: int
EXCHANGE_V3: int
ORDER_TYPE: bytes
ORDER_TYPE_HASH: bytes

def keccak256(blob: Buffer) -> bytes: ...
def domain_separator(exchange: int, chain_id: int) -> bytes: ...

class OrderSigner:
    address: bytes
    signer: bytes
    signature_type: int
    def __init__(
        self,
        secret: bytes,
        maker: bytes | None,
        signature_type: int,
        seed: bytes,
        chain_id: int = ...,
        builder: bytes = ...,
    ) -> None: ...
    def sign(
        self,
        exchange: int,
        side: int,
        salt: int,
        stamp_ms: int,
        token: bytes,
        amounts: tuple[int, int],
    ) -> tuple[bytes, bytes]: ...
    def sign_digest(self, digest: bytes) -> bytes: ...
