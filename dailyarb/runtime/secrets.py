"""Secrets: read by reference, never printed, never copied out.

A settings file holds references only: `env:NAME`, `file:/path` or `keyring:service/name`. The
value lives in a `Secret`, which shows itself as three asterisks and refuses pickling and copying.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NoReturn

from dailyarb.core.domain.errors import SecretError

SECRET_BYTES_MAX = 8192


class Secret:
    """Holds one secret; only `reveal` gives it."""

    __slots__ = ("_text", "name")

    def __init__(self, text: str, name: str = "secret") -> None:
        self._text = text
        self.name = name

    def reveal(self) -> str:
        """Returns the secret itself; the caller must not keep, print or log it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def _refuse(self, *_: object) -> NoReturn:
        raise SecretError(f"{self.name}: a secret is neither pickled nor copied")

    __reduce__ = _refuse
    __reduce_ex__ = _refuse
    __copy__ = _refuse
    __deepcopy__ = _refuse


def resolve(reference: str, name: str) -> Secret:
    """Returns the secret a reference points to.

    Args:
        reference: `env:NAME`, `file:/path` or `keyring:service/name`.
        name: the setting's key, for messages.

    Raises:
        SecretError: the reference is malformed, nothing is there, or a file is open to others.
            The message never carries the value.
    """
    kind, found, where = reference.partition(":")
    if not found or not where or kind not in _SOURCES:
        what = "must be env:NAME, file:/path or keyring:service/name"
        raise SecretError(f"{name}: {what}; values do not belong in a settings file")
    text = _SOURCES[kind](where, name).strip()
    if not text:
        raise SecretError(f"{name}: {kind}:{where} is empty")
    return Secret(text, name)


def _from_env(where: str, name: str) -> str:
    text = os.environ.get(where)
    if text is None:
        raise SecretError(f"{name}: environment variable {where} is not set")
    return text


def _from_file(where: str, name: str) -> str:
    path = Path(where).expanduser()
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise SecretError(f"{name}: {path}: {error.strerror}") from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise SecretError(f"{name}: {path}: not a plain file")
        if found.st_mode & 0o077:
            mode = stat.S_IMODE(found.st_mode)
            what = f"mode {mode:04o} lets others read it; chmod 600"
            raise SecretError(f"{name}: {path}: {what}")
        if found.st_uid not in (os.getuid(), 0):
            raise SecretError(f"{name}: {path}: belongs to another user")
        if found.st_size > SECRET_BYTES_MAX:
            raise SecretError(f"{name}: {path}: more than {SECRET_BYTES_MAX} bytes")
        return os.read(handle, SECRET_BYTES_MAX).decode()
    except UnicodeDecodeError:
        raise SecretError(f"{name}: {path}: not text") from None
    finally:
        os.close(handle)


def _from_keyring(where: str, name: str) -> str:
    service, found, user = where.partition("/")
    if not found or not service or not user:
        raise SecretError(f"{name}: keyring:{where} must be keyring:service/name")
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise SecretError(f"{name}: the package keyring is not installed") from None
    try:
        text = keyring.get_password(service, user)
    except KeyringError as error:
        raise SecretError(f"{name}: keyring:{where}: {type(error).__name__}") from None
    if text is None:
        raise SecretError(f"{name}: keyring:{where} holds nothing")
    return str(text)


_SOURCES = {"env": _from_env, "file": _from_file, "keyring": _from_keyring}
