"""What dialogs say: the exact effect of an action, in numbers of the newest frame."""

from __future__ import annotations

import json
from itertools import zip_longest

import msgspec

from dailyarb.core.domain.ids import GATE_FACTS, STRATEGY_TITLES
from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.orders import BOOK_WORDS, LIVE
from dailyarb.core.domain.preflight import preflight
from dailyarb.core.domain.rung import Mode, Rung
from dailyarb.core.domain.view import BreakerRow, Desk, View
from dailyarb.tui import format as f
from dailyarb.tui.keys import KEYS
from dailyarb.tui.scene import Scene

FLOOR_E4 = 300  # how far below the bid a flatten may sell, shown as the floor


def position_print(scene: Scene) -> object:
    """Returns what must not change unseen under an open dialog: mode, rungs, positions."""
    view = scene.view
    if view is None:
        return None
    held = tuple((desk.market_id, desk.pos_up_e6, desk.pos_down_e6) for desk in view.markets
                 if desk.pos_up_e6 or desk.pos_down_e6)  # fmt: skip
    return view.run, view.mode, view.rung, view.operator_rung, held


def held(scene: Scene) -> list[Desk]:
    """Returns the markets with shares."""
    view = scene.view
    return [desk for desk in view.markets if desk.pos_up_e6 or desk.pos_down_e6] if view else []


def flatten_lines(scene: Scene, markets: list[Desk]) -> list[str]:
    """Returns the table of what would be sold, at the bid and at the floor, and if held."""
    rows = ["MARKET   POS        BID ¢ FLOOR ¢    EST $  AT FLOOR $     IF HELD $"]
    total = floor_total = 0.0
    for desk in markets:
        for outcome, size in ((Outcome.UP, desk.pos_up_e6), (Outcome.DOWN, desk.pos_down_e6)):
            if not size:
                continue
            bid = (desk.up if outcome is Outcome.UP else desk.down).bid_e4
            floor = max(desk.tick_e4, bid - FLOOR_E4) if bid is not None else None
            worth = size * bid / 10_000 if bid is not None else 0.0
            least = size * floor / 10_000 if floor is not None else 0.0
            total, floor_total = total + worth, floor_total + least
            rows.append(
                f"{f.fit(f.clean(desk.label), 8)} {outcome.value[0]} {f.shares(size):>7} "
                f"{f.cents(bid, desk.tick_e4):>6} {f.cents(floor, desk.tick_e4):>7} "
                f"{f.money(worth):>8} {f.money(least):>11} {'0 / ' + f.money(size, 0):>13}"
            )
    rows.append(f"{'total':<33}{f.money(total):>8} {f.money(floor_total):>11}")
    rows.append("No bid, or less than it takes: the rest stays and settles.")
    return rows


def flatten_one(scene: Scene) -> list[str]:
    """Returns the preview for the selected market."""
    desk = scene.market
    if desk is None:
        return ["no market is selected"]
    return [f"Cancels our orders in {desk.label}, then sells:", "", *flatten_lines(scene, [desk])]


def flatten_all(scene: Scene) -> list[str]:
    """Returns the preview for everything."""
    orders = scene.view.open_orders if scene.view is not None else 0
    return [
        f"1. HALTED: no new orders.  2. Cancel {orders} resting orders.  3. Sell:",
        "",
        *flatten_lines(scene, held(scene)),
    ]


def rung_up(scene: Scene) -> list[str]:
    """Returns what one rung up would allow."""
    view = scene.view
    if view is None:
        return ["nothing is known about the engine"]
    released = view.operator_rung is Rung.HALTED
    target = Rung.REDUCED if released else view.operator_rung.up
    rows = [f"Operator's rung: {view.operator_rung.name} -> {target.name}", _MEANING[target], ""]
    if released:
        rows.append(f"Halted because: {f.clean(view.rung_detail) or view.rung_cause.value}")
        rows.append(f.clean(view.halt_note) or "nothing was cancelled")
        rows.append(f"Stays open: {len(held(scene))} positions, {view.open_orders} orders")
    caps = [row for row in view.breakers if row.state in {"TRIPPED", "latched"}]
    rows.append("Breakers: " + (", ".join(f"{row.name} {row.state} caps at {row.effect.name}"
                                          for row in caps) or "none tripped"))  # fmt: skip
    rows += ["Feeds: " + ", ".join(f"{feed.feed.value} {feed.status.value}" for feed in view.feeds)]
    rows.append(f"Max loss now {f.money(view.worst_e6)} of {f.money(view.worst_limit_e6)}")
    if caps:
        rows.append("The lower of all rungs counts: a tripped breaker still holds.")
    return rows


_MEANING = {
    Rung.FULL: "New exposure at full size, all strategies.",
    Rung.REDUCED: "New exposure by the reduced strategies only, at the reduced size.",
    Rung.HEDGE_ONLY: "No new exposure; only what lowers the worst case.",
    Rung.HALTED: "No orders at all.",
}


def leaving(scene: Scene) -> list[str]:
    """Returns what goes on, or would be left behind, when this console leaves."""
    view = scene.view
    if view is None:
        return ["The engine is not in sight; leaving changes nothing."]
    return [
        f"{view.mode.value} engine {view.instance}, run {f.clean(view.run)}: {view.rung.name}",
        f"{view.open_orders} open orders, {len(held(scene))} positions",
        f"max loss {f.money(view.worst_e6)}",
        "Detaching does not stop trading; `dailyarb attach` comes back.",
    ]


def mode_menu(scene: Scene) -> list[str]:
    """Returns both axes as they are."""
    view = scene.view
    if view is None:
        return ["nothing is known about the engine"]
    return [
        f"Run mode {view.mode.value}, evidence {view.evidence.value}",
        _armed_words(view),
        f"Rung {view.rung.name}, the operator's {view.operator_rung.name}",
        "SIM and REPLAY are fixed at start by --venues.",
    ]


def _armed_words(view: View) -> str:
    if view.mode is not Mode.LIVE:
        return "Nothing to arm: only LIVE sends real orders."
    return "Armed: real orders leave." if view.armed else "Not armed: halted until it is."


def arming(scene: Scene) -> list[str]:
    """Returns the preflight for LIVE."""
    view = scene.view
    if view is None:
        return ["nothing is known about the engine"]
    checks = [
        f.fit(f"{'ok  ' if row.ok else 'FAIL'} {f.fit(row.name, 14)} {f.clean(row.detail)}", 35)
        for row in preflight(view)
    ]
    half = (len(checks) + 1) // 2
    pairs = zip_longest(checks[:half], checks[half:], fillvalue="")
    rows = ["This instance will send real orders with real money.", ""]
    rows += [f"{left} {right}".rstrip() for left, right in pairs]
    rows += [
        "",
        f"Starts at REDUCED. Max loss {f.money(view.worst_limit_e6, 0)}. A restart disarms.",
    ]
    return rows


RELOAD = (
    "Reads the configuration file again, under the command line of the start.",
    "[risk] and [breakers] count at once; all else waits for a restart and is named.",
    "A faulty file changes nothing.",
)


def lease(holder: str) -> list[str]:
    """Returns who may raise risk now, and what taking that over means."""
    return [
        f"{f.clean(holder) or 'Nobody'} holds the lease.",
        "Who holds it may raise risk; everybody may lower it, always.",
        "The other console is told, and its risk-raising keys go grey.",
    ]


def breaker_reset(row: BreakerRow) -> list[str]:
    """Returns what a breaker reads against its limit."""
    again = row.now is not None and row.limit and abs(row.now) >= row.limit
    return [
        f"{row.name}: {row.state}",
        f"reads {f.united(row.now, row.unit)}, trips at {f.united(row.limit, row.unit)}",
        f.clean(row.cause) or "no cause given",
        f"It caps the rung at {row.effect.name}; {row.trips} trips so far.",
        "It will trip again at once." if again else "It will not trip again at once.",
    ]


def why(scene: Scene) -> list[str]:
    """Returns the full explanation of the selected market."""
    desk, view = scene.market, scene.view
    if desk is None or view is None:
        return ["No market is open: there is nothing to explain yet."]
    rows = [
        f"{desk.label}  {f.clock(desk.start_ns)}-{f.clock(desk.end_ns)} UTC  {desk.state.value}",
        f"state {desk.word}, book {BOOK_WORDS[desk.book]}, rung {desk.rung.name}",
    ]
    if desk.refusal:
        rows.append(f"not tradable for us: {desk.refusal}")
    if desk.why is not None:
        hit = desk.why
        numbers = f.gate_numbers(hit.gate, hit.now, hit.limit)
        rows += ["", f"gate {hit.gate.value}: {GATE_FACTS[hit.gate][0]}", numbers]
        rows.append(f"since {f.clock(hit.since_ns)}" if hit.since_ns else "since just now")
    rows += ["", "signals:"]
    for signal in view.signals:
        if signal.market_id == desk.market_id:
            limit = f", limit {f.united(signal.limit, signal.unit, 2)}" if signal.limit else ""
            rows.append(
                f"  {signal.strategy.value} {signal.name:<14} "
                f"{f.united(signal.value, signal.unit, 2)}{limit}  {signal.verdict}"
            )
    rows += ["", "last decisions:"]
    ours = [row for row in view.decisions if row.market_id == desk.market_id]
    for made in sorted(ours, key=lambda row: -row.wall_ns)[:6]:
        if made.acted or made.gate is None:
            word = f"ACT net {f.signed_cents(made.net_e4)}¢ {made.note}"
        else:
            word = f"{made.gate.value} {f.gate_numbers(made.gate, made.now, made.limit)}"
        title = STRATEGY_TITLES[made.strategy]
        rows.append(f"  {f.clock(made.wall_ns)} {title} {word}".rstrip())
    if view.meaningless:
        rows += ["", f"Signals mean nothing here: {view.meaningless}"]
    return rows


def help_lines(scene: Scene, live: dict[str, tuple[str, bool]]) -> list[str]:
    """Returns the keymap from live bindings: id to (keys, enabled), grouped."""
    rows: list[str] = []
    for group, title in (("risk", "RISK"), ("orders", "ORDERS"), ("view", "VIEWS"),
                         ("move", "MOVING"), ("session", "SESSION")):  # fmt: skip
        rows += ["", title] if rows else [title]
        for key in KEYS:
            if key.group == group and key.id in live:
                keys, enabled = live[key.id]
                rows.append(f"  {keys:<12} {key.says}" + ("" if enabled else "   (not now)"))
    rows += [
        "",
        "Down is free, up is asked. Quitting detaches; the engine keeps trading.",
        "Prices ¢ of a $1 share, sizes shares, distances bp of the strike, times UTC.",
    ]
    return rows


def as_json(item: object) -> list[str]:
    """Returns a row of a table as indented JSON."""
    try:
        plain = msgspec.to_builtins(item)
    except (TypeError, msgspec.MsgspecError):
        return [str(item)]
    return json.dumps(plain, indent=2, ensure_ascii=False).splitlines()


def open_orders(scene: Scene) -> int:
    """Returns how many orders may still fill."""
    view = scene.view
    return sum(1 for row in view.orders if row.state in LIVE) if view is not None else 0
