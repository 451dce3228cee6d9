"""The keymap: one table from which bindings, key row, help and `dailyarb keys` are made.

Lower-case letters never send an order or raise risk; weight is on upper case and function keys.
Nothing needs Ctrl-B, Ctrl-A, Ctrl-Z, Alt, F1, F10 or F11. Ids are remappable under `[keys]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from textual.binding import Binding
from textual.keys import _character_to_key

VIEWS: tuple[str, ...] = ("desk", "book", "signals", "orders", "pnl", "risk", "feeds", "log")
VIEW_TITLES: dict[str, str] = {
    "desk": "Desk", "book": "Book", "signals": "Signals", "orders": "Orders", "pnl": "PnL",
    "risk": "Risk", "feeds": "Feeds", "log": "Log",
}  # fmt: skip


class Key(NamedTuple):
    """Is one row of the keymap. rank orders the key row: lower comes first, 0 stays off it."""

    id: str
    keys: str
    action: str
    says: str
    group: str
    rank: int = 0
    priority: bool = False
    short: str = ""  # wording in the key row


KEYS: tuple[Key, ...] = (
    Key("risk.halt", "f9,ctrl+x", "operate('halt')", "HALT now", "risk", 1, True, "HALT"),
    Key("risk.down", "-", "operate('down')", "one rung down", "risk", 2, False, "less risk"),
    Key("risk.up", "+", "operate('up')", "one rung up, asks", "risk", 3, False, "more"),
    Key("mode.menu", "m", "operate('mode')", "run mode and rung", "risk", 8, False, "mode"),
    Key("mode.arm", "L", "operate('arm')", "arm or disarm LIVE, asks", "risk", 14, False, "arm"),
    Key("flat.one", "x", "operate('flatten')", "flatten the market, asks", "orders", 4, False,
        "flatten"),
    Key("flat.all", "X", "operate('flatten_all')", "flatten everything, asks", "orders", 5, False,
        "flatten ALL"),
    Key("order.cancel", "c", "operate('cancel')", "cancel the selected order", "orders", 13, False,
        "cancel"),
    Key("order.cancel_all", "C", "operate('cancel_all')", "cancel all orders", "orders", 9, False,
        "cancel all"),
    *(Key(f"view.{number}", str(number), f"view('{name}')", f"view {VIEW_TITLES[name]}", "view")
      for number, name in enumerate(VIEWS, start=1)),
    Key("move.down", "j,down", "move('down')", "next row", "move"),
    Key("move.up", "k,up", "move('up')", "previous row", "move"),
    Key("move.top", "g", "move('top')", "first row", "move"),
    Key("move.bottom", "G", "move('bottom')", "last row", "move"),
    Key("move.page_down", "ctrl+d", "move('page_down')", "half a page down", "move"),
    Key("move.page_up", "ctrl+u", "move('page_up')", "half a page up", "move"),
    Key("open", "enter", "pane('open')", "open the row", "move"),
    Key("back", "escape", "pane('back')", "step out, clear the filter", "move"),
    Key("market.prev", "[", "market(-1)", "previous market", "move"),
    Key("market.next", "]", "market(1)", "next market", "move"),
    Key("pane.expand", "e", "pane('expand')", "expand the pane", "view", 15, False, "expand"),
    Key("view.freeze", "f", "pane('freeze')", "freeze the display", "view", 16, False, "freeze"),
    Key("filter", "/", "pane('filter')", "filter the table", "view", 17, False, "filter"),
    Key("filter.next", "n", "move('down')", "next row of the filter", "move"),
    Key("filter.prev", "N", "move('up')", "previous row of the filter", "move"),
    Key("table.sort", "s", "pane('sort')", "cycle the sort column", "view", 19, False, "sort"),
    Key("why", "w", "pane('why')", "why this market does not trade", "view", 12, False, "why"),
    Key("alert.ack", "a", "operate('ack')", "acknowledge the newest alert", "risk", 18, False,
        "ack"),
    Key("alert.ack_all", "A", "operate('ack_all')", "acknowledge all alerts", "risk"),
    Key("breaker.reset", "r", "operate('reset')", "reset the breaker (Risk view), asks", "risk", 20,
        False, "reset"),
    Key("units", "u", "pane('units')", "UTC or local time", "view"),
    Key("copy", "y", "pane('copy')", "copy the row as JSON", "view"),
    Key("help", "?,f1", "help", "this help", "session", 7, False, "help"),
    Key("palette", ":,ctrl+p", "command_palette", "command palette", "session", 10, False,
        "palette"),
    Key("quit", "q,ctrl+q", "operate('quit')", "leave; the engine keeps running", "session", 11,
        False, "leave"),
    Key("quit.hint", "ctrl+c", "pane('hint')", "how to leave", "session"),
)  # fmt: skip

BY_ID: dict[str, Key] = {key.id: key for key in KEYS}
RESERVED = frozenset({"ctrl+a", "ctrl+b", "ctrl+z", "ctrl+i", "ctrl+j", "ctrl+m", "ctrl+h",
                      "f10", "f11"})  # fmt: skip
_SHOWN = {"escape": "Esc", "enter": "Enter", "down": "↓", "up": "↑", "f9": "F9", "f1": "F1"}


class KeymapError(ValueError):
    """Says which entry of `[keys]` cannot be used, and why."""


def bindings() -> list[Binding]:
    """Returns the table as Textual bindings; the id is what `[keys]` remaps."""
    return [
        Binding(key.keys, key.action, key.says, show=key.rank > 0, priority=key.priority, id=key.id)
        for key in KEYS
    ]


def checked_keymap(wanted: Mapping[str, str]) -> dict[str, str]:
    """Returns the keymap of the settings, checked.

    HALT keeps its own keys beside a new one: it must not be lost to a typing mistake.

    Raises:
        KeymapError: unknown id, a reserved key, or one key for two actions.
    """
    taken: dict[str, str] = {}
    keymap: dict[str, str] = {}
    for key in KEYS:
        keys = wanted.get(key.id, key.keys)
        if key.id == "risk.halt" and key.id in wanted:
            keys = f"{key.keys},{keys}"
        for name in normal_keys(keys):
            if name in RESERVED:
                raise KeymapError(f"keys.{key.id}: {name} is taken by the terminal or by tmux")
            if taken.setdefault(name, key.id) != key.id:
                raise KeymapError(f"keys.{key.id}: {name} already means {taken[name]}")
        if key.id in wanted:
            keymap[key.id] = keys
    unknown = set(wanted) - set(BY_ID)
    if unknown:
        raise KeymapError(f"keys.{min(unknown)}: no such key id")
    return keymap


def normal_keys(keys: str) -> list[str]:
    """Returns the keys of a comma-separated list in Textual's own names."""
    parts = [part.strip() for part in keys.split(",") if part.strip()]
    return [_character_to_key(part) if len(part) == 1 else part for part in parts]


def halt_keys(wanted: Mapping[str, str]) -> frozenset[str]:
    """Returns the keys that halt, as the input thread sees them."""
    own = BY_ID["risk.halt"].keys
    return frozenset(normal_keys(f"{own},{wanted.get('risk.halt', '')}"))


def shown(key: str) -> str:
    """Returns a key as an operator reads it: `F9`, `^X`, `?`."""
    if key in _SHOWN:
        return _SHOWN[key]
    if key.startswith("ctrl+"):
        return "^" + key[5:].upper()
    return key


def shown_first(keys: str) -> str:
    """Returns the first key of a list as an operator reads it."""
    return shown(keys.split(",", maxsplit=1)[0].strip())


def table(wanted: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    """Returns id, keys and meaning of every row: `dailyarb keys` prints this."""
    for key in KEYS:
        keys = wanted.get(key.id, key.keys)
        yield key.id, " ".join(shown(part.strip()) for part in keys.split(",")), key.says
