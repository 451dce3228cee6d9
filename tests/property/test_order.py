"""Order digests against Keccak and EIP-712 written out in Python; signatures by their signer."""

from __future__ import annotations

import pytest
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


@settings(max_examples=25, deadline=None)
@given(
    KEYS,
    st.integers(0, 2),
    st.booleans(),
    st.tuples(*[st.integers(1, (1 << 53) - 1)] * 4),
    st.integers(1, (1 << 256) - 1),
)
def test_the_official_client_agrees(
    key: bytes, exchange: int, deposit: bool, numbers: tuple[int, int, int, int], token: int
) -> None:
    """Id and signature, byte for byte; skips where the official client is not installed."""
    utils = pytest.importorskip("py_clob_client_v2.order_utils")
    builders = pytest.importorskip("py_clob_client_v2.order_utils.exchange_order_builder_v2")
    models = pytest.importorskip("py_clob_client_v2.order_utils.model.order_data_v2")
    signers = pytest.importorskip("py_clob_client_v2.signer")
    salt, stamp_ms, maker_amount, taker_amount = numbers
    wallet = bytes(range(20)) if deposit else None
    ours = OrderSigner(key, wallet, 3 if deposit else 0, bytes(32))
    order_id, signature = ours.sign(
        exchange, 1, salt, stamp_ms, token.to_bytes(32, "big"), (maker_amount, taker_amount)
    )
    version, contract = oracle.EXCHANGES[exchange]
    owner = signers.Signer("0x" + key.hex(), 137)
    theirs = builders.ExchangeOrderBuilderV2("0x" + contract, 137, owner, lambda: salt, version)
    maker = "0x" + wallet.hex() if wallet else owner.address()
    wanted = models.OrderDataV2(
        maker=maker,
        signer=maker,
        tokenId=str(token),
        makerAmount=str(maker_amount),
        takerAmount=str(taker_amount),
        side=utils.Side.SELL,
        signatureType=utils.SignatureTypeV2(ours.signature_type),
        timestamp=str(stamp_ms),
    )
    typed_data = theirs.build_order_typed_data(theirs.build_order(wanted))
    assert theirs.build_order_hash(typed_data).removeprefix("0x") == order_id.hex()
    assert theirs.build_order_signature(typed_data).removeprefix("0x") == signature.hex()
