"""Canary secrets are found in plain, hex and base64, wherever they stand."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dailyarb.runtime.redaction import MASK, Redactor, is_hidden

CANARY = "canary-5d1f0c3b"
KEY = "0x" + "1f" * 15 + "c0ffee" * 5 + "aa55"


def redactor(*secrets: str) -> Redactor:
    made = Redactor()
    for secret in secrets:
        made.register(secret)
    return made


@pytest.mark.parametrize("lead", range(6))
@pytest.mark.parametrize("tail", range(4))
def test_a_secret_inside_longer_data_is_found_in_each_writing(lead: int, tail: int) -> None:
    hide = redactor(CANARY)
    data = b"a" * lead + CANARY.encode() + b"z" * tail
    for written in (
        data.decode(),
        data.decode().upper(),
        data.hex(),
        data.hex().upper(),
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(data).decode(),
    ):
        assert MASK in hide.text(f"before {written} after")


def test_a_hex_key_is_found_as_the_bytes_it_stands_for() -> None:
    hide = redactor(KEY)
    raw = bytes.fromhex(KEY[2:])
    for written in (KEY, KEY[2:], KEY.upper(), base64.b64encode(raw).decode(), repr(raw.hex())):
        assert KEY[10:30] not in hide.text(written).lower()
        assert MASK in hide.text(written)


def test_a_base64_secret_is_found_as_the_bytes_it_stands_for() -> None:
    raw = bytes(range(7, 39))
    secret = base64.urlsafe_b64encode(raw).decode()
    hide = redactor(secret)
    assert MASK in hide.text(raw.hex())
    assert MASK in hide.text(base64.b64encode(raw).decode())


@settings(max_examples=100, deadline=None)
@given(
    secret=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=8),
    lead=st.binary(max_size=5),
    tail=st.binary(max_size=5),
)
def test_any_secret_is_found(secret: str, lead: bytes, tail: bytes) -> None:
    hide = redactor(secret)
    data = lead + secret.encode() + tail
    assert MASK in hide.text(data.hex())
    assert MASK in hide.text(base64.b64encode(data).decode())
    assert MASK in hide.text(f"x{secret}x")


def test_nested_values_are_hidden_and_bytes_told_by_size() -> None:
    hide = redactor(CANARY)
    shown = hide.value({"a": [CANARY, 1, None, 1.5, True], "b": {"api-key": 5}, CANARY: b"123"})
    assert shown == {"a": [MASK, 1, None, 1.5, True], "b": {"api-key": MASK}, MASK: "3 bytes"}
    assert hide.value(ValueError(f"bad {CANARY}")) == f"bad {MASK}"


@pytest.mark.parametrize(
    "name",
    ["private_key", "privateKey", "API-Secret", "POLY_SIGNATURE", "Authorization", "passphrase"],
)
def test_fields_with_secret_names_are_hidden(name: str) -> None:
    assert is_hidden(name)
    assert redactor().fields({name: "v", "oid": "0x8f21"}) == {name: MASK, "oid": "0x8f21"}


def test_what_is_too_short_cannot_be_hidden_and_says_so() -> None:
    hide = Redactor()
    assert not hide.register("abc")
    assert hide.text("abc") == "abc"
    assert hide.register("abcdef")
