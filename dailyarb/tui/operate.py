"""What an operator's key does: lowering risk at once, raising it after a dialog.

The engine checks everything again; what is refused here is only greyed so that the key row and the
help are true.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from dailyarb.core.domain.events import OperatorCommand
from dailyarb.core.domain.operator import CLI_TWINS, OperatorVerb
from dailyarb.core.domain.orders import LIVE
from dailyarb.core.domain.preflight import failed
from dailyarb.core.domain.rung import Mode, Rung
from dailyarb.core.domain.view import BreakerRow, OrderRow
from dailyarb.tui import previews
from dailyarb.tui.dialogs import (
    Ask,
    Choice,
    Confirm,
    ConfirmDanger,
    ConfirmFlattenAll,
    Dialog,
    Pick,
    Preview,
)
from dailyarb.tui.scene import Scene
from dailyarb.tui.source import Ack, LinkState, Role
from dailyarb.tui.widgets.orders import Orders
from dailyarb.tui.widgets.risk import Breakers

if TYPE_CHECKING:
    from dailyarb.tui.app import Console

HALT = OperatorVerb.HALT
SEEN_S = 1.0  # a halt that was delivered is on the board well before
RAISING = frozenset({"up", "arm", "flatten", "flatten_all", "reset", "reload"})
ALWAYS = frozenset({"halt", "quit"})


def allowed(what: str, scene: Scene) -> bool | None:
    """Says whether an action means something now; None greys its key."""
    if what == "quit":
        return True
    if scene.role is Role.OBSERVER:
        return None
    if what == "halt":
        return True
    if scene.role is Role.NO_LEASE and what in RAISING:
        return None
    if scene.view is None or scene.state is LinkState.LOST:
        return None
    return True if _meaningful(what, scene) else None


def _meaningful(what: str, scene: Scene) -> bool:
    view = scene.view
    assert view is not None
    desk = scene.market
    match what:
        case "up":
            return view.operator_rung is not Rung.FULL
        case "down":
            return view.operator_rung is not Rung.HALTED
        case "cancel" | "cancel_all":
            return view.open_orders > 0 or previews.open_orders(scene) > 0
        case "flatten":
            return desk is not None and bool(desk.pos_up_e6 or desk.pos_down_e6)
        case "flatten_all":
            return bool(previews.held(scene)) or view.open_orders > 0
        case "arm":
            return view.mode is Mode.LIVE
        case "lease":
            return scene.role is Role.NO_LEASE
        case "unlease":
            return scene.role is Role.OPERATOR
        case "ack" | "ack_all":
            return view.alerts_open > 0
        case "reset":
            return any(row.state in {"TRIPPED", "latched"} for row in view.breakers)
    return True


class Operations:
    """Carries out actions for the app, each in a worker of its own."""

    def __init__(self, app: Console) -> None:
        self._app = app
        self._acts: dict[str, Callable[[], Awaitable[object]]] = {
            "halt": self._halt, "down": self._down, "up": self._up, "mode": self._mode,
            "arm": self._arm, "flatten": self._flatten, "flatten_all": self._flatten_all,
            "cancel": self._cancel, "cancel_all": self._cancel_all, "ack": self._ack,
            "ack_all": self._ack_all, "reset": self._reset, "quit": self._quit,
            "reconcile": partial(self.send, OperatorVerb.RECONCILE),
            "claim": partial(self.send, OperatorVerb.CLAIM), "reload": self._reload,
            "lease": self._take_lease,
            "unlease": partial(self.send, OperatorVerb.LEASE, "release"),
        }  # fmt: skip

    async def run(self, what: str) -> None:
        """Does one action by its name."""
        await self._acts[what]()

    async def send(
        self, verb: OperatorVerb, target: str = "", *, rung: Rung | None = None,
        mode: Mode | None = None, reason: str = "",
    ) -> Ack:  # fmt: skip
        """Sends one command and shows what came of it, with its command-line twin."""
        scene = self._app.scene
        command = OperatorCommand(
            verb, self._app.who, target=target, rung=rung, mode=mode, reason=reason,
            frame=scene.view.frame if scene.view is not None else 0, confirmed=True,
        )  # fmt: skip
        answer = await self._app.source.send(command)
        twin = CLI_TWINS[verb].format(
            target=target or "--all", rung=rung.name.lower() if rung else "",
            mode=mode.value.lower() if mode else "", reason=repr(reason),
        )  # fmt: skip
        text = f"{answer.text}\n= {twin}"
        self._app.notify(
            text,
            title=f"{verb.value} {'done' if answer.ok else 'FAILED'}",
            severity="information" if answer.ok else "error",
            timeout=5 if answer.ok else 10,
            markup=False,
        )
        return answer

    async def _confirmed(self, kind: type[Confirm], title: str, preview: Preview) -> bool:
        return bool(await self._dialog(kind(title, preview, self._app.scene)))

    async def _dialog(self, dialog: Dialog) -> object:
        return await self._app.push_screen_wait(dialog)

    async def _halt(self) -> None:
        """Halts; a halt the input thread has delivered is sent again only if nothing shows it."""
        if not self._app.halt_keys.take() or not await self._seen_halted():
            await self.send(OperatorVerb.HALT, reason="key")
            return
        text = f"halted; the status row tells what became of the orders\n= {CLI_TWINS[HALT]}"
        self._app.notify(text, title="halt done", timeout=5, markup=False)

    async def _seen_halted(self) -> bool:
        end = time.monotonic() + SEEN_S
        while time.monotonic() < end:
            frame = self._app.source.latest()
            fresh = frame is not None and self._app.source.state is LinkState.RUNNING
            if fresh and frame is not None and frame.view.operator_rung is Rung.HALTED:
                return True
            await asyncio.sleep(0.05)
        return False

    async def _down(self) -> None:
        view = self._app.scene.view
        if view is not None:
            lowest = min(view.operator_rung, view.rung, key=lambda rung: rung.value)
            await self.send(OperatorVerb.RUNG, rung=lowest.down, reason="key")

    async def _up(self) -> None:
        view = self._app.scene.view
        if view is None:
            return
        release = view.operator_rung is Rung.HALTED
        title = "RELEASE HALT" if release else f"RISK UP to {view.operator_rung.up.name}"
        preview = Preview(previews.rung_up, previews.position_print)
        if not await self._confirmed(Confirm, title, preview):
            return
        if release:
            await self.send(OperatorVerb.RELEASE)
        else:
            await self.send(OperatorVerb.RUNG, rung=view.operator_rung.up)

    async def _mode(self) -> None:
        preview = Preview(previews.mode_menu, previews.position_print)
        chosen = await self._dialog(Pick("MODE", preview, self._app.scene, mode_choices))
        match chosen:
            case "halt":
                await self._halt()
            case "disarm":
                await self.send(OperatorVerb.DISARM)
            case "REDUCED" | "HEDGE_ONLY" | "FULL":
                await self._to_rung(Rung[str(chosen)])
            case "DRY" | "PAPER":
                await self.send(OperatorVerb.MODE, mode=Mode[str(chosen)])
            case "arm":
                await self._arm()

    async def _to_rung(self, rung: Rung) -> None:
        view = self._app.scene.view
        if view is None:
            return
        if view.operator_rung < rung:
            await self._up()
        else:
            await self.send(OperatorVerb.RUNG, rung=rung)

    async def _arm(self) -> None:
        view = self._app.scene.view
        if view is None:
            return
        if view.armed:
            await self.send(OperatorVerb.DISARM)
            return
        preview = Preview(previews.arming, previews.position_print)
        ask = Ask(
            f"ARM LIVE: {view.instance}", preview, self._app.scene,
            prompt="Type the instance name to arm", wanted=view.instance,
            blocked=lambda scene: scene.view is None or bool(failed(scene.view)),
        )  # fmt: skip
        typed = await self._dialog(ask)
        if typed:
            await self.send(OperatorVerb.ARM, str(typed))

    async def _reload(self) -> None:
        preview = Preview(lambda scene: previews.RELOAD)
        if await self._confirmed(Confirm, "RELOAD LIMITS", preview):
            await self.send(OperatorVerb.RELOAD)

    async def _take_lease(self) -> None:
        preview = Preview(lambda scene: previews.lease(self._app.source.holder))
        if await self._confirmed(Confirm, "TAKE THE LEASE", preview):
            await self.send(OperatorVerb.LEASE)

    async def _flatten(self) -> None:
        desk = self._app.scene.market
        if desk is None:
            return
        preview = Preview(previews.flatten_one, previews.position_print)
        if await self._confirmed(ConfirmDanger, f"FLATTEN {self._app.scene.name(desk)}", preview):
            await self.send(OperatorVerb.FLATTEN, desk.market_id)

    async def _flatten_all(self) -> None:
        preview = Preview(previews.flatten_all, previews.position_print)
        if await self._confirmed(ConfirmFlattenAll, "FLATTEN ALL", preview):
            await self.send(OperatorVerb.FLATTEN)

    async def _cancel(self) -> None:
        order = self._order()
        if order is not None:
            await self.send(OperatorVerb.CANCEL, order.order_id)

    def _order(self) -> OrderRow | None:
        """Returns the open order under the cursor, else the newest open one."""
        screen = self._app.view_screen
        table = screen.first(Orders) if screen is not None else None
        item = table.current.item if table is not None and table.current is not None else None
        if isinstance(item, OrderRow) and item.state in LIVE:
            return item
        view = self._app.scene.view
        rows = [row for row in view.orders if row.state in LIVE] if view is not None else []
        return min(rows, key=lambda row: row.age_ms, default=None)

    async def _cancel_all(self) -> None:
        await self.send(OperatorVerb.CANCEL)

    async def _ack(self) -> None:
        view = self._app.scene.view
        rows = [row for row in view.alerts if not row.acked] if view is not None else []
        if rows:
            await self.send(OperatorVerb.ACK, max(rows, key=lambda row: row.wall_ns).key)

    async def _ack_all(self) -> None:
        await self.send(OperatorVerb.ACK)

    async def _reset(self) -> None:
        row = self._breaker()
        if row is None:
            return
        preview = Preview(lambda scene: previews.breaker_reset(row))
        ask = Ask(f"RESET {row.name}", preview, self._app.scene, prompt="Reason")
        reason = await self._dialog(ask)
        if reason:
            await self.send(OperatorVerb.BREAKER_RESET, row.name, reason=str(reason))

    def _breaker(self) -> BreakerRow | None:
        screen = self._app.view_screen
        table = screen.first(Breakers) if screen is not None else None
        item = table.current.item if table is not None and table.current is not None else None
        if isinstance(item, BreakerRow) and item.state in {"TRIPPED", "latched"}:
            return item
        view = self._app.scene.view
        rows = view.breakers if view is not None else ()
        return next((row for row in rows if row.state in {"TRIPPED", "latched"}), None)

    async def _quit(self) -> None:
        scene = self._app.scene
        if scene.view is None or scene.state is LinkState.LOST or scene.role is Role.OBSERVER:
            self._app.exit(0)
            return
        preview = Preview(previews.leaving)
        choices = stop_choices if self._app.inline_engine else leave_choices
        chosen = await self._dialog(Pick("LEAVE", preview, scene, choices))
        if chosen == "detach":
            self._app.exit(0)
        elif chosen == "stop":
            answer = await self.send(OperatorVerb.STOP)
            if answer.ok:
                self._app.exit(0)


def leave_choices(scene: Scene) -> list[Choice]:
    """Returns the ways to leave; the first keeps the engine running."""
    may_stop = scene.role is Role.OPERATOR
    return [
        Choice("detach", "Detach: the engine keeps running"),
        Choice("stop", "Stop the engine: no entries, cancel, verify, then leave", may_stop),
        Choice("stay", "Stay"),
    ]


def stop_choices(scene: Scene) -> list[Choice]:
    """Returns the ways to leave an engine that lives in this process; the first is to stay."""
    return [
        Choice("stay", "Stay: the engine lives in this process (--inline)"),
        Choice("stop", "Stop the engine: no entries, cancel, verify, then leave"),
    ]


def mode_choices(scene: Scene) -> list[Choice]:
    """Returns both axes, what lowers risk first."""
    view = scene.view
    may = view is not None and scene.role is Role.OPERATOR
    mode = view.mode if view is not None else None
    free = mode in {Mode.DRY, Mode.PAPER}
    lowers = view is not None
    choices = [Choice("halt", "HALTED: no orders, cancel all", lowers)]
    if mode is Mode.LIVE:
        choices.insert(0, Choice("disarm", "Disarm LIVE: to HALTED", lowers))
    choices += [
        Choice(rung.name, f"Rung {rung.name}",
               lowers and (may or (view is not None and not view.operator_rung < rung)))
        for rung in (Rung.HEDGE_ONLY, Rung.REDUCED, Rung.FULL)
    ]  # fmt: skip
    choices += [
        Choice("DRY", "Run mode DRY: send nothing", may and free and mode is not Mode.DRY),
        Choice("PAPER", "Run mode PAPER: fill model", may and free and mode is not Mode.PAPER),
        Choice(
            "arm",
            "Arm LIVE: real orders, asks for the name",
            may and mode is Mode.LIVE and view is not None and not view.armed,
        ),
    ]
    return choices
