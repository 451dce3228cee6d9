"""Which windows are open now and next, and how finished ones were decided.

Slugs follow from the clock, so nothing is scanned: the expected ones are asked for. Decisions are
polled after the end too, because the market channel does not always deliver them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.errors import ConfigError, FrameFault, Problem, VenueError
from dailyarb.core.domain.events import Event, MarketListed, Resolved
from dailyarb.core.domain.market import MarketSpec, Outcome, SettlementKind, Window
from dailyarb.core.domain.settings import AssetSettings
from dailyarb.venues.binance.codec import Candle
from dailyarb.venues.polymarket import catalog, codec
from dailyarb.venues.polymarket.http import Gamma

SECOND_NS = 1_000_000_000
AHEAD = 2  # windows listed beyond the current one
FIRST_TRY_NS = 2 * SECOND_NS  # between tries for a window that is not listed yet
REFRESH_NS = 30 * SECOND_NS  # between looks at one that is
DECISION_NS = 2 * SECOND_NS  # between looks at one that ended
DECISION_SLOW_NS = 30 * SECOND_NS  # the same, ten minutes after the end
PATIENCE_NS = 600 * SECOND_NS
FORGET_NS = 48 * 3_600 * SECOND_NS
STRIKE_NS = 2 * SECOND_NS  # between looks at a candle whose open is the strike
TRACKED_MAX = 512
PARALLEL = 6
E10 = 10**10  # from 1e-8 to 1e-18 dollars

# (symbol, interval, start in ms) -> the candle that opens then, None while it does not exist.
AskCandle = Callable[[str, str, int], Awaitable[Candle | None]]


class Tracked(msgspec.Struct):
    """Is one window that is followed; times are boot clock but for those of `want`."""

    want: catalog.Wanted
    due_ns: int = 0
    spec: MarketSpec | None = None
    resolved: bool = False
    strike: str = ""  # open of the candle that settles it, x 1e18


class Discovery:
    """Follows the windows of the assets in the settings.

    Emits MarketListed when a window is found or something about it changes, and Resolved once.

    Args:
        gamma: the catalogue.
        clock: venue time decides which windows are current.
        assets: what the settings say about each asset.
        emit: takes each event.
        candle: asks Binance for a candle: the open of one that settles a window is its strike.

    Raises:
        ConfigError: an hourly window is asked of an asset whose long name is not known.
    """

    def __init__(
        self,
        gamma: Gamma,
        clock: Clock,
        assets: Mapping[str, AssetSettings],
        emit: Callable[[Event], None],
        candle: AskCandle | None = None,
    ) -> None:
        self._gamma = gamma
        self._clock = clock
        self._emit = emit
        self._candle = candle
        self._symbols = {name: found.binance_symbol for name, found in assets.items()}
        self._long_names = {name: found.long_name for name, found in assets.items()}
        self._lines = [
            (name, found.slug, Window(word))
            for name, found in assets.items()
            for word in found.windows
        ]
        for name, slug, window in self._lines:
            known = self._long_names[name] or slug in catalog.LONG_NAMES
            if window is Window.H1 and not known:
                what = f"hourly windows of {slug!r} have no known slug"
                hint = f"state long_name; known are those of {', '.join(catalog.LONG_NAMES)}"
                raise ConfigError([Problem("config", 0, f"assets.{name}.windows", what, hint)])
        self._tracked: dict[str, Tracked] = {}  # by slug
        self.roles: dict[str, Outcome] = {}  # by token, of every window seen
        self.failures = 0
        self.last_failure = ""

    async def run(self) -> None:
        """Looks for ever; a look that fails is repeated, never fatal."""
        while True:
            await self.look()
            await asyncio.sleep(1.0)

    async def look(self) -> None:
        """Asks for everything that is due."""
        now = self._clock.now()
        self._expect(now.wall_ns)
        self._forget(now.wall_ns)
        due = [found for found in self._tracked.values() if found.due_ns <= now.mono_ns]
        for start in range(0, len(due), PARALLEL):
            await asyncio.gather(*(self._ask(found) for found in due[start : start + PARALLEL]))

    def follow(self, spec: MarketSpec) -> None:
        """Follows a window of an earlier run until it is decided."""
        start_s, end_s = spec.start_ns // SECOND_NS, spec.end_ns // SECOND_NS
        want = catalog.Wanted(spec.asset, spec.window, spec.slug, start_s, end_s)
        found = self._tracked.setdefault(spec.slug, Tracked(want))
        found.spec = found.spec or spec
        self._learn(spec)

    def play(self, windows: Sequence[catalog.Wanted]) -> None:
        """Follows exactly these windows: those of a recording are not on today's grid."""
        self._lines = []
        self._tracked.update({want.slug: Tracked(want) for want in windows})

    def rare(self, frames: Sequence[bytes]) -> int:
        """Takes new_market and market_resolved frames; returns how many were damaged."""
        damaged = 0
        for raw in frames:
            try:
                event = codec.rare_event(raw)
            except FrameFault:
                damaged += 1
                continue
            if isinstance(event, Resolved):
                self._decide(event)
            elif event is not None and event.slug in self._tracked:
                self._tracked[event.slug].due_ns = 0
        return damaged

    def _expect(self, wall_ns: int) -> None:
        for asset, name, window in self._lines:
            wall_s, long_name = wall_ns // SECOND_NS, self._long_names[asset]
            for want in catalog.wanted(asset, name, window, wall_s, AHEAD, long_name):
                if want.slug not in self._tracked and len(self._tracked) < TRACKED_MAX:
                    self._tracked[want.slug] = Tracked(want)

    def _forget(self, wall_ns: int) -> None:
        """Drops windows that are decided, never appeared, or ended two days ago."""
        for slug, found in list(self._tracked.items()):
            over_ns = wall_ns - found.want.end_s * SECOND_NS
            never = found.spec is None and over_ns > 0
            if (found.resolved and over_ns > 0) or never or over_ns > FORGET_NS:
                del self._tracked[slug]
                if found.spec is not None:
                    self.roles.pop(found.spec.up_token, None)
                    self.roles.pop(found.spec.down_token, None)

    async def _ask(self, found: Tracked) -> None:
        now = self._clock.now()
        over_ns = now.wall_ns - found.want.end_s * SECOND_NS
        if found.spec is None:
            pause_ns = FIRST_TRY_NS
        elif over_ns <= 0:
            # The first look after the end comes right at it.
            pause_ns = min(REFRESH_NS, max(SECOND_NS, -over_ns))
        else:
            pause_ns = DECISION_NS if over_ns < PATIENCE_NS else DECISION_SLOW_NS
        found.due_ns = now.mono_ns + pause_ns
        try:
            market = await self._gamma.market(found.want.slug)
            if market is None:
                return
            spec = await self._struck(found, catalog.spec_of(market, found.want))
            decided_e4 = catalog.resolution_e4(market)
        except (VenueError, FrameFault) as error:
            self.failures += 1
            self.last_failure = f"{found.want.slug}: {error}"[:200]
            return
        if found.spec is None and not market.clobTokenIds and not market.positionIds:
            return  # listed, but without tokens yet: asked again
        if spec != found.spec:
            found.spec = spec
            self._learn(spec)
            self._emit(MarketListed(spec))
        if decided_e4 is not None:
            self._decide(Resolved(spec.market_id, decided_e4))

    async def _struck(self, found: Tracked, spec: MarketSpec) -> MarketSpec:
        """Returns the market with its strike, where a Binance candle settles it and has opened."""
        if self._candle is None or spec.settlement.kind is not SettlementKind.BINANCE_CANDLE:
            return spec
        now, begun_ns = self._clock.now(), spec.start_ns
        if not found.strike and now.wall_ns >= begun_ns:
            symbol, interval = self._symbols[spec.asset], spec.window.value
            opened = await self._candle(symbol, interval, begun_ns // (SECOND_NS // 1_000))
            found.strike = "" if opened is None else str(opened.open_e8 * E10)
        if not found.strike:
            wait_ns = max(STRIKE_NS, begun_ns - now.wall_ns)
            found.due_ns = min(found.due_ns, now.mono_ns + wait_ns)
        return replace(spec, strike_digits=found.strike or spec.strike_digits)

    def _learn(self, spec: MarketSpec) -> None:
        if spec.up_token:
            self.roles[spec.up_token] = Outcome.UP
            self.roles[spec.down_token] = Outcome.DOWN

    def _decide(self, event: Resolved) -> None:
        """Emits a decision once, and only of a window we follow."""
        for found in self._tracked.values():
            if found.spec is not None and found.spec.market_id == event.market_id:
                if not found.resolved:
                    found.resolved = True
                    self._emit(event)
                return
