"""The command palette: every key of the table, every market, every theme, by name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from dailyarb.tui.keys import KEYS, shown_first

if TYPE_CHECKING:
    from collections.abc import Callable

    from dailyarb.tui.app import Console

_SKIPPED = frozenset({"move", "palette"})
_TOP = 10
# What has no key: text, help, what `Operations` calls it.
_KEYLESS = (
    ("Reconcile with the venue now", "dailyarb ctl reconcile", "reconcile"),
    ("Check the payouts of decided markets", "dailyarb ctl claim", "claim"),
    ("Read limits from the file again…", "dailyarb ctl reload", "reload"),
    ("Take the operator's lease…", "who may raise risk from a console", "lease"),
    ("Release the lease", "dailyarb ctl lease release", "unlease"),
)


class Entry(NamedTuple):
    """Is one entry of the palette."""

    text: str
    help: str
    run: Callable[[], None]


class ConsoleCommands(Provider):
    """Offers what the keys do; entries that ask first end in `…`."""

    def _entries(self) -> Iterator[Entry]:
        console = cast("Console", self.app)
        for key in KEYS:
            if key.group in _SKIPPED or key.id in _SKIPPED:
                continue
            if console.action_state(key.action) is not True:
                continue
            says = key.says.removesuffix(", asks") + ("…" if "asks" in key.says else "")
            yield Entry(f"{says[0].upper()}{says[1:]}", f"{key.id}  key {shown_first(key.keys)}",
                        partial(console.act, key.action))  # fmt: skip
        for text, says, what in _KEYLESS:
            action = f"operate('{what}')"
            if console.action_state(action) is True:
                yield Entry(text, says, partial(console.act, action))
        for market_id, label in console.market_names():
            yield Entry(f"Go to {label}", "select this market", partial(console.select, market_id))
        for name in console.theme_names():
            yield Entry(f"Theme {name}", "colours", partial(console.use_theme, name))

    async def discover(self) -> Hits:
        """Yields the most useful entries."""
        for count, entry in enumerate(self._entries()):
            if count >= _TOP:
                return
            yield DiscoveryHit(entry.text, entry.run, help=entry.help)

    async def search(self, query: str) -> Hits:
        """Yields entries that match by name or id."""
        matcher = self.matcher(query)
        for entry in self._entries():
            score = matcher.match(f"{entry.text} {entry.help}")
            if score > 0:
                yield Hit(score, matcher.highlight(entry.text), entry.run, help=entry.help)
