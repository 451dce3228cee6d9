"""Who trades: the key that signs, the API key that proves it, and the wallet that pays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from dailyarb.core.domain.commands import OrderDraft
from dailyarb.core.domain.errors import Refused, SecretError
from dailyarb.core.domain.events import Signed
from dailyarb.core.domain.rung import Mode
from dailyarb.core.domain.settings import Settings
from dailyarb.runtime.redaction import Redactor
from dailyarb.runtime.secrets import resolve
from dailyarb.runtime.venue_process import Greeting
from dailyarb.venues.polymarket.auth import Credentials, RequestAuth
from dailyarb.venues.polymarket.signer import Signer

EOA, DEPOSIT_WALLET = 0, 3


class NoSigner:
    """Stands where there is no key: nothing can be signed, and it says so."""

    def sign(self, draft: OrderDraft) -> Signed:
        """Refuses.

        Raises:
            Refused: always.
        """
        raise Refused("polymarket", "sign", f"no private key for draft {draft.draft_id}")


class Identity(msgspec.Struct, frozen=True):
    """Is everything that proves who we are; prints as ***."""

    signer: Signer | NoSigner
    auth: RequestAuth | None
    channel_auth: Callable[[], Mapping[str, str]] | None
    owner: str
    wallet: str
    signature_type: int

    def __repr__(self) -> str:
        return "Identity(***)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("parts", "***")]  # a struct shows rich its fields, whatever it shows others

    @property
    def payer(self) -> str:
        """Returns the address that pays: the wallet, else the key's own, "" without either."""
        return self.wallet or (self.signer.address if isinstance(self.signer, Signer) else "")

    def world(self, mode: Mode) -> str:
        """Returns what stands for the wallet that pays in a live run, "" for play money."""
        if mode is not Mode.LIVE or not self.payer:
            return ""
        digest = hashlib.blake2b(self.payer.lower().encode(), digest_size=8).hexdigest()
        return f"wallet {digest}"


def identify(settings: Settings, greeting: Greeting | None, redactor: Redactor) -> Identity:
    """Returns the venues' throw-away identity, or the one the settings refer to.

    Without references nothing can be signed and private feeds stay closed: enough to look.

    Raises:
        SecretError: a reference cannot be read, or what it holds is malformed.
    """
    if greeting is not None:
        keys = greeting.keys
        parts = (keys.private_key, keys.api_key, keys.secret, keys.passphrase)
        return _identity(parts, keys.deposit_wallet, DEPOSIT_WALLET, redactor)
    known = settings.credentials
    if not known.private_key:
        return Identity(NoSigner(), None, None, "", known.wallet, known.signature_type)
    values = []
    for name in ("private_key", "api_key", "api_secret", "api_passphrase"):
        reference = getattr(known, name)
        if not reference:
            raise SecretError(f"credentials.{name} is missing; see `dailyarb config schema`")
        values.append(resolve(reference, name).reveal())
    if known.signature_type != EOA and not known.wallet:
        what = f"credentials.wallet is missing: signature type {known.signature_type} names it"
        raise SecretError(f"{what} as the maker; see `dailyarb config schema`")
    parts = (values[0], values[1], values[2], values[3])
    return _identity(parts, known.wallet, known.signature_type, redactor)


def _identity(
    parts: tuple[str, str, str, str], wallet: str, kind: int, redactor: Redactor
) -> Identity:
    private_key, api_key, secret, passphrase = parts
    for text in parts:
        redactor.register(text)
    signer = Signer(private_key, "" if kind == EOA else wallet, kind)
    credentials = Credentials(api_key, secret, passphrase)
    return Identity(
        signer,
        RequestAuth(signer.address, credentials),
        credentials.channel_auth,
        api_key,
        wallet,
        kind,
    )
