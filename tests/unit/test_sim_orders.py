"""Orders at the simulated venue: refusals in its words, life cycles, fees, money."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from dailyarb.sim import eip712
from dailyarb.sim.accounts import taker_fee
from dailyarb.sim.desk import FAK_TEXT, FOK_TEXT
from dailyarb.sim.types import NS_PER_MS, Held, Request
from tests.unit.sim_world import START_S, World, cents

RATE = Fraction(7, 100)


@pytest.fixture
def world() -> World:
    made = World()
    made.listen_user()
    return made


def tokens(world: World) -> tuple[str, str]:
    up, down = world.entry().market.identity.tokens
    return up, down


def touch(world: World) -> tuple[int, int]:
    book = world.entry().market.book
    return book.bid_e4, book.ask_e4


def freeze(world: World) -> None:
    """Stops the crowd, so that a test decides what happens in the book."""
    crowd = world.entry().crowd
    for name in ("flicker", "noise", "raid"):
        setattr(crowd, name, lambda *_: None)
    crowd.think = lambda *_: 0  # type: ignore[method-assign]


def conserved(world: World) -> None:
    """The venue's own books: every dollar is somewhere, every pair is locked."""
    ledger = world.poly.ledger
    assert ledger.total() == world.venues.profile.start_cash_usd
    locked = Fraction(0)
    for entry in world.poly.hall.entries():
        up, down = (
            sum(a.held(token) for a in ledger.accounts.values()) + ledger.crowd_shares.get(token, 0)
            for token in entry.market.identity.tokens
        )
        assert up == down
        locked += up
    assert ledger.locked == locked


def test_a_resting_order_lives_is_seen_and_is_cancelled(world: World) -> None:
    up, _ = tokens(world)
    status, answer = world.place(up, "BUY", "0.05", "20")
    assert status == 200
    assert answer["success"] is True
    assert (answer["status"], answer["makingAmount"], answer["tradeIDs"]) == ("live", "", [])
    rows = world.ask("GET", "/data/orders")
    assert [row["id"] for row in rows["data"]] == [answer["orderID"]]
    assert rows["next_cursor"] == "LTE="
    assert rows["data"][0]["price"] == "0.05"
    one = world.ask("GET", f"/data/order/{answer['orderID']}")
    assert one["original_size"] == "20"
    cancelled = world.ask("DELETE", "/order", {"orderID": answer["orderID"]})
    assert cancelled == {"canceled": [answer["orderID"]], "not_canceled": {}}
    again = world.ask("DELETE", "/order", {"orderID": answer["orderID"]})
    assert again["not_canceled"] == {answer["orderID"]: "already canceled or matched"}
    assert world.ask("GET", f"/data/order/{answer['orderID']}") is None
    kinds = [(e["type"], e["status"]) for e in world.events("user")]
    assert kinds == [("PLACEMENT", "LIVE"), ("CANCELLATION", "CANCELED")]


def test_the_order_id_is_the_hash_of_what_was_signed(world: World) -> None:
    body = world.body(tokens(world)[0], "BUY", "0.05", "20")
    answer = world.ask("POST", "/order", body)
    assert len(answer["orderID"]) == 66
    status = world.request("POST", "/order", body)
    assert status.status == 400
    assert json.loads(status.body)["error"] == f"order {answer['orderID']} is invalid. Duplicated."


def test_a_marketable_order_waits_fifty_milliseconds_and_pays_the_fee(world: World) -> None:
    freeze(world)
    up, _ = tokens(world)
    _, ask = touch(world)
    before = world.now_ns
    status, answer = world.place(up, "BUY", cents(ask), "10", "FAK")
    assert (status, answer["status"]) == (200, "matched")
    assert world.now_ns - before == 50 * NS_PER_MS
    price = Fraction(ask, 10_000)
    fee = taker_fee(price, Fraction(10), RATE)
    assert world.venues.account.cash == 1000 - 10 * price - fee
    assert world.poly.ledger.fees == fee
    assert (answer["takingAmount"], answer["transactionsHashes"]) == ("10", [])
    assert float(answer["makingAmount"]) == pytest.approx(float(10 * price))
    assert len(answer["tradeIDs"]) == 1
    conserved(world)


def test_during_the_hold_it_can_neither_be_seen_nor_cancelled(world: World) -> None:
    freeze(world)
    up, _ = tokens(world)
    body = world.body(up, "BUY", cents(touch(world)[1]), "10")
    data = json.dumps(body, separators=(",", ":")).encode()
    stamp = str(world.now_ns // 10**9)
    headers = {
        "POLY_ADDRESS": world.known.address, "POLY_API_KEY": world.known.api_key,
        "POLY_PASSPHRASE": world.known.passphrase, "POLY_TIMESTAMP": stamp,
        "POLY_SIGNATURE": eip712.hmac_signature(
            world.known.secret, stamp, "POST", "/order", data
        ),
    }  # fmt: skip
    held = world.poly.request(Request("POST", "/order", (), headers, data), world.now_ns)
    assert isinstance(held, Held)
    with pytest.raises(KeyError):
        world.poly.answer(held.ticket)
    order_id = "0x" + eip712.order_digest(eip712.read_order(body["order"])).hex()
    assert world.ask("GET", "/data/orders")["data"] == []
    answer = world.ask("DELETE", "/order", {"orderID": order_id})
    assert order_id in answer["not_canceled"]
    world.now_ns = held.due_ns
    world.flush()
    assert json.loads(world.poly.answer(held.ticket).body)["status"] == "matched"


def test_what_the_market_does_during_the_hold_counts(world: World) -> None:
    freeze(world)
    up, _ = tokens(world)
    _, ask = touch(world)
    market = world.entry().market
    world.poly.hall.schedule.at(
        world.now_ns + 10 * NS_PER_MS, lambda due: market.set_crowd(1, ask, 0, due)
    )
    assert world.place(up, "BUY", cents(ask), "10", "FAK") == (400, {"error": FAK_TEXT})
    assert world.venues.account.cash == 1000


def test_trades_go_matched_mined_confirmed_over_seconds(world: World) -> None:
    up, _ = tokens(world)
    status, answer = world.place(up, "BUY", "0.99", "10", "FAK")
    assert status == 200
    world.run(30)
    told = [e for e in world.events("user") if e["event_type"] == "trade"]
    first = [e for e in told if e["id"] == answer["tradeIDs"][0]]
    assert [e["status"] for e in first] == ["MATCHED", "MINED", "CONFIRMED"]
    stamps = [int(e["timestamp"]) for e in first]
    assert stamps[1] - stamps[0] > 1000
    assert stamps[2] - stamps[1] > 1000
    event = first[0]
    assert (event["trader_side"], event["taker_order_id"]) == ("TAKER", answer["orderID"])
    assert event["transaction_hash"] is None
    assert first[2]["transaction_hash"].startswith("0x")
    matched = sum(float(part["matched_amount"]) for part in event["maker_orders"])
    assert matched == pytest.approx(float(event["size"]))
    rows = world.ask("GET", "/data/trades", query=f"id={answer['tradeIDs'][0]}")["data"]
    assert [row["status"] for row in rows] == ["CONFIRMED"]


def test_the_shapes_of_private_events_are_the_captured_ones(
    world: World, shared_data: Path
) -> None:
    folder = shared_data / "ws/polymarket/nautilus"
    real_order = json.loads((folder / "captured_order_placement.json").read_text())
    real_trade = json.loads((folder / "captured_user_trade1.json").read_text())
    world.place(tokens(world)[0], "BUY", "0.05", "20")
    world.place(tokens(world)[0], "BUY", "0.99", "10", "FAK")
    events = world.events("user")
    order = next(e for e in events if e["event_type"] == "order")
    trade = next(e for e in events if e["event_type"] == "trade")
    assert set(real_order) <= set(order)
    assert set(real_trade) <= set(trade)
    assert set(real_trade["maker_orders"][0]) <= set(trade["maker_orders"][0])
    for key in ("created_at", "timestamp", "original_size", "size_matched", "price"):
        assert type(order[key]) is type(real_order[key])


def test_bought_shares_can_be_sold_once_mined(world: World) -> None:
    up, _ = tokens(world)
    world.place(up, "BUY", "0.99", "10", "FAK")
    status, answer = world.place(up, "SELL", "0.01", "10", "FAK")
    assert status == 400
    assert answer["error"].startswith("not enough balance / allowance")
    world.run(20)
    balance = world.ask("GET", "/balance-allowance", query=f"asset_type=CONDITIONAL&token_id={up}")
    assert balance["balance"] == "10000000"
    status, answer = world.place(up, "SELL", "0.01", "10", "FAK")
    assert (status, answer["makingAmount"]) == (200, "10")
    assert world.venues.account.held(up) == 0
    conserved(world)


def test_buying_down_takes_the_bids_of_up(world: World) -> None:
    freeze(world)
    _, down = tokens(world)
    bid, _ = touch(world)
    status, answer = world.place(down, "BUY", cents(10_000 - bid), "10", "FAK")
    assert (status, answer["status"]) == (200, "matched")
    assert world.venues.account.held(down) == 10
    trade = next(e for e in world.events("user") if e["event_type"] == "trade")
    assert (trade["outcome"], trade["price"]) == ("Down", f"{(10_000 - bid) / 10_000:g}")
    assert trade["maker_orders"][0]["outcome"] == "Up"
    conserved(world)


def test_a_maker_of_ours_is_found_by_id_on_either_token(world: World) -> None:
    freeze(world)
    up, down = tokens(world)
    bid, ask = touch(world)
    middle = (bid + ask) // 2 // 100 * 100 if ask - bid > 100 else bid
    _, resting = world.place(down, "BUY", cents(10_000 - ask), "10")
    market = world.entry().market
    ahead = market.book.crowd[1].get(ask, 0)
    assert middle
    market.crowd_takes(1, ask, ahead + 4_000_000, world.now_ns)
    world.flush()
    assert world.venues.account.held(down) == 4
    assert world.venues.account.held(up) == 0
    trade = next(e for e in world.events("user") if e["event_type"] == "trade")
    assert trade["trader_side"] == "MAKER"
    mine = [part for part in trade["maker_orders"] if part["order_id"] == resting["orderID"]]
    assert (mine[0]["outcome"], mine[0]["side"]) == ("Down", "BUY")
    assert mine[0]["price"] == f"{(10_000 - ask) / 10_000:g}"
    assert world.poly.ledger.fees == 0  # makers pay nothing
    update = [e for e in world.events("user") if e.get("type") == "UPDATE"]
    assert (update[0]["size_matched"], update[0]["status"]) == ("4", "LIVE")
    conserved(world)


def test_our_own_two_legs_may_meet_and_money_stays(world: World) -> None:
    freeze(world)
    up, down = tokens(world)
    market = world.entry().market
    for side in (0, 1):
        for price in list(market.book.crowd[side]):
            market.set_crowd(side, price, 0, world.now_ns)
    world.place(up, "BUY", "0.4", "10")
    _, answer = world.place(down, "BUY", "0.6", "10")
    assert answer["status"] == "matched"
    account = world.venues.account
    fee = taker_fee(Fraction(6, 10), Fraction(10), RATE)
    assert account.held(up) == account.held(down) == 10
    assert account.cash == 990 - fee
    conserved(world)


def test_fok_is_whole_or_nothing_and_says_so(world: World) -> None:
    freeze(world)
    up, _ = tokens(world)
    _, ask = touch(world)
    depth = world.entry().market.book.total_e6(1, ask) // 10**6
    if depth > 1500:
        world.entry().market.set_crowd(1, ask, 100_000_000, world.now_ns)
        depth = 100
    answer = world.place(up, "BUY", cents(ask), str(depth + 50), "FOK")
    assert answer == (400, {"error": FOK_TEXT})
    event = world.events("user")[-1]
    assert (event["type"], event["status"]) == ("CANCELLATION", f"CANCELED_{FOK_TEXT}")
    assert world.venues.account.cash == 1000


def test_fak_takes_what_is_there_and_gtc_rests_the_rest(world: World) -> None:
    freeze(world)
    up, _ = tokens(world)
    _, ask = touch(world)
    market = world.entry().market
    market.set_crowd(1, ask, 8_000_000, world.now_ns)
    _, answer = world.place(up, "BUY", cents(ask), "10", "FAK")
    assert answer["takingAmount"] == "8"
    market.set_crowd(1, ask, 8_000_000, world.now_ns)
    _, answer = world.place(up, "BUY", cents(ask), "20")
    assert (answer["status"], answer["takingAmount"]) == ("matched", "8")
    rows = world.ask("GET", "/data/orders")["data"]
    assert [(row["original_size"], row["size_matched"]) for row in rows] == [("20", "8")]
    assert market.book.bid_e4 == ask
    conserved(world)


@pytest.mark.parametrize(
    ("price", "size", "kind", "changes", "words"),
    [
        ("0.055", "20", "GTC", {}, "breaks minimum tick size rule: 0.01"),
        ("0.05", "4", "GTC", {}, "Size (4) lower than the minimum: 5"),
        ("0.05", "20.001", "GTC", {}, "invalid amounts, the buy orders maker amount"),
        ("0.05", "20000.2", "FAK", {}, "not enough balance / allowance"),
        ("0.05", "10", "FAK", {}, "invalid amount for a marketable BUY order ($0.5), min size: $1"),
        ("0.053", "20", "FAK", {"takerAmount": "20000001"}, "invalid amounts, the market buy"),
        ("0.05", "20", "GTC", {"expiration": "5"}, "invalid expiration"),
        ("0.05", "20", "GTD", {"expiration": "5"}, "invalid expiration"),
        ("0.05", "20", "XYZ", {}, "invalid order type"),
        ("0.05", "20", "FAK", {"postOnly": True}, "only GTC and GTD"),
        ("0.05", "20", "GTC", {"tokenId": "123"}, "the orderbook 123 does not exist"),
        ("0.05", "20", "GTC", {"owner": "me"}, "owner of the API KEY"),
        ("0.05", "20", "GTC", {"maker": "0x" + "11" * 20}, "maker address not allowed"),
        ("0.05", "20", "GTC", {"signer": "0x" + "11" * 20}, "address of the API KEY"),
        ("0.05", "20", "GTC", {"signatureType": 2}, "invalid signature type"),
        ("0.05", "90000", "GTC", {}, "the balance is not enough -> balance: 1000000000"),
    ],
)  # fmt: skip
def test_refusals_in_the_venues_words(
    world: World, price: str, size: str, kind: str, changes: dict[str, Any], words: str
) -> None:
    status, answer = world.place(tokens(world)[0], "BUY", price, size, kind, **changes)
    assert status == 400
    assert words in answer["error"]
    assert world.ask("GET", "/data/orders")["data"] == []


def test_prices_outside_the_grid_are_refused(world: World) -> None:
    status, answer = world.place(tokens(world)[0], "BUY", "1", "10")
    assert status == 400
    assert "invalid price (1), min: 0.01 - max: 0.99" in answer["error"]


def test_a_post_only_order_may_not_cross(world: World) -> None:
    up, _ = tokens(world)
    status, answer = world.place(up, "BUY", "0.99", "10", postOnly=True)
    assert (status, answer["error"]) == (400, "invalid post-only order: order crosses book")
    assert world.place(up, "BUY", "0.02", "50", postOnly=True)[0] == 200


def test_a_forged_signature_is_refused(world: World) -> None:
    body = world.body(tokens(world)[0], "BUY", "0.05", "20")
    body["order"]["makerAmount"] = "999999"
    reply = world.request("POST", "/order", body)
    assert (reply.status, json.loads(reply.body)["error"]) == (400, "invalid signature")


def test_the_deposit_wallet_signs_wrapped(world: World) -> None:
    wallet = world.known.deposit_wallet
    status, _ = world.place(
        tokens(world)[0], "BUY", "0.05", "20", maker=wallet, signer=wallet, signatureType=3
    )
    assert status == 200


def test_open_orders_reserve_funds(world: World) -> None:
    up, down = tokens(world)
    assert world.place(up, "BUY", "0.02", "30000")[0] == 200
    assert world.place(down, "BUY", "0.02", "30000")[0] == 400
    assert world.place(down, "BUY", "0.02", "20000")[0] == 200


def test_rounding_shares_up_puts_the_limit_below_the_level(world: World) -> None:
    """The implied price of a cash order decides: py-sdk#291."""
    freeze(world)
    up, _ = tokens(world)
    _, ask = touch(world)
    cash = 5_000_000
    down = cash * 10_000 // ask // 100 * 100
    fields = {"makerAmount": str(cash)}
    if cash * 10_000 % ask:
        killed = world.place(up, "BUY", "0.5", "10", "FAK", **fields, takerAmount=str(down + 100))
        assert killed == (400, {"error": FAK_TEXT})
    filled = world.place(up, "BUY", "0.5", "10", "FAK", **fields, takerAmount=str(down))
    assert filled[0] == 200


def test_a_batch_answers_per_entry_and_is_not_atomic(world: World) -> None:
    up, down = tokens(world)
    good = world.body(up, "BUY", "0.03", "40")
    bad = world.body(down, "BUY", "0.03", "4")
    also = world.body(down, "BUY", "0.03", "40")
    rows = world.ask("POST", "/orders", [good, bad, also])
    assert [bool(row["orderID"]) for row in rows] == [True, False, True]
    assert "lower than the minimum" in rows[1]["errorMsg"]
    assert world.request("POST", "/orders", [good] * 16).status == 400
    assert world.request("POST", "/orders", []).status == 400


def test_a_batch_of_takers_is_answered_after_one_hold(world: World) -> None:
    freeze(world)
    up, down = tokens(world)
    bid, ask = touch(world)
    before = world.now_ns
    rows = world.ask(
        "POST",
        "/orders",
        [
            world.body(up, "BUY", cents(ask), "10", "FAK"),
            world.body(down, "BUY", cents(10_000 - bid), "10", "FAK"),
        ],
    )
    assert [row["status"] for row in rows] == ["matched", "matched"]
    assert world.now_ns - before == 50 * NS_PER_MS
    conserved(world)


def test_cancel_by_list_market_and_all(world: World) -> None:
    up, down = tokens(world)
    ids = [world.place(token, "BUY", "0.02", "50")[1]["orderID"] for token in (up, down, up, down)]
    gone = world.ask("DELETE", "/orders", [ids[0], "0xnope"])
    assert (gone["canceled"], list(gone["not_canceled"])) == ([ids[0]], ["0xnope"])
    assert world.ask("DELETE", "/cancel-market-orders", {"asset_id": up})["canceled"] == [ids[2]]
    market = world.entry().market.identity.market
    assert world.ask("GET", "/data/orders", query=f"market={market}")["count"] == 2
    assert world.ask("DELETE", "/cancel-all")["canceled"] == [ids[1], ids[3]]


def test_pages_carry_a_cursor(world: World) -> None:
    up, _ = tokens(world)
    for _ in range(105):
        assert world.place(up, "BUY", "0.01", "5")[0] == 200
    first = world.ask("GET", "/data/orders")
    second = world.ask("GET", "/data/orders", query=f"next_cursor={first['next_cursor']}")
    assert (first["count"], second["count"], second["next_cursor"]) == (100, 5, "LTE=")
    assert world.request("GET", "/data/orders", query="next_cursor=!!").status == 400


def test_gtd_leaves_one_minute_before_its_time(world: World) -> None:
    up, _ = tokens(world)
    expiration = str(world.now_ns // 10**9 + 60 + 5)
    world.place(up, "BUY", "0.01", "50", "GTD", expiration=expiration)
    world.run(6)
    last = world.events("user")[-1]
    assert (last["type"], last["status"]) == ("CANCELLATION", "CANCELED_EXPIRED_ORDER")


def test_the_dead_mans_switch(world: World) -> None:
    up, _ = tokens(world)
    first = world.ask("POST", "/v1/heartbeats", {"heartbeat_id": ""})["heartbeat_id"]
    wrong = world.request("POST", "/v1/heartbeats", {"heartbeat_id": "x"})
    assert wrong.status == 400
    assert json.loads(wrong.body) == {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": first}
    world.place(up, "BUY", "0.02", "50")
    world.run(8)
    following = world.ask("POST", "/v1/heartbeats", {"heartbeat_id": first})["heartbeat_id"]
    assert following != first
    world.run(8)
    assert world.ask("GET", "/data/orders")["count"] == 1
    world.run(8)
    assert world.ask("GET", "/data/orders")["count"] == 0
    assert world.request("POST", "/v1/heartbeats", {"heartbeat_id": ""}).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"POLY_API_KEY": "none"},
        {"POLY_PASSPHRASE": "none"},
        {"POLY_SIGNATURE": "none"},
        {"POLY_ADDRESS": "0x" + "00" * 20},
        {"POLY_TIMESTAMP": "1"},
        {"POLY_TIMESTAMP": "soon"},
    ],
)
def test_bad_headers_are_unauthorized(world: World, changes: dict[str, str]) -> None:
    reply = world.request("GET", "/data/orders", **changes)
    assert reply.status == 401
    assert json.loads(reply.body) == {"error": "Unauthorized/Invalid api key"}


def test_signing_the_query_string_is_the_classic_mistake(world: World) -> None:
    stamp = str(world.now_ns // 10**9)
    path = "/data/orders?market=0x1"
    wrong = eip712.hmac_signature(world.known.secret, stamp, "GET", path, b"")
    reply = world.request("GET", "/data/orders", query="market=0x1", POLY_SIGNATURE=wrong)
    assert reply.status == 401


def test_keys_are_derived_from_an_attestation(world: World) -> None:
    stamp = str(world.now_ns // 10**9)
    signature = world.key.sign_recoverable(
        eip712.auth_digest(world.known.address, stamp, 0), hasher=None
    )
    headers = {
        "POLY_ADDRESS": world.known.address,
        "POLY_SIGNATURE": "0x" + (signature[:64] + bytes([27 + signature[64]])).hex(),
        "POLY_TIMESTAMP": stamp,
        "POLY_NONCE": "0",
    }
    derive = Request("GET", "/auth/derive-api-key", (), headers)
    answer = json.loads(world.poly.request(derive, world.now_ns).body)
    assert answer == {
        "apiKey": world.known.api_key,
        "secret": world.known.secret,
        "passphrase": world.known.passphrase,
    }
    create = Request("POST", "/auth/api-key", (), headers)
    assert world.poly.request(create, world.now_ns).status == 400
    forged = Request("GET", "/auth/derive-api-key", (), {**headers, "POLY_NONCE": "1"})
    assert world.poly.request(forged, world.now_ns).status == 401


@pytest.mark.parametrize(
    ("mode", "status"), [("restart", 425), ("cancel_only", 503), ("post_only", 503)]
)
def test_modes_of_the_venue(world: World, mode: str, status: int) -> None:
    up, _ = tokens(world)
    _, answer = world.place(up, "BUY", "0.02", "50")
    world.venues.control("mode", {"mode": mode})
    assert world.place(up, "BUY", "0.02", "50")[0] == status
    cancel = world.request("DELETE", "/order", {"orderID": answer["orderID"]})
    assert cancel.status == (425 if mode == "restart" else 200)
    if mode == "post_only":
        assert world.place(up, "BUY", "0.02", "50", postOnly=True)[0] == 200


def test_resolution_cancels_pays_and_conserves() -> None:
    world = World(at_s=START_S + 200, resolve_scale=0.2)
    world.listen_user()
    up, down = tokens(world)
    world.place(up, "BUY", "0.99", "10", "FAK")
    world.place(down, "BUY", "0.99", "10", "FAK")
    world.place(up, "BUY", "0.01", "50")
    cash = world.venues.account.cash
    shares = (world.venues.account.held(up), world.venues.account.held(down))
    world.run(150, 0.5)
    market = world.entry().market
    assert market.winner in (0, 1)
    assert world.venues.account.cash == cash + shares[market.winner]
    assert world.venues.account.shares == {}
    last = [e for e in world.events("user") if e["event_type"] == "order"][-1]
    assert last["status"] == "CANCELED_MARKET_RESOLVED"
    assert world.place(up, "BUY", "0.5", "10")[0] == 400
    conserved(world)


def test_a_wrong_user_socket_is_simply_closed(world: World) -> None:
    world.poly.connect("x", "/ws/user", (), world.now_ns)
    world.say("x", {"type": "user", "auth": {"apiKey": "no"}})
    assert [d.frame.value for d in world.heard["x"]] == ["close"]


def test_the_user_channel_filters_by_condition_id(world: World) -> None:
    world.poly.connect("x", "/ws/user", (), world.now_ns)
    triple = {"apiKey": world.known.api_key, "secret": world.known.secret,
              "passphrase": world.known.passphrase}  # fmt: skip
    world.say("x", {"type": "user", "auth": triple, "markets": ["0xother"]})
    world.say("x", "PING")
    world.place(tokens(world)[0], "BUY", "0.02", "50")
    assert world.texts("x") == ["PONG"]
    market = world.entry().market.identity.market
    world.say("x", {"operation": "subscribe", "markets": [market]})
    world.place(tokens(world)[0], "BUY", "0.02", "50")
    assert len(world.events("x")) == 1


def test_fees_equal_the_charges_found_on_chain(shared_data: Path) -> None:
    rows = json.loads((shared_data / "fees/onchain_taker_fees_2026-09.json").read_text())
    for row in rows:
        buying = row["side"] == "BUY"
        size = Fraction(row["taker_amount_filled" if buying else "maker_amount_filled"]) / 10**6
        fee = taker_fee(Fraction(row["price"]), size, Fraction(row["fee_rate"]))
        assert fee * 10**6 == int(row["fee"])


def test_the_fee_at_half_is_one_and_three_quarter_cents() -> None:
    assert taker_fee(Fraction(1, 2), Fraction(100), RATE) == Fraction(175, 100)
    assert taker_fee(Fraction(36, 100), Fraction(108), RATE) == Fraction(174182, 100_000)


@pytest.mark.parametrize("seed", range(2))
def test_a_busy_account_keeps_every_cent(seed: int) -> None:
    """Random orders of all kinds through a window and its payout."""
    rng = random.Random(seed)
    world = World(seed=seed + 20, at_s=START_S + 100, resolve_scale=0.1)
    choices = tokens(world)
    while world.entry().market.winner < 0:
        token = choices[rng.randrange(2)]
        side = "BUY" if rng.random() < 0.7 else "SELL"
        kind = ("GTC", "FAK", "FOK")[rng.randrange(3)]
        world.place(token, side, f"0.{rng.randrange(1, 100):02d}", str(rng.randrange(5, 40)), kind)
        if rng.random() < 0.2:
            world.ask("DELETE", "/cancel-all")
        world.run(3, 0.5)
        conserved(world)
    world.run(30, 1.0)
    conserved(world)
    assert world.poly.ledger.fees > 0
    assert world.venues.account.cash >= 0
