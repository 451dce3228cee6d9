"""Where orders go in each mode, and who answers for the account there.

SIM, REPLAY and LIVE send to a venue. PAPER meets the engine's own books in a fill model, DRY ends
with the signature; both need no account anywhere, and without a key they sign with a digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
from msgspec.structs import replace

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.commands import OrderDraft, QueryAccount, QueryBook, QueryOrder
from dailyarb.core.domain.errors import ConfigError, Problem
from dailyarb.core.domain.events import Event, FeedState, FeedStatus, MarketListed, Signed
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.market import SettlementKind
from dailyarb.core.domain.rung import STAND_INS, Mode
from dailyarb.core.domain.settings import ConfigMode, Settings, VenueKind, usd_e6
from dailyarb.core.engine.engine import Engine
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.dry import PlayAccount
from dailyarb.runtime.identity import Identity, NoSigner
from dailyarb.runtime.live import OrderPort, Questions, Signs
from dailyarb.runtime.paper import PaperVenue
from dailyarb.runtime.submit import OrderPath, PathSettings
from dailyarb.sim.fills_types import FillSettings
from dailyarb.venues.endpoints import Endpoints
from dailyarb.venues.pool import TokenBucket

# A marketable order holds its connection for the venue's delay and a round trip.
CONNECTIONS = 12
NO_SETTLING = "the settling feed needs the venue's API credentials, even to look"
_encode = msgspec.json.Encoder(order="sorted").encode


class OrderLine(OrderPort, Protocol):
    """Is an order port with a life of its own and its part of the latency table."""

    written: LatencyHistogram
    tick_to_order: LatencyHistogram
    answered: LatencyHistogram

    async def start(self) -> None:
        """Gets ready to take orders."""

    async def close(self) -> None:
        """Takes no more; what is on its way ends unproven."""

    def step(self) -> None:
        """Does what is due; called many times a second."""


class StandIn(OrderLine, Protocol):
    """Is what stands in for a venue: orders in, answers out, and an account of its own.

    fills says whether orders meet the fill model (PAPER) or end with the signature (DRY).
    """

    fills: bool

    def order(self, command: QueryOrder) -> None:
        """Answers for one order."""

    def account(self, command: QueryAccount) -> None:
        """Answers with one snapshot of the account."""

    def heard(self, event: Event) -> None:
        """Takes what the engine is about to be told: listings, prints, resolutions."""

    def laid(self, market_id: str) -> None:
        """Takes note that a market's book changed."""

    def signed(self, order_id: str, draft: OrderDraft) -> None:
        """Takes note of what an order id stands for."""


def order_path(
    at: Endpoints,
    identity: Identity,
    clock: Clock,
    emit: Callable[[Event], None],
    dials: TokenBucket,
) -> OrderPath:
    """Returns the warm connections orders leave by; dials bounds the attempts to connect.

    Raises:
        ConfigError: there are no credentials to prove orders with.
    """
    if identity.auth is None:
        what = "credentials are missing: orders cannot be proven to be ours"
        raise ConfigError([Problem("config", 0, "credentials.private_key", what)])
    settings = PathSettings(connections=CONNECTIONS, dials=dials)
    return OrderPath(at.clob_http, identity.auth, identity.owner, clock, emit, settings)


class DigestSigner:
    """Stands in for a key where nothing is sent: the id of an order is a digest of its draft."""

    def sign(self, draft: OrderDraft) -> Signed:
        """Returns the draft as bytes without a signature; the same draft has the same id."""
        began = boot_ns()
        body = _encode(draft)
        order_id = "0x" + hashlib.sha256(body).hexdigest()
        return Signed(draft.draft_id, order_id, body, boot_ns() - began)


class WatchedSigner:
    """Signs, and tells a stand-in what each order id stands for.

    Args:
        signer: the key's own signer, or none.
        told: takes (order id, draft) of each order.
    """

    def __init__(self, signer: Signs, told: Callable[[str, OrderDraft], None]) -> None:
        self._signer = DigestSigner() if isinstance(signer, NoSigner) else signer
        self._told = told

    def sign(self, draft: OrderDraft) -> Signed:
        """Signs one draft.

        Raises:
            Refused: the signer refuses it.
        """
        signed = self._signer.sign(draft)
        self._told(signed.order_id, draft)
        return signed


class MixedQuestions:
    """Asks the stand-in about orders and account, and the real venue about books."""

    def __init__(self, own: StandIn, venue: Questions) -> None:
        self._own = own
        self._venue = venue

    def order(self, command: QueryOrder) -> None:
        """Asks for one order."""
        self._own.order(command)

    def account(self, command: QueryAccount) -> None:
        """Asks for one snapshot of the account."""
        self._own.account(command)

    def book(self, command: QueryBook) -> None:
        """Asks REST for one book."""
        self._venue.book(command)


def show_only(event: Event) -> Event:
    """Returns a listing as one to be watched, not traded: nobody tells us how it will settle.

    Windows that settle by Binance's own candle need no settling feed and stay as they are.
    """
    if not isinstance(event, MarketListed):
        return event
    spec = event.spec
    if spec.refusal or spec.settlement.kind is SettlementKind.BINANCE_CANDLE:
        return event
    return MarketListed(replace(spec, refusal=NO_SETTLING))


def no_settling_feed() -> FeedState:
    """Returns the report of a settling feed that cannot even be dialled."""
    return FeedState(FeedId.SETTLEMENT, FeedStatus.CONNECTING, 0, 0, 0, 0.0, detail=NO_SETTLING)


def mode_of(settings: Settings, live_asked: bool) -> Mode:
    """Returns the mode that venues, file and command line together allow.

    Raises:
        ConfigError: the file says live and the command does not; orders would be real unasked.
    """
    if settings.venues.kind is VenueKind.EMBEDDED:
        return Mode.SIM
    if settings.venues.kind is VenueKind.REPLAY:
        return Mode.REPLAY
    if settings.mode is ConfigMode.LIVE and not live_asked:
        what = 'is "live", and the command does not say --live'
        raise ConfigError([Problem("config", 0, "mode", what)])
    return Mode[settings.mode.value.upper()]


def stand_in(
    mode: Mode, engine: Engine, clock: Clock, emit: Callable[[Event], None]
) -> StandIn | None:
    """Returns what stands in for the venue, None in a mode that sends.

    Its account begins where the engine's recovered ledger stands; markets that earlier runs left
    open are known to it.
    """
    if mode not in STAND_INS:
        return None
    state = engine.state
    start_e6 = usd_e6(state.settings.venues.start_cash_usd)
    account = PlayAccount(state.ledger, start_e6)
    venue = PaperVenue(account, clock, emit, engine.books, FillSettings(), state.birth.run)
    venue.fills = mode is Mode.PAPER
    for desk in state.desks.values():
        venue.heard(MarketListed(desk.spec))
    return venue


def may_read(mode: Mode, headers: Callable[[], Mapping[str, str]] | None) -> tuple[bool, bool]:
    """Says whether the settling feed and the user channel may be opened.

    The user channel tells of the real account, which is not the one that DRY and PAPER keep.
    """
    return headers is not None, headers is not None and mode not in STAND_INS
