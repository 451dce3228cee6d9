"""Keccak, order digests and signatures: byte for byte what the official client makes."""

from __future__ import annotations

import copy
import pickle

import pytest

from dailyarb._fast import order
from dailyarb._fast.order import OrderSigner, domain_separator, keccak256

# The first account of a public test chain: everybody knows this key, and it holds nothing.
KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
ADDRESS = bytes.fromhex("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
WALLET = bytes.fromhex("70997970C51812dc3A010C7d01b50e0d17dc79C8")
TOKEN = 71321045679252212594626385532706912750332728571942532289631379312455583992563
TOKEN_WORD = TOKEN.to_bytes(32, "big")
SEED = bytes(range(32))

ID_A = "1f7a97f8dd5f81fe3e05faa2bb7a389e635a29a0a3d9bd09cddc4697a2a449d1"
SIGNATURE_A = (
    "64ba4e27b2f3e5968af7bc222e10394f040b6faa880dcb134dd068238a6de06d"
    "1d407e81139d3137d8aa3c1aee50b5f78602c09a4d1f104efd8c8f07d8c259d41b"
)
ID_B = "2b7f00c456a640a0f31d7a5e75d2a15b377eede1f9eca2e45dd9bf5e1c5870de"
INNER_B = (
    "b169b8b5fef2a37ed3580924c650fbe69c442851628277464680800fc1bc8145"
    "51cdc627bc8cfb0499d9bee01a30c507635a5082ec334fd792acb0a39ec7d8a51b"
)
CONTENTS_B = "f2fcd2d2eb56d72604cc49e9d0a0047e23ffbde25904cdaac6e2cb77d25266b6"
ID_C = "33d61287f0324231a36716e3d55e751a52ec652c388dc3b54af8f907ed2a5899"
SIGNATURE_C = (
    "d563d33432d2c1f1ec9ecf20fe73bd73ded23e03f03df37e5d7b15ffaa80e2e5"
    "206309d74b1b7a6d4b2244becaa5cd7cea41b9f1a3bd925f137d6f8b38e345611b"
)


def sign(signer: OrderSigner, exchange: int) -> tuple[str, str]:
    """Signs the order of the vectors; returns id and signature as hexadecimal text."""
    order_id, signature = signer.sign(
        exchange, 0, 123456789, 1777400000000, TOKEN_WORD, (5000000, 10000000)
    )
    return order_id.hex(), signature.hex()


@pytest.mark.parametrize(
    ("blob", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_keccak_is_the_one_of_ethereum(blob: bytes, digest: str) -> None:
    assert keccak256(blob).hex() == digest


def test_type_hash_and_domain_separators() -> None:
    assert (
        order.ORDER_TYPE_HASH.hex()
        == "bb86318a2138f5fa8ae32fbe8e659f8fcf13cc6ae4014a707893055433818589"
    )
    assert [domain_separator(exchange, 137).hex() for exchange in range(3)] == [
        "3264e159346253e26a64e00b69032db0e7d32f94628de3e6eecb50304d7af3d2",
        "9b858f53327b0bd13af8ec14cfb35234fb9eb7b0504d1a4e61f433840d30e81a",
        "466c63910185bbd55e8679264200c4e0abdcbb0c6264eb3d41d13326022e095b",
    ]


def test_order_a_of_a_plain_account() -> None:
    signer = OrderSigner(KEY, None, 0, SEED)
    assert signer.address == signer.signer == ADDRESS
    assert sign(signer, order.EXCHANGE_CTF) == (ID_A, SIGNATURE_A)


def test_order_b_of_a_deposit_wallet() -> None:
    signer = OrderSigner(KEY, WALLET, 3, SEED)
    assert (signer.address, signer.signer) == (ADDRESS, WALLET)
    order_id, signature = sign(signer, order.EXCHANGE_CTF)
    assert order_id == ID_B
    expected = INNER_B + domain_separator(0, 137).hex() + CONTENTS_B
    expected += order.ORDER_TYPE.hex() + "00ba"
    assert signature == expected
    assert len(bytes.fromhex(signature)) == 317


def test_order_c_of_the_third_exchange() -> None:
    signer = OrderSigner(KEY, ADDRESS, 0, SEED)
    assert sign(signer, order.EXCHANGE_V3) == (ID_C, SIGNATURE_C)


def test_blinding_does_not_change_a_signature() -> None:
    assert sign(OrderSigner(KEY, None, 0, bytes(32)), 0) == (ID_A, SIGNATURE_A)


def test_one_order_leaves_nothing_in_the_next() -> None:
    signer = OrderSigner(KEY, None, 0, SEED)
    largest = (1 << 64) - 1
    signer.sign(1, 1, largest, largest, b"\xff" * 32, (largest, largest))
    assert sign(signer, 0) == (ID_A, SIGNATURE_A)


def test_numbers_and_words_out_of_range_are_refused() -> None:
    signer = OrderSigner(KEY, None, 0, SEED)
    with pytest.raises(ValueError, match="exchange 3"):
        signer.sign(3, 0, 1, 1, TOKEN_WORD, (1, 1))
    with pytest.raises(ValueError, match="side 2"):
        signer.sign(0, 2, 1, 1, TOKEN_WORD, (1, 1))
    with pytest.raises(ValueError, match="token must have 32"):
        signer.sign(0, 0, 1, 1, TOKEN_WORD[1:], (1, 1))
    for numbers in ((-1, 1, 1, 1), (1, 1 << 64, 1, 1), (1, 1, -1, 1), (1, 1, 1, 1 << 64)):
        with pytest.raises(OverflowError):
            signer.sign(0, 0, numbers[0], numbers[1], TOKEN_WORD, (numbers[2], numbers[3]))
    with pytest.raises(ValueError, match="digest must have 32"):
        signer.sign_digest(b"short")
    with pytest.raises(ValueError, match="exchange"):
        domain_separator(3, 137)
    assert sign(signer, 0) == (ID_A, SIGNATURE_A)


@pytest.mark.parametrize(
    ("secret", "maker", "signature_type", "words"),
    [
        (KEY[1:], None, 0, "secret must have 32"),
        (bytes(32), None, 0, "not a key"),
        (b"\xff" * 32, None, 0, "not a key"),
        (KEY, WALLET, 0, "own address"),
        (KEY, None, 3, "maker must have 20"),
        (KEY, WALLET[1:], 1, "maker must have 20"),
        (KEY, WALLET, 4, "signature type 4"),
        (KEY, WALLET, -1, "signature type -1"),
    ],
)
def test_a_wrong_key_or_wallet_is_refused_without_being_shown(
    secret: bytes, maker: bytes | None, signature_type: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        OrderSigner(secret, maker, signature_type, SEED)
    assert secret.hex() not in str(caught.value)


def test_a_signer_is_never_copied() -> None:
    signer = OrderSigner(KEY, None, 0, SEED)
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never"):
            leak(signer)
    assert KEY.hex() not in repr(signer)
