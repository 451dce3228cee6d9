"""What the engine asks of the shell. Imperative; run in order.

`Journal` is synchronous: if it raises, nothing after it in the list runs, the shell cancels all
and exits 3.
"""

from __future__ import annotations

import msgspec

from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.market import MarketSpec, Side
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.records import Record
from dailyarb.core.domain.rung import Mode


class Deed(msgspec.Struct, frozen=True, gc=False):
    """Is the base of all commands."""


class Journal(Deed, frozen=True, gc=False):
    """Append one record to the journal, durably against kill -9, before anything after it."""

    record: Record


class OrderDraft(msgspec.Struct, frozen=True, gc=False):
    """Is everything that gets signed, chosen by the engine, so the order id follows from it.

    maker_e6 and taker_e6 are the signed integers; stamp_ms is venue time, strictly increasing;
    salt is below 2**53; expiration_s is 0 unless GTD.
    """

    draft_id: int
    market_id: str
    token: str
    side: Side
    maker_e6: int
    taker_e6: int
    salt: int
    stamp_ms: int
    tif: TIF
    post_only: bool
    neg_risk: bool
    version: str
    expiration_s: int = 0


class Sign(Deed, frozen=True, gc=False):
    """Sign a draft; answered by `Signed` in the same run."""

    draft: OrderDraft


class SignedOrder(msgspec.Struct, frozen=True, gc=False):
    """Is one signed order on its way."""

    order_id: str
    order_json: bytes
    tif: TIF
    post_only: bool


class Submit(Deed, frozen=True, gc=False):
    """Send these signed orders in one request; answered by `SubmitResult`.

    trigger_ns is the mono_ns at which the frame that caused it was received, 0 without one;
    decided_ns the mono_ns of the decision.
    """

    orders: tuple[SignedOrder, ...]
    asked_ns: int
    trigger_ns: int = 0
    decided_ns: int = 0


class Cancel(Deed, frozen=True, gc=False):
    """Cancel these orders; answered by `CancelResult`."""

    order_ids: tuple[str, ...]
    asked_ns: int


class CancelAll(Deed, frozen=True, gc=False):
    """Cancel every order of the account, or of one market; answered by `CancelResult`."""

    asked_ns: int
    market_id: str = ""


class Heartbeat(Deed, frozen=True, gc=False):
    """Refresh the venue's dead-man switch."""

    asked_ns: int


class QueryOrder(Deed, frozen=True, gc=False):
    """Ask for one order and its trades; answered by `OrderReport` and `Fill`s."""

    order_id: str
    market_id: str
    asked_ns: int


class QueryAccount(Deed, frozen=True, gc=False):
    """Ask for cash, open orders, trades since a venue time, and balances of these tokens."""

    asked_ns: int
    since_s: int
    tokens: tuple[tuple[str, str], ...]  # (market_id, token)


class QueryBook(Deed, frozen=True, gc=False):
    """Ask REST for one UP book, as a witness."""

    market_id: str
    token: str
    asked_ns: int


class Claim(Deed, frozen=True, gc=False):
    """Claim or merge what a market owes."""

    market_id: str


class SetMode(Deed, frozen=True, gc=False):
    """Let orders end elsewhere from now on: DRY or PAPER, and only while nothing is open."""

    mode: Mode


class Subscribe(Deed, frozen=True, gc=False):
    """Want exactly these markets on the feeds."""

    markets: tuple[MarketSpec, ...]


class Resync(Deed, frozen=True, gc=False):
    """Fetch a snapshot of one market's book on a new epoch."""

    market_id: str
    reason: str


class Alert(Deed, frozen=True, gc=False):
    """Tell people; `key` dedupes."""

    severity: Severity
    key: str
    text: str


class Answer(Deed, frozen=True, gc=False):
    """Answer an operator's request."""

    request_id: int
    ok: bool
    text: str


class Note(Deed, frozen=True, gc=False):
    """Write one log line: `evt` is noun.verb from the catalogue, fields are scalars."""

    level: str
    evt: str
    fields: dict[str, str | int | float | bool | None]


class Exit(Deed, frozen=True, gc=False):
    """Leave the process with this code."""

    code: int
    why: str


Command = (
    Journal
    | Sign
    | Submit
    | Cancel
    | CancelAll
    | Heartbeat
    | QueryOrder
    | QueryAccount
    | QueryBook
    | Claim
    | SetMode
    | Subscribe
    | Resync
    | Alert
    | Answer
    | Note
    | Exit
)
