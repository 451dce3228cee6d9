"""The signer: a draft in, the venue's order object out, and no way to get at the key."""

from __future__ import annotations

import copy
import json
import pickle
import re

import msgspec
import pytest

from dailyarb.core.domain.commands import OrderDraft
from dailyarb.core.domain.errors import Refused, SecretError, UnitError
from dailyarb.core.domain.market import Side
from dailyarb.core.domain.orders import TIF
from dailyarb.venues.polymarket.signer import Signer, checksummed
from tests.unit.test_fast_order import (
    CONTENTS_B,
    ID_A,
    ID_B,
    ID_C,
    INNER_B,
    KEY,
    SIGNATURE_A,
    SIGNATURE_C,
    TOKEN,
)

ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
ZERO = "0x" + "0" * 64
DRAFT = OrderDraft(
    draft_id=11,
    market_id="m",
    token=str(TOKEN),
    side=Side.BUY,
    maker_e6=5_000_000,
    taker_e6=10_000_000,
    salt=123456789,
    stamp_ms=1777400000000,
    tif=TIF.GTC,
    post_only=False,
    neg_risk=False,
    version="v1",
)


def changed(**fields: object) -> OrderDraft:
    """Returns the draft of the vectors with some fields changed."""
    return msgspec.structs.replace(DRAFT, **fields)


def test_order_a_becomes_the_object_the_venue_documents() -> None:
    signed = Signer(KEY).sign(DRAFT)
    assert (signed.draft_id, signed.order_id) == (11, "0x" + ID_A)
    assert signed.sign_ns > 0
    assert json.loads(signed.order_json) == {
        "salt": 123456789,
        "maker": ADDRESS,
        "signer": ADDRESS,
        "tokenId": str(TOKEN),
        "makerAmount": "5000000",
        "takerAmount": "10000000",
        "side": "BUY",
        "expiration": "0",
        "signatureType": 0,
        "timestamp": "1777400000000",
        "metadata": ZERO,
        "builder": ZERO,
        "signature": "0x" + SIGNATURE_A,
    }
    assert b" " not in signed.order_json


def test_order_b_of_a_deposit_wallet() -> None:
    signer = Signer("0x" + KEY.hex(), WALLET, 3)
    assert (signer.address, signer.maker) == (ADDRESS, WALLET)
    signed = signer.sign(DRAFT)
    body = json.loads(signed.order_json)
    assert signed.order_id == "0x" + ID_B
    assert (body["maker"], body["signer"], body["signatureType"]) == (WALLET, WALLET, 3)
    assert body["signature"].startswith("0x" + INNER_B)
    assert CONTENTS_B in body["signature"]
    assert len(body["signature"]) == 2 + 2 * 317


def test_order_c_signs_for_the_third_exchange() -> None:
    signed = Signer(KEY).sign(changed(version="v2"))
    assert signed.order_id == "0x" + ID_C
    assert json.loads(signed.order_json)["signature"] == "0x" + SIGNATURE_C


def test_proxy_and_safe_pay_from_the_wallet_and_sign_by_the_key() -> None:
    for signature_type in (1, 2):
        body = json.loads(Signer(KEY, WALLET, signature_type).sign(DRAFT).order_json)
        assert (body["maker"], body["signer"]) == (WALLET, ADDRESS)


def test_each_exchange_has_an_id_of_its_own() -> None:
    signer = Signer(KEY)
    drafts = (DRAFT, changed(neg_risk=True), changed(version="v2"))
    assert len({signer.sign(draft).order_id for draft in drafts}) == 3


@pytest.mark.parametrize(
    ("version", "neg_risk"), [("v2", True), ("v3", False), ("", False), ("V1", False)]
)
def test_an_unknown_exchange_is_refused(version: str, neg_risk: bool) -> None:
    with pytest.raises(Refused, match="no exchange"):
        Signer(KEY).sign(changed(version=version, neg_risk=neg_risk))


@pytest.mark.parametrize(
    "fields",
    [
        {"salt": 1 << 53},
        {"salt": -1},
        {"stamp_ms": 0},
        {"maker_e6": 0},
        {"taker_e6": 1 << 63},
        {"expiration_s": -1},
        {"token": ""},
        {"token": "0"},
        {"token": "007"},
        {"token": "-5"},
        {"token": '1","side":"SELL'},
        {"token": "٣"},
        {"token": str(1 << 256)},
        {"token": "9" * 79},
    ],
)
def test_a_draft_out_of_range_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(UnitError):
        Signer(KEY).sign(changed(**fields))


def test_the_expiration_travels_unsigned() -> None:
    signer = Signer(KEY)
    dated = signer.sign(changed(expiration_s=1777500000))
    assert dated.order_id == "0x" + ID_A
    assert json.loads(dated.order_json)["expiration"] == "1777500000"


def test_a_builder_code_is_signed_and_shown() -> None:
    code = "0x" + "ab" * 32
    signed = Signer(KEY, builder=code).sign(DRAFT)
    assert signed.order_id != "0x" + ID_A
    assert json.loads(signed.order_json)["builder"] == code


def test_sides_differ() -> None:
    signer = Signer(KEY)
    sold = signer.sign(changed(side=Side.SELL))
    assert json.loads(sold.order_json)["side"] == "SELL"
    assert sold.order_id != "0x" + ID_A


def test_the_memory_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dailyarb.venues.polymarket.signer.TOKENS_MAX", 2)
    signer = Signer(KEY)
    order_ids = [signer.sign(changed(token=token)).order_id for token in ("1", "2", "3")]
    assert len(set(order_ids)) == 3
    assert signer.sign(DRAFT).order_id == "0x" + ID_A


@pytest.mark.parametrize(
    ("secret", "maker", "signature_type", "builder"),
    [
        ("0x1234", "", 0, ""),
        ("zz" * 32, "", 0, ""),
        (b"short", "", 0, ""),
        (bytes(32), "", 0, ""),
        (KEY, WALLET, 0, ""),
        (KEY, "", 3, ""),
        (KEY, "0x12", 3, ""),
        (KEY, WALLET, 7, ""),
        (KEY, "", 0, "0xab"),
    ],
)
def test_bad_secrets_are_refused_without_being_shown(
    secret: bytes | str, maker: str, signature_type: int, builder: str
) -> None:
    with pytest.raises(SecretError) as caught:
        Signer(secret, maker, signature_type, builder=builder)
    text = secret if isinstance(secret, str) else secret.hex()
    assert text not in str(caught.value)
    assert caught.value.__context__ is None


def test_another_chain_is_refused() -> None:
    with pytest.raises(UnitError, match="chain_id"):
        Signer(KEY, chain_id=80002)


def test_the_key_is_in_no_representation() -> None:
    signer = Signer(KEY, WALLET, 3)
    shown = repr(signer) + str(signer) + repr(vars(signer))
    assert not re.search(KEY.hex(), shown, re.IGNORECASE)
    assert repr(KEY)[2:-1] not in shown
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never"):
            leak(signer)


@pytest.mark.parametrize(
    "address",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_addresses_carry_their_checksum(address: str) -> None:
    """The vectors of EIP-55."""
    assert checksummed(bytes.fromhex(address[2:])) == address
