"""Every key of the table does what the table says; what raises risk asks first."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from textual.widgets import Input

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.rung import Mode, Rung
from dailyarb.core.domain.settings import Ui
from dailyarb.tui import fixtures
from dailyarb.tui.app import Console, ConsoleOptions
from dailyarb.tui.dialogs import Ask, Confirm, ConfirmFlattenAll, Dialog, Page, Pick
from dailyarb.tui.format import minute
from dailyarb.tui.keys import KEYS, VIEWS
from dailyarb.tui.source import Ack, FixtureSource, LinkState, Role
from dailyarb.tui.viewing import FilterBar
from dailyarb.tui.widgets.markets import Markets
from tests.tui.helpers import armed, console, rows_of, settle, source_of, text_of, toasts, verbs

HALT, RUNG = OperatorVerb.HALT, OperatorVerb.RUNG


async def test_halt_needs_one_key_and_no_question() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        for count, key in enumerate(("f9", "ctrl+x"), start=1):
            await pilot.press(key)
            await pilot.pause()
            assert verbs(source) == [HALT] * count
            assert not isinstance(app.screen, Dialog)


async def test_halt_works_over_every_dialog_input_and_the_palette() -> None:
    view = msgspec.structs.replace(fixtures.running(), operator_rung=Rung.REDUCED)
    source = source_of(view)
    async with console(source, (80, 24)) as (app, pilot):
        for opener in ("+", "x", "X", "m", "q", "?", "w", "/", ":"):
            source.sent.clear()
            await pilot.press(opener)
            await pilot.pause()
            assert app.screen.is_modal, opener
            await pilot.press("f9")
            await pilot.press("ctrl+x")
            await pilot.pause()
            assert verbs(source) == [HALT, HALT], opener
            await pilot.press("escape")
            await pilot.pause()


async def test_halt_works_while_typing_the_instance_name() -> None:
    source = source_of(fixtures.running(mode=Mode.LIVE))
    async with console(source) as (app, pilot):
        await pilot.press("L", "m", "a")
        assert isinstance(app.screen, Ask)
        await pilot.press("ctrl+x")
        await pilot.pause()
        assert verbs(source) == [HALT]


async def test_halt_is_sent_without_a_frame() -> None:
    source = FixtureSource(None, state=LinkState.CONNECTING)
    async with console(source) as (_, pilot):
        await pilot.press("f9")
        await pilot.pause()
        assert verbs(source) == [HALT]


async def test_down_is_free_and_goes_one_rung_below_the_badge() -> None:
    source = source_of()
    async with console(source) as (_, pilot):
        await pilot.press("-")
        await pilot.pause()
        assert [(c.verb, c.rung) for c in source.sent] == [(RUNG, Rung.REDUCED)]


async def test_up_asks_and_ignores_a_key_that_was_already_queued() -> None:
    source = source_of(fixtures.reduced())
    async with console(source) as (app, pilot):
        await pilot.press("+")
        await pilot.pause()
        assert isinstance(app.screen, Confirm)
        await pilot.press("enter")
        assert source.sent == []
        await armed(app, pilot)
        await pilot.press("enter")
        await pilot.pause()
        command = source.sent[0]
        assert (command.verb, command.rung, command.confirmed) == (RUNG, Rung.FULL, True)
        assert command.frame == fixtures.running().frame


async def test_up_from_halted_releases() -> None:
    source = source_of(fixtures.halted())
    async with console(source) as (app, pilot):
        await pilot.press("+")
        await armed(app, pilot)
        assert "RELEASE HALT" in text_of(app)
        assert "REDUCED" in text_of(app)
        await pilot.press("enter")
        await pilot.pause()
        assert verbs(source) == [OperatorVerb.RELEASE]


async def test_escape_leaves_everything_as_it_is() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        for key in ("x", "X", "m", "q"):
            await pilot.press(key)
            await pilot.pause()
            assert isinstance(app.screen, Dialog)
            await pilot.press("escape")
            await pilot.pause()
            assert not isinstance(app.screen, Dialog)
        assert source.sent == []


async def test_flatten_one_shows_legs_and_sells_the_selected_market() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        await pilot.press("x")
        await armed(app, pilot)
        assert "FLATTEN BTC 15m" in text_of(app)
        assert "68.40" in text_of(app)
        await pilot.press("enter")
        await pilot.pause()
        assert [(c.verb, c.target) for c in source.sent] == [(OperatorVerb.FLATTEN, "0xm00")]


async def test_flatten_all_wants_the_same_key_after_half_a_second_and_no_other() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        await pilot.press("X")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmFlattenAll)
        opened = time.monotonic()
        await pilot.press("X", "enter")
        assert source.sent == []
        await armed(app, pilot)
        assert time.monotonic() - opened > 0.3
        await pilot.press("enter")
        assert source.sent == []
        await pilot.press("X")
        await pilot.pause()
        assert [(c.verb, c.target) for c in source.sent] == [(OperatorVerb.FLATTEN, "")]


async def test_a_material_change_arms_the_dialog_anew() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        await pilot.press("x")
        await armed(app, pilot)
        first = msgspec.structs.replace(fixtures.desk(0), pos_up_e6=60_000_000)
        view = fixtures.running()
        source.show(msgspec.structs.replace(view, markets=(first, *view.markets[1:])))
        app.refresh_now()
        assert isinstance(app.screen, Dialog)
        assert not app.screen.armed
        assert "34.20" in text_of(app) or "U      60" in text_of(app)


async def test_a_dialog_lapses_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dailyarb.tui.dialogs.LAPSE_S", 0.1)
    source = source_of()
    async with console(source) as (app, pilot):
        await pilot.press("x")
        for _ in range(60):
            await pilot.pause(0.02)
            if not isinstance(app.screen, Dialog):
                break
        assert not isinstance(app.screen, Dialog)
        assert source.sent == []


async def test_cancel_takes_the_order_under_the_cursor_or_all() -> None:
    source = source_of()
    async with console(source, view="orders") as (_, pilot):
        await pilot.press("j", "c", "C")
        await pilot.pause()
        sent = [(c.verb, c.target) for c in source.sent]
        assert sent == [(OperatorVerb.CANCEL, "0x8f0121"), (OperatorVerb.CANCEL, "")]


async def test_alerts_are_acknowledged_newest_first_or_all() -> None:
    source = source_of()
    async with console(source) as (_, pilot):
        await pilot.press("a", "A")
        await pilot.pause()
        assert [(c.verb, c.target) for c in source.sent] == [
            (OperatorVerb.ACK, "book.stale.sol"),
            (OperatorVerb.ACK, ""),
        ]


async def test_a_breaker_is_reset_on_the_risk_view_with_a_reason_only() -> None:
    source = source_of(fixtures.hedge_only())
    async with console(source) as (app, pilot):
        await pilot.press("r")
        await pilot.pause()
        assert not isinstance(app.screen, Dialog)
        await pilot.press("6")
        await settle(app, pilot)
        await pilot.press("r")
        await armed(app, pilot)
        assert isinstance(app.screen, Ask)
        await pilot.press("enter", *"seen", "enter")
        await pilot.pause()
        sent = [(c.verb, c.target, c.reason) for c in source.sent]
        assert sent == [(OperatorVerb.BREAKER_RESET, "feed.pm", "seen")]


async def test_arming_wants_the_instance_name() -> None:
    source = source_of(fixtures.running(mode=Mode.LIVE))
    async with console(source) as (app, pilot):
        await pilot.press("L")
        await armed(app, pilot)
        await pilot.press(*"mainn", "enter")
        assert isinstance(app.screen, Ask)
        await pilot.press("backspace", "enter")
        await pilot.pause()
        assert [(c.verb, c.target) for c in source.sent] == [(OperatorVerb.ARM, "main")]


async def test_a_row_that_fails_keeps_the_arming_dialog_shut_until_it_passes() -> None:
    view = fixtures.running(mode=Mode.LIVE)
    source = source_of(msgspec.structs.replace(view, breakers_tripped=2))
    async with console(source, (80, 24)) as (app, pilot):
        await pilot.press("L")
        await armed(app, pilot)
        await pilot.press(*"main", "enter")
        await settle(app, pilot)
        assert "FAIL breakers       2 tripped" in text_of(app)
        assert "A row says FAIL" in text_of(app)
        assert isinstance(app.screen, Ask) and source.sent == []
        source.show(view)
        await settle(app, pilot)
        assert "A row says FAIL" not in text_of(app)
        await pilot.press("enter")
        await pilot.pause()
        assert verbs(source) == [OperatorVerb.ARM]


@pytest.mark.parametrize("mode", [Mode.SIM, Mode.PAPER, Mode.DRY, Mode.REPLAY])
async def test_only_a_live_engine_can_be_armed(mode: Mode) -> None:
    source = source_of(fixtures.running(mode=mode))
    async with console(source) as (app, pilot):
        await pilot.press("L")
        await pilot.pause()
        assert not isinstance(app.screen, Ask)


async def test_a_halt_that_the_input_thread_delivered_is_not_sent_again() -> None:
    source = source_of(fixtures.halted())
    async with console(source) as (app, pilot):
        assert app.halt_keys.press("f9")
        await pilot.press("f9")
        await pilot.pause(0.2)
        assert (source.halts, source.sent) == (1, [])
        assert any("dailyarb ctl halt" in text for text in toasts(app))
        await pilot.press("f9")
        await pilot.pause()
        assert verbs(source) == [HALT], "a press of which the thread knows nothing is sent"


async def test_a_delivered_halt_that_nothing_shows_is_sent_again() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        app.halt_keys.press("f9")
        await pilot.press("f9")
        for _ in range(100):
            if source.sent:
                break
            await pilot.pause(0.02)
        assert (source.halts, verbs(source)) == (1, [HALT])


async def test_changed_cells_are_bold_for_a_moment() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        table = app.view_screen.first(Markets)  # type: ignore[union-attr]
        assert table is not None
        view = fixtures.running()
        moved = msgspec.structs.replace(view.markets[1], fair_e4=view.markets[1].fair_e4 + 100)
        source.show(msgspec.structs.replace(view, markets=(view.markets[0], moved)))
        await settle(app, pilot)
        assert [s for *_, s in table._lines[2].spans if s.endswith("!")] == ["!"]
        assert not [s for *_, s in table._lines[1].spans if s.endswith("!")]
        source._now = Instant(source._now.mono_ns + 700_000_000, source._now.wall_ns)
        await settle(app, pilot)
        assert not [s for *_, s in table._lines[2].spans if s.endswith("!")]


async def test_changes_are_not_bold_where_that_is_switched_off() -> None:
    source = source_of()
    async with console(source, ui=Ui(highlight_changes=False)) as (app, pilot):
        table = app.view_screen.first(Markets)  # type: ignore[union-attr]
        assert table is not None
        view = fixtures.running()
        moved = msgspec.structs.replace(view.markets[0], fair_e4=100)
        source.show(msgspec.structs.replace(view, markets=(moved,)))
        await settle(app, pilot)
        assert not [s for *_, s in table._lines[1].spans if s.endswith("!")]


async def test_a_coming_window_says_when_it_opens() -> None:
    view = fixtures.running()
    first = view.markets[0]
    start_ns = view.wall_ns + 300 * 10**9
    coming = msgspec.structs.replace(first, market_id="0xnext", start_ns=start_ns)
    source = source_of(msgspec.structs.replace(view, markets=(first, coming)))
    async with console(source, (80, 24)) as (app, pilot):
        at = minute(start_ns)
        assert f"@{at}" in text_of(app)
        assert [name for _, name in app.market_names()] == [first.label, f"{first.label} {at}"]
        await pilot.press("]")
        await settle(app, pilot)
        assert f"{first.label} {at} UP" in text_of(app)


async def test_the_palette_offers_what_has_no_key() -> None:
    source = source_of(role=Role.NO_LEASE)
    async with console(source) as (app, pilot):
        app.act("operate('lease')")
        await armed(app, pilot)
        assert "ann@tty2 holds the lease" in text_of(app)
        await pilot.press("enter")
        await pilot.pause()
        assert verbs(source) == [OperatorVerb.LEASE]
        for what in ("reload", "unlease"):
            assert app.action_state(f"operate('{what}')") is None, what
        source.role = Role.OPERATOR
        await settle(app, pilot)
        assert app.action_state("operate('lease')") is None
        for what in ("claim", "reconcile", "unlease"):
            app.act(f"operate('{what}')")
            await pilot.pause(0.05)
        app.act("operate('reload')")
        await armed(app, pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert [(c.verb.value, c.target) for c in source.sent[1:]] == [
            ("claim", ""), ("reconcile", ""), ("lease", "release"), ("reload", ""),
        ]  # fmt: skip


async def test_the_mode_menu_starts_on_the_safe_choice() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        await pilot.press("m")
        await armed(app, pilot)
        assert isinstance(app.screen, Pick)
        await pilot.press("enter")
        await pilot.pause()
        assert verbs(source) == [HALT]


async def test_the_mode_menu_changes_paper_to_dry() -> None:
    source = source_of(fixtures.running(mode=Mode.PAPER))
    async with console(source) as (app, pilot):
        await pilot.press("m")
        await armed(app, pilot)
        await pilot.press("j", "j", "j", "j", "enter")
        await pilot.pause()
        assert [(c.verb, c.mode) for c in source.sent] == [(OperatorVerb.MODE, Mode.DRY)]


async def test_quitting_detaches_and_never_stops_trading() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        await pilot.press("q")
        await armed(app, pilot)
        assert "keeps running" in text_of(app)
        await pilot.press("enter")
        await pilot.pause()
        assert app.return_code == 0
        assert source.sent == []


async def test_stopping_the_engine_is_the_second_choice_and_says_so() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        await pilot.press("ctrl+q")
        await armed(app, pilot)
        await pilot.press("j", "enter")
        await pilot.pause()
        assert verbs(source) == [OperatorVerb.STOP]


async def test_a_refused_stop_keeps_the_console_open() -> None:
    source = source_of()
    source.answer = Ack(False, "1 order is UNKNOWN")
    async with console(source) as (app, pilot):
        await pilot.press("q")
        await armed(app, pilot)
        await pilot.press("j", "enter")
        await pilot.pause()
        assert app.is_running
        assert any("1 order is UNKNOWN" in toast for toast in toasts(app))


async def test_the_toast_names_the_command_line_twin() -> None:
    async with console() as (app, pilot):
        await pilot.press("-")
        await pilot.pause()
        assert any("dailyarb ctl risk reduced" in toast for toast in toasts(app))


async def test_views_are_one_key_away() -> None:
    async with console(size=(80, 24)) as (app, pilot):
        for number in range(8, 0, -1):
            await pilot.press(str(number))
            await settle(app, pilot)
            assert app.current_mode == VIEWS[number - 1]
            assert "WHY" in text_of(app)


async def test_markets_are_selected_from_any_view() -> None:
    async with console(view="book") as (app, pilot):
        await pilot.press("]")
        await settle(app, pilot)
        assert "BTC 5m UP" in text_of(app)
        await pilot.press("[", "[")
        await settle(app, pilot)
        assert "BTC 4h UP" in text_of(app)


async def test_the_cursor_moves_and_selects() -> None:
    async with console() as (app, pilot):
        for key, label in (("j", "BTC 5m"), ("G", "BTC 4h"), ("k", "ETH 1h"), ("g", "BTC 15m"),
                           ("down", "BTC 5m"), ("up", "BTC 15m"), ("ctrl+d", "SOL 15m"),
                           ("ctrl+u", "BTC 15m")):  # fmt: skip
            await pilot.press(key)
            await pilot.pause()
            market = app.scene.market
            assert market is not None
            assert market.label == label, key


async def test_a_filter_narrows_the_table_and_escape_clears_it() -> None:
    async with console() as (app, pilot):
        await pilot.press("/")
        await pilot.pause()
        assert isinstance(app.screen, FilterBar)
        await pilot.press(*"eth", "enter")
        await settle(app, pilot)
        assert "SOL 15m  " not in "\n".join(rows_of(app)[3:12])
        assert "/eth" in text_of(app)
        await pilot.press("escape")
        await settle(app, pilot)
        assert "SOL 15m  " in "\n".join(rows_of(app)[3:12])


async def test_sorting_goes_through_the_columns() -> None:
    async with console() as (app, pilot):
        await pilot.press("s")
        await pilot.pause()
        assert "sort: market" in text_of(app)


async def test_freezing_holds_the_panes_and_not_the_status_rows() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        await pilot.press("f")
        source.show(msgspec.structs.replace(fixtures.halted(), markets=(fixtures.desk(4),)))
        await settle(app, pilot)
        rows = rows_of(app)
        assert "FROZEN" in rows[0]
        assert "HALTED" in rows[0]
        assert "BTC 15m" in "\n".join(rows[3:12])


async def test_expanding_gives_a_pane_the_screen_and_back() -> None:
    async with console() as (app, pilot):
        await pilot.press("e")
        await pilot.pause()
        assert app.screen.maximized is not None
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen.maximized is None


async def test_why_and_detail_and_help_open_pages() -> None:
    async with console() as (app, pilot):
        for key, needle in (("w", "BTC 15m"), ("?", "KEYS"), ("f1", "HALT now")):
            await pilot.press(key)
            await settle(app, pilot)
            assert isinstance(app.screen, Page)
            assert needle in text_of(app)
            await pilot.press("escape")
            await pilot.pause()
        await pilot.press("4")
        await settle(app, pilot)
        await pilot.press("enter")
        await settle(app, pilot)
        assert '"order_id": "0x8f0021"' in text_of(app)


async def test_enter_on_a_market_opens_its_book() -> None:
    async with console() as (app, pilot):
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.current_mode == "book"
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.current_mode == "desk"


async def test_units_copy_and_hint_change_nothing_outside_the_console() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        await pilot.press("u")
        assert app.viewing.local_time
        await pilot.press("y", "ctrl+c", "n", "N", "tab", "shift+tab")
        await pilot.pause()
        assert source.sent == []
        assert "0xm00" in app.clipboard


async def test_an_observer_can_look_and_not_act() -> None:
    source = source_of(role=Role.OBSERVER)
    async with console(source) as (app, pilot):
        for key in KEYS:
            if key.group in {"risk", "orders"} and key.id != "risk.halt":
                await pilot.press(key.keys.split(",")[0])
        await pilot.pause()
        assert source.sent == []
        assert "[OBSERVE]" in text_of(app)
        await pilot.press("2")
        await settle(app, pilot)
        assert app.current_mode == "book"


async def test_without_the_lease_one_may_only_lower_risk() -> None:
    source = source_of(fixtures.reduced(), role=Role.NO_LEASE)
    async with console(source) as (app, pilot):
        for key in ("+", "x", "X", "L"):
            await pilot.press(key)
            await pilot.pause()
            assert not isinstance(app.screen, Dialog), key
        await pilot.press("-", "C", "f9")
        await pilot.pause()
        assert verbs(source) == [RUNG, OperatorVerb.CANCEL, HALT]
        assert "[NO LEASE]" in text_of(app)


async def test_the_palette_finds_actions_markets_and_themes() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        await pilot.press(":")
        await pilot.pause()
        await pilot.press(*"theme mono")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await pilot.pause(0.2)
        if isinstance(app.screen.focused, Input):
            await pilot.press("enter")
            await pilot.pause(0.2)
        assert app.theme == "mono"


async def test_keys_can_be_remapped_and_halt_keeps_its_own() -> None:
    source = source_of()
    keys = {"order.cancel_all": "ctrl+k", "risk.halt": "ctrl+t"}
    async with console(source, keys=keys) as (_, pilot):
        await pilot.press("C")
        await pilot.pause()
        assert source.sent == []
        await pilot.press("ctrl+k", "ctrl+t", "f9")
        await pilot.pause()
        assert verbs(source) == [OperatorVerb.CANCEL, HALT, HALT]


async def test_the_engine_is_watched_from_a_background_task() -> None:
    started = asyncio.Event()

    async def watch() -> None:
        started.set()
        await asyncio.Event().wait()

    app = Console(source_of(), ConsoleOptions(ui=Ui(), watch=watch))
    async with app.run_test(size=(80, 24)):
        await asyncio.wait_for(started.wait(), 2)
