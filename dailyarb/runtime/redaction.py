"""The one place where secrets are taken out of what we say.

A field is hidden by its name, or because its text contains a registered value: plain, in hex, or
in base64 at any of the three alignments it can have inside longer data (F91).
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Mapping
from typing import Any

MASK = "***"
VALUE_CHARS_MIN = 6

# Names of fields that never carry anything one may print, after `_` and `-` are taken out.
HIDDEN_KEYS = frozenset(
    {
        "apikey",
        "apisecret",
        "apipassphrase",
        "auth",
        "authorization",
        "body",
        "cookie",
        "credentials",
        "headers",
        "key",
        "mnemonic",
        "orderjson",
        "passphrase",
        "password",
        "payload",
        "polyapikey",
        "polypassphrase",
        "polysignature",
        "privatekey",
        "secret",
        "seedphrase",
        "sig",
        "signature",
        "signed",
        "token",
    }
)


class Redactor:
    """Hides registered values and fields whose name says they are secret."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def register(self, text: str) -> bool:
        """Adds one secret.

        Returns:
            False where it is shorter than six characters: hiding it would hide anything.
        """
        if len(text) < VALUE_CHARS_MIN:
            return False
        for raw in _raw_forms(text):
            self._forms |= _written_forms(raw)
        longest_first = sorted(self._forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
        return True

    def text(self, text: str) -> str:
        """Returns the text with every registered value replaced."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def value(self, value: Any) -> Any:
        """Returns a value fit for a log line: scalars as they are, everything else as text."""
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return self.fields(value)
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.value(item) for item in value]
        if isinstance(value, (bytes, bytearray, memoryview)):
            return f"{len(value)} bytes"
        return self.text(str(value))

    def fields(self, fields: Mapping[Any, Any]) -> dict[str, Any]:
        """Returns fields with hidden names masked and values made fit."""
        return {
            self.text(str(name)): MASK if is_hidden(str(name)) else self.value(value)
            for name, value in fields.items()
        }


def is_hidden(name: str) -> bool:
    """Returns whether a field of this name is never shown."""
    return name.lower().replace("_", "").replace("-", "") in HIDDEN_KEYS


def _raw_forms(text: str) -> set[bytes]:
    """Returns the bytes a secret may stand for: its text, and what it encodes."""
    forms = {text.encode()}
    digits = text.removeprefix("0x")
    if len(digits) % 2 == 0 and re.fullmatch(r"[0-9a-fA-F]{12,}", digits):
        forms |= {bytes.fromhex(digits), digits.encode()}
    if re.fullmatch(r"[A-Za-z0-9+/_-]{16,}={0,2}", text):
        padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
        with contextlib.suppress(ValueError):  # not base64 after all: its text form is there
            forms.add(base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True))
    return {form for form in forms if len(form) >= VALUE_CHARS_MIN}


def _written_forms(raw: bytes) -> set[str]:
    """Returns the texts in which these bytes may turn up."""
    forms = {raw.hex()}
    with contextlib.suppress(UnicodeDecodeError):  # a binary value has no plain form
        forms.add(raw.decode())
    for lead in range(3):
        # Inside longer data the value may begin at any byte of a group of three: keep the
        # characters that depend on the value alone.
        encoded = base64.b64encode(bytes(lead) + raw).decode()
        first = (lead * 8 + 5) // 6
        last = (lead + len(raw)) * 8 // 6
        core = encoded[first:last]
        forms |= {core, core.replace("+", "-").replace("/", "_")}
    forms |= {repr(form)[1:-1] for form in list(forms)}
    return {form for form in forms if len(form) >= VALUE_CHARS_MIN}
