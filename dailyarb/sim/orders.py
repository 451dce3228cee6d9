"""One posted order: what the venue reads in it, and every reason to refuse it.

Own arithmetic in `Fraction`. Sources: polymarket.md, sections 5.2 (body), 5.5 (types), 5.6 (tick
and decimals), 5.7 (minimums), 5.10 (the venue's words).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from dailyarb.sim import eip712, wire
from dailyarb.sim.accounts import Account
from dailyarb.sim.market import SimMarket
from dailyarb.sim.orderbook import ASK, BID, ONE_E4, Resting

BUY = 0
SELL = 1
UNIT = 1_000_000
TIFS = ("GTC", "GTD", "FOK", "FAK")
_AMOUNT_DP = {1000: 3, 100: 4, 50: 5, 25: 6, 10: 5, 1: 6}
_MIN_SHARES = 5
_GTD_MARGIN_S = 60


class Refusal(Exception):
    """Is an order that the venue does not take, in the venue's words."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


class Posted(NamedTuple):
    """Is a body as read: the signed fields, the type, and the flags that are not signed."""

    order: eip712.Order
    order_id: str
    signature: str
    tif: str
    post_only: bool
    expiration_s: int


class SimOrder:
    """Is an order that the venue has accepted; prices are of its own token."""

    __slots__ = (
        "account",
        "cash_e6",
        "created_ns",
        "expiration_s",
        "market",
        "matched_e6",
        "order_id",
        "outcome",
        "paid",
        "post_only",
        "posted",
        "price_e4",
        "resting",
        "side",
        "size_e6",
        "status",
        "tif",
        "trades",
    )  # fmt: skip

    def __init__(
        self, posted: Posted, account: Account, market: SimMarket, outcome: int, now_ns: int
    ) -> None:
        order = posted.order
        self.posted = posted
        self.order_id = posted.order_id
        self.account = account
        self.market = market
        self.outcome = outcome
        self.side = order.side
        self.tif = posted.tif
        self.post_only = posted.post_only
        self.expiration_s = posted.expiration_s
        self.size_e6 = order.taker_amount if order.side == BUY else order.maker_amount
        self.cash_e6 = order.maker_amount if order.side == BUY else order.taker_amount
        self.price_e4 = 0
        self.matched_e6 = 0
        self.paid = Fraction(0)  # dollars paid or received
        self.created_ns = now_ns
        self.resting: Resting | None = None
        self.status = "LIVE"
        self.trades: list[str] = []

    @property
    def token(self) -> str:
        """Returns the order's token."""
        return self.market.identity.tokens[self.outcome]

    @property
    def left_e6(self) -> int:
        """Returns the shares not yet matched."""
        return self.size_e6 - self.matched_e6

    @property
    def book_side(self) -> int:
        """Returns the side of Up's book on which the order rests."""
        return BID if (self.side == BUY) == (self.outcome == wire.UP) else ASK

    @property
    def book_price_e4(self) -> int:
        """Returns the limit in Up's terms."""
        return self.price_e4 if self.outcome == wire.UP else ONE_E4 - self.price_e4

    @property
    def live(self) -> bool:
        """Says whether the order stands in the book."""
        return self.resting is not None


def read_body(body: Mapping[str, Any]) -> Posted:
    """Reads one order body.

    Raises:
        Refusal: it is not an order.
    """
    fields = body.get("order")
    if not isinstance(fields, dict):
        raise Refusal("Invalid order payload")
    tif = str(body.get("orderType", ""))
    post_only = bool(body.get("postOnly", False))
    if tif not in TIFS:
        raise Refusal("invalid order type")
    if post_only and tif not in ("GTC", "GTD"):
        raise Refusal("invalid post-only order: only GTC and GTD order types are allowed")
    try:
        order = eip712.read_order(fields)
        expiration_s = int(str(fields.get("expiration", "0")))
        order_id = "0x" + eip712.order_digest(order).hex()
    except (eip712.SignatureError, ValueError) as error:
        raise Refusal("Invalid order payload") from error
    signature = str(fields.get("signature", ""))
    return Posted(order, order_id, signature, tif, post_only, expiration_s)


def check_owner(posted: Posted, account: Account, owner: str) -> None:
    """Checks that the key may send this order and that the signer signed it.

    Raises:
        Refusal: wrong owner, wallet, signer or signature.
    """
    order = posted.order
    if owner != account.api_key:
        raise Refusal("the order owner has to be the owner of the API KEY")
    kind = account.makers.get(order.maker.lower())
    if kind is None:
        raise Refusal("maker address not allowed, please use the deposit wallet flow")
    if kind != order.signature_type:
        raise Refusal("invalid signature type for the maker address")
    expected = order.maker if kind == 3 else account.address
    if order.signer.lower() != expected.lower():
        raise Refusal("the order signer address has to be the address of the API KEY")
    try:
        signer = eip712.order_signer(order, posted.signature)
    except eip712.SignatureError as error:
        raise Refusal("invalid signature") from error
    if signer.lower() != account.address.lower():
        raise Refusal("invalid signature")


def check_terms(order: SimOrder, now_ns: int) -> None:
    """Checks decimals, grid, minimum size and expiration, and sets the limit price.

    Raises:
        Refusal: a term is off.
    """
    name = order.order_id
    tick = order.market.tick_e4
    if order.size_e6 <= 0 or order.cash_e6 <= 0:
        raise Refusal(f"order {name} is invalid. Invalid amounts")
    price = Fraction(order.cash_e6, order.size_e6) * ONE_E4
    marketable_kind = order.tif in ("FOK", "FAK")
    _check_decimals(order, tick, marketable_kind)
    if marketable_kind:
        # The amounts imply a price between ticks: the limit is the tick on the cheaper side.
        steps = price / tick
        whole = steps // 1
        order.price_e4 = int(whole if order.side == BUY or steps == whole else whole + 1) * tick
    else:
        if price.denominator != 1 or int(price) % tick:
            shown = float(price / ONE_E4)
            rule = wire.PRICE[tick]
            raise Refusal(
                f"order {name} is invalid. Price ({shown:g}) breaks minimum tick size rule: {rule}"
            )
        order.price_e4 = int(price)
    if not tick <= order.price_e4 <= ONE_E4 - tick:
        low, high = wire.PRICE[tick], wire.PRICE[ONE_E4 - tick]
        raise Refusal(f"invalid price ({float(price / ONE_E4):g}), min: {low} - max: {high}")
    _check_size(order)
    if order.tif == "GTD":
        if order.expiration_s < now_ns // 10**9 + _GTD_MARGIN_S:
            raise Refusal("invalid expiration")
    elif order.expiration_s != 0:
        raise Refusal("invalid expiration")


def _check_decimals(order: SimOrder, tick: int, marketable_kind: bool) -> None:
    """Checks the decimals of both amounts: shares 2, cash by tick; FOK and FAK buys 2 and 4."""
    if marketable_kind and order.side == BUY:
        if order.cash_e6 % 10**4 or order.size_e6 % 10**2:
            raise Refusal(
                "invalid amounts, the market buy orders maker amount supports a max accuracy of "
                "2 decimals, taker amount a max of 4 decimals"
            )
        return
    places = _AMOUNT_DP[tick]
    if order.size_e6 % 10**4 or order.cash_e6 % 10 ** (6 - places):
        side = "buy" if order.side == BUY else "sell"
        first, second = (places, 2) if order.side == BUY else (2, places)
        raise Refusal(
            f"invalid amounts, the {side} orders maker amount supports a max accuracy of "
            f"{first} decimals, taker amount a max of {second} decimals"
        )


def _check_size(order: SimOrder) -> None:
    if order.tif in ("GTC", "GTD") and order.size_e6 < _MIN_SHARES * UNIT:
        raise Refusal(
            f"order {order.order_id} is invalid. Size ({wire.size_text(order.size_e6)}) lower than "
            f"the minimum: {_MIN_SHARES}"
        )
    if order.tif in ("FOK", "FAK"):
        check_dollar(order)


def check_dollar(order: SimOrder) -> None:
    """Checks that a marketable buy is worth a dollar.

    Raises:
        Refusal: it is not.
    """
    if order.side == BUY and order.cash_e6 < UNIT:
        raise Refusal(
            f"invalid amount for a marketable BUY order (${wire.size_text(order.cash_e6)}), "
            "min size: $1"
        )
