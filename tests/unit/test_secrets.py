"""Secrets: by reference, masked, uncopied."""

from __future__ import annotations

import copy
import pickle
import traceback
from pathlib import Path

import pytest

from dailyarb.core.domain.errors import SecretError
from dailyarb.runtime.secrets import Secret, resolve

CANARY = "canary-5d1f0c3b"


def test_a_secret_shows_itself_as_asterisks() -> None:
    secret = Secret(CANARY)
    assert secret.reveal() == CANARY
    shown = (repr(secret), str(secret), f"{secret}", f"{secret:>5}", repr([secret]))
    assert all("***" in text and CANARY not in text for text in shown)
    assert (bool(secret), bool(Secret(""))) == (True, False)
    assert secret == Secret(CANARY)
    assert secret != CANARY
    assert len({secret, Secret(CANARY)}) == 1


def test_a_secret_is_neither_pickled_nor_copied() -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(SecretError):
            attempt(Secret(CANARY))


def test_env(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_MINE", f"{CANARY}\n")
    assert resolve("env:KEY_OF_MINE", "api_key").reveal() == CANARY
    monkeypatch.delenv("KEY_OF_MINE")
    with pytest.raises(SecretError, match="KEY_OF_MINE is not set"):
        resolve("env:KEY_OF_MINE", "api_key")


def test_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(CANARY)
    path.chmod(0o600)
    assert resolve(f"file:{path}", "k").reveal() == CANARY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    path.write_text(CANARY)
    path.chmod(mode)
    with pytest.raises(SecretError, match="chmod 600") as caught:
        resolve(f"file:{path}", "k")
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe\xff", b"x" * 9000])
def test_a_file_without_a_usable_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SecretError):
        resolve(f"file:{path}", "k")


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(SecretError):
            resolve(f"file:{path}", "k")


@pytest.mark.parametrize("reference", ["", CANARY, "env:", f"plain:{CANARY}", "keyring:noslash"])
def test_anything_but_a_reference_is_refused_without_repeating_it(reference: str) -> None:
    with pytest.raises(SecretError) as caught:
        resolve(reference, "k")
    assert CANARY not in str(caught.value)
