"""The discovery service: markets and events by slug, as it printed them in August 2026.

Source: polymarket.md, section 2 (paths, fields, the CLOB's compact record). Token ids, outcomes and
outcome prices are JSON text inside JSON, as the real ones are.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from dailyarb.sim import wire
from dailyarb.sim.hall import Entry, Hall
from dailyarb.sim.market import Identity, SimMarket
from dailyarb.sim.orderbook import ONE_E4
from dailyarb.sim.types import NS_PER_S, Reply, Request

FEE_RATE = 0.07
_EASTERN = timezone(timedelta(hours=-5))


class Gamma:
    """Answers the discovery calls from the hall's markets."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall

    def request(self, request: Request, now_ns: int) -> Reply:
        """Answers /markets, /markets/slug/{slug}, /events and /events/slug/{slug}."""
        parts = [part for part in request.path.split("/") if part]
        if request.method != "GET" or not parts or parts[0] not in ("markets", "events"):
            return _missing(now_ns)
        shape = market_object if parts[0] == "markets" else event_object
        if len(parts) == 3 and parts[1] == "slug":
            entry = self._hall.by_slug.get(parts[2])
            if entry is None:
                return _missing(now_ns)
            return Reply(now_ns, 200, wire.compact(shape(entry.market, now_ns)))
        if len(parts) == 2 and parts[1] != "slug":
            for entry in self._hall.entries():
                if str(entry.market.identity.number) == parts[1]:
                    return Reply(now_ns, 200, wire.compact(shape(entry.market, now_ns)))
            return _missing(now_ns)
        if len(parts) != 1:
            return _missing(now_ns)
        found = [shape(entry.market, now_ns) for entry in self._search(request)]
        return Reply(now_ns, 200, wire.compact(found))

    def _search(self, request: Request) -> list[Entry]:
        """Returns what the filters leave; `closed` is false unless asked for."""
        slugs = request.every("slug")
        conditions = request.every("condition_ids")
        tokens = request.every("clob_token_ids")
        closed = request.first("closed", "false").lower() == "true"
        limit = request.first("limit", "100")
        found: list[Entry] = []
        for entry in self._hall.entries():
            identity = entry.market.identity
            if (entry.market.winner >= 0) != closed:
                continue
            if slugs and identity.slug not in slugs:
                continue
            if conditions and identity.market not in conditions:
                continue
            if tokens and not (set(identity.tokens) & set(tokens)):
                continue
            found.append(entry)
        return found[: min(500, int(limit) if limit.isdigit() else 100)]


def market_object(market: SimMarket, now_ns: int) -> dict[str, Any]:
    """Returns one market as the discovery service prints it."""
    identity = market.identity
    closed = market.winner >= 0
    prices = _outcome_prices(market)
    body: dict[str, Any] = {
        "id": str(identity.number),
        "question": title(identity),
        "conditionId": identity.market,
        "slug": identity.slug,
        "resolutionSource": _source(identity),
        "endDate": iso(identity.end_s),
        "startDate": iso(identity.listed_s),
        "description": _description(identity),
        "outcomes": '["Up", "Down"]',
        "outcomePrices": prices,
        "volume": wire.size_text(market.volume_e6),
        "active": True,
        "closed": closed,
        "archived": False,
        "restricted": True,
        "questionID": "0x" + identity.market[:1:-1],
        "enableOrderBook": True,
        "orderPriceMinTickSize": market.tick_e4 / ONE_E4,
        "orderMinSize": 5,
        "clobTokenIds": json.dumps(list(identity.tokens)),
        "makerBaseFee": 1000,
        "takerBaseFee": 1000,
        "acceptingOrders": market.accepting,
        "acceptingOrdersTimestamp": iso(identity.listed_s),
        "negRisk": False,
        "version": "v1",
        "umaResolutionStatuses": '["resolved"]' if closed else "[]",
        "spread": (market.book.ask_e4 - market.book.bid_e4) / ONE_E4,
        "bestBid": market.book.bid_e4 / ONE_E4,
        "bestAsk": market.book.ask_e4 / ONE_E4,
        "clearBookOnStart": False,
        "secondsDelay": 0,
        "eventStartTime": iso(identity.start_s),
        "rewardsMinSize": 50,
        "rewardsMaxSpread": 4.5,
        "feesEnabled": True,
        "feeType": "crypto_fees_v2",
        "feeSchedule": {"exponent": 1, "rate": FEE_RATE, "takerOnly": True, "rebateRate": 0.2},
        "cryptoMarketConfig": {
            "id": f"{identity.asset}-{identity.label}-twap-60",
            "asset": identity.asset,
            "duration": identity.label,
            "twapEnabled": True,
            "twapLookbackSeconds": 60,
        },
    }
    if closed:
        body["closedTime"] = iso(now_ns // NS_PER_S)
    return body


def event_object(market: SimMarket, now_ns: int) -> dict[str, Any]:
    """Returns the event of a market; the price to beat appears only after the close."""
    identity = market.identity
    body: dict[str, Any] = {
        "id": str(identity.number + 10_000_000),
        "ticker": identity.slug,
        "slug": identity.slug,
        "title": title(identity),
        "startDate": iso(identity.listed_s),
        "startTime": iso(identity.start_s),
        "endDate": iso(identity.end_s),
        "active": True,
        "closed": market.winner >= 0,
        "seriesSlug": f"{identity.asset}-up-or-down-{identity.label}",
        "eventMetadata": {},
        "markets": [market_object(market, now_ns)],
    }
    if market.winner >= 0:
        body["eventMetadata"] = {
            "priceToBeat": market.strike_e18 / 1e18,
            "finalPrice": market.final_e18 / 1e18,
        }
    return body


def clob_record(market: SimMarket) -> dict[str, Any]:
    """Returns the CLOB's compact record of a market, with the taker's hold in milliseconds."""
    identity = market.identity
    return {
        "c": identity.market,
        "t": [
            {"t": identity.up_token, "o": "Up"},
            {"t": identity.down_token, "o": "Down"},
        ],
        "mos": 5,
        "mts": market.tick_e4 / ONE_E4,
        "ao": market.accepting,
        "cbos": False,
        "nr": False,
        "sd": 0,
        "itode": True,
        "fd": {"r": FEE_RATE, "e": 1, "to": True},
        "oas": 0,
        "aot": iso(identity.listed_s),
        "ibce": True,
        "rfqe": False,
    }


def new_market_event(market: SimMarket, stamp_ms: int) -> bytes:
    """Returns the broadcast that a market was listed; numbers are strings here."""
    identity = market.identity
    tokens = list(identity.tokens)
    body = {
        "event_type": "new_market",
        "id": str(identity.number),
        "question": title(identity),
        "market": identity.market,
        "slug": identity.slug,
        "description": _description(identity),
        "assets_ids": tokens,
        "outcomes": ["Up", "Down"],
        "event_message": {
            "id": str(identity.number + 10_000_000),
            "ticker": identity.slug,
            "slug": identity.slug,
            "title": title(identity),
            "description": _description(identity),
        },
        "timestamp": str(stamp_ms),
        "tags": ["crypto", "recurring", identity.label],
        "condition_id": identity.market,
        "active": True,
        "clob_token_ids": tokens,
        "order_price_min_tick_size": wire.PRICE[market.tick_e4],
        "taker_base_fee": "1000",
        "fees_enabled": True,
        "fee_schedule": {
            "exponent": "1", "rate": str(FEE_RATE), "taker_only": True, "rebate_rate": "0.2",
        },
    }  # fmt: skip
    return wire.compact(body)


def resolved_event(market: SimMarket, stamp_ms: int) -> bytes:
    """Returns the broadcast that a market was decided."""
    identity = market.identity
    body = {
        "event_type": "market_resolved",
        "id": str(identity.number),
        "market": identity.market,
        "assets_ids": list(identity.tokens),
        "winning_asset_id": identity.tokens[market.winner],
        "winning_outcome": wire.OUTCOMES[market.winner],
        "timestamp": str(stamp_ms),
        "tags": ["crypto", "recurring", identity.label],
    }
    return wire.compact(body)


def iso(second: int) -> str:
    """Returns a Unix second as the venue prints instants."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def title(identity: Identity) -> str:
    """Returns the question, in New York winter time."""
    start = datetime.fromtimestamp(identity.start_s, _EASTERN)
    end = datetime.fromtimestamp(identity.end_s, _EASTERN)
    day = f"{start:%B} {start.day}"
    hours = [f"{at:%I:%M%p}".lstrip("0") for at in (start, end)]
    return f"{identity.long_name} Up or Down - {day}, {hours[0]}-{hours[1]} ET"


def _outcome_prices(market: SimMarket) -> str:
    if market.winner >= 0:
        return '["1", "0"]' if market.winner == wire.UP else '["0", "1"]'
    middle = (market.book.bid_e4 + market.book.ask_e4) / 2.0 / ONE_E4
    return json.dumps([f"{middle:.4g}", f"{1.0 - middle:.4g}"])


def _source(identity: Identity) -> str:
    return f"https://data.chain.link/streams/{identity.asset}-usd-twap-60s-streams"


def _description(identity: Identity) -> str:
    pair = f"{identity.asset.upper()}/USD"
    return (
        f'This market will resolve to "Up" if the 60-second time-weighted average price of {pair} '
        "at the end of the time range in the title is greater than or equal to the one at its "
        f'beginning. Otherwise, it will resolve to "Down". The source is the Chainlink {pair} TWAP '
        f"stream at {_source(identity)}."
    )


def _missing(now_ns: int) -> Reply:
    return Reply(now_ns, 404, b'{"type":"not found error","error":"slug not found"}')
