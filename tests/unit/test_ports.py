"""Where orders go in each mode, and what may be read without credentials."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.clock import ManualClock
from dailyarb.core.domain.errors import ConfigError
from dailyarb.core.domain.events import Event, FeedStatus, MarketListed, Tick
from dailyarb.core.domain.market import Settlement, SettlementKind, Side
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.rung import Mode
from dailyarb.core.domain.settings import ConfigMode, Settings, VenueKind
from dailyarb.runtime.identity import Identity, NoSigner
from dailyarb.runtime.ports import (
    NO_SETTLING,
    DigestSigner,
    MixedQuestions,
    WatchedSigner,
    may_read,
    mode_of,
    no_settling_feed,
    order_path,
    show_only,
    stand_in,
)
from dailyarb.venues.endpoints import LIVE
from dailyarb.venues.pool import TokenBucket
from tests.rig import UP, Rig, settings, spec

NOBODY = Identity(NoSigner(), None, None, "", "", 3)


def draft(salt: int = 1) -> cmd.OrderDraft:
    return cmd.OrderDraft(
        7, "0xm", UP, Side.BUY, 4_000_000, 10_000_000, salt, 1, TIF.GTC, True, False, "v1"
    )


class Heard:
    """Is a voice that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def order(self, command: cmd.QueryOrder) -> None:
        self.asked.append(command)

    def account(self, command: cmd.QueryAccount) -> None:
        self.asked.append(command)

    def book(self, command: cmd.QueryBook) -> None:
        self.asked.append(command)


def asked(kind: VenueKind, mode: ConfigMode) -> Settings:
    """Returns settings of these venues and this mode."""
    base = settings()
    return replace(base, mode=mode, venues=replace(base.venues, kind=kind))


@pytest.mark.parametrize("mode", ConfigMode)
@pytest.mark.parametrize("live", [False, True])
def test_venues_of_ours_are_never_live(mode: ConfigMode, live: bool) -> None:
    assert mode_of(asked(VenueKind.EMBEDDED, mode), live) is Mode.SIM
    assert mode_of(asked(VenueKind.REPLAY, mode), live) is Mode.REPLAY


def test_live_needs_the_file_and_the_command() -> None:
    assert mode_of(asked(VenueKind.LIVE, ConfigMode.LIVE), True) is Mode.LIVE
    with pytest.raises(ConfigError, match="does not say --live"):
        mode_of(asked(VenueKind.LIVE, ConfigMode.LIVE), False)
    for live in (False, True):
        assert mode_of(asked(VenueKind.LIVE, ConfigMode.DRY), live) is Mode.DRY
        assert mode_of(asked(VenueKind.LIVE, ConfigMode.PAPER), live) is Mode.PAPER


@pytest.mark.parametrize("mode", [Mode.SIM, Mode.REPLAY, Mode.LIVE])
def test_modes_that_send_have_no_stand_in(mode: Mode) -> None:
    assert stand_in(mode, Rig().engine, ManualClock(), lambda _: None) is None


def test_dry_ends_with_the_signature_and_paper_meets_books() -> None:
    engine = Rig().engine
    for mode in (Mode.DRY, Mode.PAPER):
        venue = stand_in(mode, engine, ManualClock(), lambda _: None)
        assert venue is not None and venue.fills is (mode is Mode.PAPER)


def test_sending_needs_credentials() -> None:
    with pytest.raises(ConfigError, match="credentials are missing"):
        order_path(LIVE, NOBODY, ManualClock(), lambda _: None, TokenBucket(1, 1))


def test_without_a_key_an_order_id_is_a_digest_of_its_draft() -> None:
    signer = DigestSigner()
    one, again, other = signer.sign(draft()), signer.sign(draft()), signer.sign(draft(2))
    assert one.order_id == again.order_id != other.order_id
    assert (len(one.order_id), one.draft_id) == (66, 7)
    assert one.order_json == again.order_json != other.order_json


def test_a_stand_in_is_told_what_each_id_stands_for() -> None:
    told: dict[str, cmd.OrderDraft] = {}
    signed = WatchedSigner(NoSigner(), told.__setitem__).sign(draft())
    assert told == {signed.order_id: draft()}


def test_the_stand_in_answers_for_the_account_and_the_venue_for_books() -> None:
    own, venue = Heard(), Heard()
    mixed = MixedQuestions(own, venue)  # type: ignore[arg-type]
    order, account = cmd.QueryOrder("0x1", "0xm", 1), cmd.QueryAccount(2, 0, ())
    book = cmd.QueryBook("0xm", UP, 3)
    mixed.order(order)
    mixed.account(account)
    mixed.book(book)
    assert (own.asked, venue.asked) == ([order, account], [book])


def test_a_window_that_settles_unseen_is_shown_only() -> None:
    listed = MarketListed(spec())
    shown = show_only(listed)
    assert isinstance(shown, MarketListed) and shown.spec.refusal == NO_SETTLING
    known = MarketListed(replace(spec(), refusal="fee exponent 2"))
    candle = replace(spec(), settlement=Settlement(SettlementKind.BINANCE_CANDLE))
    tick: Event = Tick()
    for same in (known, MarketListed(candle), tick):
        assert show_only(same) is same


@pytest.mark.parametrize(
    ("mode", "keys", "expected"),
    [
        (Mode.LIVE, True, (True, True)),
        (Mode.SIM, True, (True, True)),
        (Mode.PAPER, True, (True, False)),  # the real account's orders are not these
        (Mode.DRY, True, (True, False)),
        (Mode.PAPER, False, (False, False)),
    ],
)
def test_what_may_be_read(mode: Mode, keys: bool, expected: tuple[bool, bool]) -> None:
    assert may_read(mode, dict if keys else None) == expected


def test_a_settling_feed_that_cannot_be_dialled_says_so() -> None:
    report = no_settling_feed()
    assert (report.status, report.wanted, report.detail) == (FeedStatus.CONNECTING, 0, NO_SETTLING)
