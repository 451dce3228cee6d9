"""The venue's own hashing and recovery against public vectors (polymarket.md, section 1.4)."""

from __future__ import annotations

import pytest

from dailyarb.sim import eip712

ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
TOKEN = 71321045679252212594626385532706912750332728571942532289631379312455583992563
ORDER_A = eip712.Order(
    123456789, ADDRESS, ADDRESS, TOKEN, 5_000_000, 10_000_000, 0, 0, 1777400000000, 0, 0
)
ORDER_B = ORDER_A._replace(maker=WALLET, signer=WALLET, signature_type=3)
SIGNATURE_A = (
    "64ba4e27b2f3e5968af7bc222e10394f040b6faa880dcb134dd068238a6de06d"
    "1d407e81139d3137d8aa3c1aee50b5f78602c09a4d1f104efd8c8f07d8c259d4"
    "1b"
)
INNER_B = (
    "b169b8b5fef2a37ed3580924c650fbe69c442851628277464680800fc1bc8145"
    "51cdc627bc8cfb0499d9bee01a30c507635a5082ec334fd792acb0a39ec7d8a5"
    "1b"
)
ATTESTATION = (
    "659ed4b28ae28e0f038fdf0023c00863c9559caacb9ebc83f44eea87059a099a"
    "36f1e1dee110e7faa1c4f65d17489b2da1333ebef78bbe2116d81207b975052d"
    "1c"
)


def test_keccak_of_nothing() -> None:
    expected = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert eip712.keccak256(b"").hex() == expected


@pytest.mark.parametrize("size", [135, 136, 137, 272])
def test_keccak_at_the_block_edges_differs_by_length(size: int) -> None:
    assert eip712.keccak256(b"a" * size) != eip712.keccak256(b"a" * (size - 1))


def test_the_domain_separator_of_the_exchange() -> None:
    separator = eip712.domain_separator("Polymarket CTF Exchange", "2", eip712.EXCHANGE_V2)
    assert separator.hex() == "3264e159346253e26a64e00b69032db0e7d32f94628de3e6eecb50304d7af3d2"


def test_order_a_has_its_id_and_its_signer() -> None:
    expected = "1f7a97f8dd5f81fe3e05faa2bb7a389e635a29a0a3d9bd09cddc4697a2a449d1"
    assert eip712.order_digest(ORDER_A).hex() == expected
    assert eip712.order_signer(ORDER_A, "0x" + SIGNATURE_A) == ADDRESS


def test_order_b_of_a_deposit_wallet_is_signed_by_the_owner() -> None:
    expected = "2b7f00c456a640a0f31d7a5e75d2a15b377eede1f9eca2e45dd9bf5e1c5870de"
    assert eip712.order_digest(ORDER_B).hex() == expected
    _, tail = eip712.wrapped(ORDER_B)
    whole = bytes.fromhex(INNER_B) + tail
    assert len(whole) == 317
    assert eip712.order_signer(ORDER_B, "0x" + whole.hex()) == ADDRESS


def test_a_wrapped_signature_of_another_order_is_refused() -> None:
    _, tail = eip712.wrapped(ORDER_B._replace(salt=1))
    with pytest.raises(eip712.SignatureError):
        eip712.order_signer(ORDER_B, (bytes.fromhex(INNER_B) + tail).hex())


@pytest.mark.parametrize("text", ["", "0x12", "zz", "00" * 65, "ff" * 65])
def test_what_is_no_signature_is_refused(text: str) -> None:
    with pytest.raises(eip712.SignatureError):
        eip712.order_signer(ORDER_A, text)


def test_a_changed_field_changes_the_signer() -> None:
    changed = ORDER_A._replace(taker_amount=10_000_001)
    assert eip712.order_signer(changed, SIGNATURE_A) != ADDRESS


def test_the_attestation_of_a_new_key() -> None:
    assert eip712.auth_signer(ADDRESS, "1700000000", 0, ATTESTATION) == ADDRESS


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/order", b'{"a":1}', "uBmRP7BjQtWls1fT877WgPByC-SiSnPQJFihV7H5eUM="),
        ("GET", "/data/orders", b"", "NTt0e8XQzUuVTici5whIU-0NfgRXijqf0FarNw-ik2Q="),
    ],
)
def test_the_header_signature(method: str, path: str, body: bytes, expected: str) -> None:
    secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert eip712.hmac_signature(secret, "1700000000", method, path, body) == expected


@pytest.mark.parametrize(
    "change",
    [{"side": "HOLD"}, {"salt": "7"}, {"salt": True}, {"tokenId": "x"}, {"makerAmount": None}],
)
def test_a_field_of_a_wrong_form_is_refused(change: dict[str, object]) -> None:
    fields = {
        "salt": 1, "maker": ADDRESS, "signer": ADDRESS, "tokenId": "5", "makerAmount": "1",
        "takerAmount": "1", "side": "BUY", "signatureType": 0, "timestamp": "1",
        "metadata": "0x0", "builder": "0x0",
    }  # fmt: skip
    assert eip712.read_order(fields).token == 5
    with pytest.raises(eip712.SignatureError):
        eip712.read_order({**fields, **change})
