"""Whose fill it is (F24, F51): by what the engine signed, on the user channel and over REST."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from dailyarb.core.domain.commands import QueryAccount
from dailyarb.core.domain.events import AccountReport, Event, Fill
from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.runtime.asks import Asks
from dailyarb.runtime.clock import BootClock
from dailyarb.runtime.pooled import FeedContext
from dailyarb.runtime.private import UserFeed
from dailyarb.venues.polymarket.auth import Credentials, RequestAuth
from dailyarb.venues.polymarket.codec import Ours
from dailyarb.venues.polymarket.http import Clob
from tests.integration.test_feeds import until
from tests.integration.test_private_feeds import AUTH, FEEDS, Server, pong
from tests.rig import DOWN, UP, Rig, settings
from tests.unit.test_codec_user import ME, OTHER, maker, trade

ROLES = {UP: Outcome.UP, DOWN: Outcome.DOWN}
Way = Callable[[dict[str, object], Ours], Awaitable[list[Fill]]]


async def by_stream(told: dict[str, object], ours: Ours) -> list[Fill]:
    """Returns what the user channel makes of a trade."""
    events: list[Event] = []
    context = FeedContext(BootClock(), events.append, lambda _: None, random.Random(1))
    async with Server(pong) as server:
        feed = UserFeed(context, server.url, lambda: AUTH, FEEDS, ours)
        feed.start()
        await until(lambda: feed.pool.alive == 2 and len(server.heard) == 4)
        await server.say(told)
        await until(lambda: feed.state().frames == 2 * 2)  # a pong and the trade on each
        await feed.close()
    return [event for event in events if isinstance(event, Fill)]


async def by_rest(told: dict[str, object], ours: Ours) -> list[Fill]:
    """Returns what an account snapshot makes of a trade."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/balance-allowance":
            return web.json_response({"balance": "1000000000"})
        rows = [told] if request.path == "/data/trades" else []
        return web.json_response({"data": rows, "next_cursor": "LTE="})

    app = web.Application()
    app.router.add_get("/{any:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    clock, events, words = BootClock(), list[Event](), list[str]()
    auth = RequestAuth("0x" + "a1" * 20, Credentials(ME, "c2VjcmV0", "p"))
    asks = Asks(
        Clob(f"http://{host}:{port}", clock, auth), ours, events.append, words.append, clock
    )
    asks.account(QueryAccount(7, 0, ()))
    await until(lambda: bool(events))
    await asks.close()
    await runner.cleanup()
    (report,) = events
    assert isinstance(report, AccountReport) and report.complete and not words
    return list(report.fills)


def resting() -> tuple[Rig, Ours, str]:
    """Returns an engine with quotes of S2, what it knows as its own, and one quote's order id."""
    only = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(resting=True))
    rig = Rig(settings(only)).ready()
    rig.book([(50, 500), (49, 500)], [(51, 500), (52, 500)])
    order_id = rig.submits[0].orders[0].order_id
    return rig, Ours(ME, ROLES, rig.state.orders.by_id), order_id


def told_of(rig: Rig, order_id: str, owner: str, like: str) -> dict[str, object]:
    """Returns a stranger's taker trade with a maker entry as big as an order of the rig."""
    order = rig.state.orders.by_id[like]
    entry = maker(
        UP if order.outcome is Outcome.UP else DOWN,
        f"{order.price_e4 / 1e4:.4f}",
        owner,
        order_id=order_id,
        matched_amount=f"{order.size_e6 / 1e6}",
        outcome=order.outcome.value.title(),
        side=order.side.value,
    )
    return trade(
        trader_side="MAKER", owner=OTHER, trade_owner=OTHER, market="0xm", asset_id=UP,
        maker_orders=[maker(UP, "0.5", OTHER, order_id="0xstranger"), entry],
    )  # fmt: skip


@pytest.mark.parametrize("way", [by_stream, by_rest])
async def test_an_entry_with_our_order_id_is_our_fill_whatever_owner_it_names(way: Way) -> None:
    rig, ours, order_id = resting()
    (fill,) = await way(told_of(rig, order_id, OTHER, order_id), ours)
    order = rig.state.orders.by_id[order_id]
    assert (fill.order_id, fill.maker, fill.size_e6) == (order_id, True, order.size_e6)
    rig.feed(fill)
    assert rig.held(order.outcome) == order.size_e6 / 1e6
    assert rig.state.tallies.foreign == 0


@pytest.mark.parametrize("way", [by_stream, by_rest])
async def test_an_entry_of_our_key_that_the_engine_never_signed_is_a_strangers(way: Way) -> None:
    rig, ours, order_id = resting()
    (fill,) = await way(told_of(rig, "0xunknown", ME, order_id), ours)
    rig.feed(fill)
    assert rig.held(fill.outcome) > 0, "it moved our wallet: I1 counts it"
    assert rig.state.tallies.foreign == 1
    assert "fill.foreign.0xunknown" in rig.state.alerts


async def test_an_order_signed_after_the_feeds_were_opened_is_known() -> None:
    rig, _, order_id = resting()
    known: set[str] = set()
    ours = Ours(ME, ROLES, known)
    told = told_of(rig, order_id, OTHER, order_id)
    assert await by_rest(told, ours) == []
    known.add(order_id)
    assert len(await by_rest(told, ours)) == 1
