"""Order digests against Keccak and EIP-712 written out in Python; signatures by their signer."""

from __future__ import annotations

from coincurve import PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from dailyarb._fast.order import OrderSigner, keccak256
from tests.oracles import keccak as oracle

WORDS = st.binary(min_size=32, max_size=32)
WALLETS = st.binary(min_size=20, max_size=20)
NUMBERS = st.integers(0, (1 << 64) - 1)
KEYS = st.integers(1, 1 << 255).map(lambda number: number.to_bytes(32, "big"))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600))
def test_keccak(blob: bytes) -> None:
    assert keccak256(blob) == oracle.keccak256(blob)


def signed_by(signature: bytes, digest: bytes) -> bytes:
    """Returns the address whose key made a signature of r, s and v."""
    raw = signature[:64] + bytes([signature[64] - 27])
    key = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    return oracle.keccak256(key.format(compressed=False)[1:])[12:]


@settings(max_examples=100, deadline=None)
@given(
    KEYS,
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(0, 1),
    st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    st.tuples(WORDS, WORDS, WALLETS),
)
def test_orders(
    key: bytes,
    signature_type: int,
    exchange: int,
    side: int,
    numbers: tuple[int, int, int, int],
    words: tuple[bytes, bytes, bytes],
) -> None:
    salt, stamp_ms, maker_amount, taker_amount = numbers
    token, builder, wallet = words
    ours = OrderSigner(
        key, wallet if signature_type else None, signature_type, bytes(32), builder=builder
    )
    maker = wallet if signature_type else ours.address
    order_id, signature = ours.sign(
        exchange, side, salt, stamp_ms, token, (maker_amount, taker_amount)
    )
    contents = oracle.order_hash(
        salt,
        maker,
        maker if signature_type == 3 else ours.address,
        token,
        maker_amount,
        taker_amount,
        side,
        signature_type,
        stamp_ms,
        bytes(32),
        builder,
    )
    domain = oracle.separator(exchange)
    assert order_id == oracle.digest(domain, contents)
    if signature_type == 3:
        digest = oracle.wrapped_digest(domain, contents, wallet)
        assert signature[65:129] == domain + contents
    else:
        digest = order_id
        assert len(signature) == 65
    assert signed_by(signature[:65], digest) == ours.address
