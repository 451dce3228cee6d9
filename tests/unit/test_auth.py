"""L2 authentication against the vectors of the official client."""

from __future__ import annotations

import copy
import pickle

import pytest

from dailyarb.core.domain.errors import SecretError
from dailyarb.venues.polymarket.auth import Credentials, RequestAuth

ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
SECRET = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
POST_PROOF = "uBmRP7BjQtWls1fT877WgPByC-SiSnPQJFihV7H5eUM="
GET_PROOF = "NTt0e8XQzUuVTici5whIU-0NfgRXijqf0FarNw-ik2Q="
AUTH = Credentials("key-1", SECRET, "pass-1")


def test_l2_signs_the_body_that_is_sent() -> None:
    assert AUTH.signature(1700000000, "POST", "/order", b'{"a":1}') == POST_PROOF
    assert AUTH.signature(1700000000, "POST", "/order", b'{"a":2}') != POST_PROOF


def test_l2_leaves_the_query_out() -> None:
    assert AUTH.signature(1700000000, "GET", "/data/orders") == GET_PROOF
    assert AUTH.signature(1700000000, "GET", "/data/orders?id=5&x=/") == GET_PROOF


def test_a_secret_without_padding_is_the_same_secret() -> None:
    bare = Credentials("key-1", SECRET.rstrip("="), "pass-1")
    assert bare.signature(1700000000, "GET", "/data/orders") == GET_PROOF


def test_header_lines_are_ready_for_the_wire() -> None:
    auth = RequestAuth(ADDRESS, AUTH)
    assert (
        auth.block(1700000000, "POST", "/order", b'{"a":1}')
        == (
            f"POLY_ADDRESS: {ADDRESS}\r\nPOLY_API_KEY: key-1\r\nPOLY_PASSPHRASE: pass-1\r\n"
            f"POLY_TIMESTAMP: 1700000000\r\nPOLY_SIGNATURE: {POST_PROOF}\r\n"
        ).encode()
    )
    lines = auth.block(1700000000, "GET", "/data/orders").decode().split("\r\n")[:-1]
    pairs = dict(line.split(": ", 1) for line in lines)
    assert pairs == auth.headers(1700000000, "GET", "/data/orders")


def test_the_user_channel_gets_what_it_asks() -> None:
    assert AUTH.channel_auth() == {"apiKey": "key-1", "secret": SECRET, "passphrase": "pass-1"}


@pytest.mark.parametrize(
    ("key", "secret", "passphrase"),
    [
        ("", SECRET, "p"),
        ("k\r\nHost: x", SECRET, "p"),
        ("k", "not base64!", "p"),
        ("k", "notbase64!", "p"),
        ("k", "A", "p"),
        ("k", "=", "p"),
        ("k", "", "p"),
        ("k", SECRET, "p\n"),
        ("k", SECRET, "pä"),
        ("k", SECRET, "p" * 257),
    ],
)
def test_malformed_credentials_are_refused_without_being_shown(
    key: str, secret: str, passphrase: str
) -> None:
    with pytest.raises(SecretError) as caught:
        Credentials(key, secret, passphrase)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


def test_credentials_are_shown_and_copied_nowhere() -> None:
    for holder in (AUTH, RequestAuth(ADDRESS, AUTH)):
        shown = repr(holder) + str(holder)
        assert not any(part in shown for part in ("key-1", SECRET, "pass-1"))
        for leak in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="never"):
                leak(holder)
