"""Checks of the evidence page that stand beside the studies: no hypothesis is played in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from dailyarb.analytics import halves
from dailyarb.analytics.halves import Moment, bounds, flowed, followed
from dailyarb.analytics.paper import Grid, Heading, Part, Words
from dailyarb.analytics.probe import Tally, recorded, tally
from dailyarb.analytics.scores import Score
from dailyarb.analytics.studies import RECORDINGS
from dailyarb.core.domain.settings import S6Settings
from dailyarb.runtime.replay_probe import Probe, probed
from dailyarb.runtime.replay_worlds import THROUGH_MS, Variant, worlds_of

PROBES = "recordings/houssem98-5m-ladder/maker_probe.jsonl.gz"
BOOKS = "recordings/cronos-5m-depth"
NONE = "-"
_COLUMNS = ("whose", "laid at", "windows", "both filled", "one filled", "of these lost", "none",
            "any filled", "the first lost", "USD a window, 5 shares")  # fmt: skip


def inventory(data: Path) -> Iterator[Part]:
    """Gives every shared recording: what it carries, who is asked, and why nobody else is."""
    yield Heading("What every recording can be asked")
    rows = [
        (source.path if (data / source.path).exists() else f"{source.path} (not in the folder)",
         source.licence, source.carries, source.asked or NONE, source.missing)
        for source in RECORDINGS
    ]  # fmt: skip
    columns = ("recording", "licence", "carries", "asked", "why not the others")
    yield Grid("", columns, tuple(rows))
    yield Words(
        "Touch, trades and reference together, which S3 and S6 ask for, are in one source "
        "only, there in bursts. Every frame with prints was kept for seven seconds without a "
        "reference; a touch beside Binance for seven seconds, or every 2.8 s without trades."
    )


def lone_legs(data: Path, own: Score | None) -> Iterator[Part]:
    """Gives somebody's resting probe beside the same probe played by our fill model.

    Args:
        data: the folder of recordings.
        own: what S2 came to on the same books, or None.
    """
    yield Heading("One-sided fills: the fill model against somebody's probe")
    rows: list[tuple[str, ...]] = []
    theirs: list[Probe] = []
    ours: list[Probe] = []
    if (data / PROBES).exists():
        theirs = recorded(data / PROBES)
        rows += _probes("houssem98, recorded", theirs)
    else:
        yield Words("Skipped: the recorded probe of resting quotes is not in the folder.")
    if (data / BOOKS).exists():
        found: list[list[Probe]] = [[], []]
        ends = (Variant(), Variant(adverse=False))
        for world in worlds_of(str(data / BOOKS)):
            for group, probes in zip(found, probed(world, ends), strict=True):
                group += probes
        ours = found[0]
        for variant, group in zip(ends, found, strict=True):
            rows += _probes(f"ours on cronos books, {variant.queue} queue", group)
    if own is not None and own.lone_legs:
        rows.append(_as_played(own))
    if not rows:
        return
    yield Words(
        "houssem98/polymarket-btc-5m-research (no licence, not shipped) laid both touch bids in "
        "BTC 5m windows of July 2026 and left them to the end; whether one filled is its author's "
        "inference. Ours are the same bids on recorded books of April 2026, through the fill model "
        "of every study here."
    )
    yield Grid("", _COLUMNS, tuple(rows))
    yield Words(
        "A leg that is alone at the end of its window has nearly always lost, by arithmetic more "
        "than by bad luck: had it won, the price would have run through the other bid on its way "
        "to a dollar. The optimistic queue is an upper bound that nobody reaches."
    )
    yield Words(
        f"The {THROUGH_MS / 1000:g} s that a price must stay beyond ours under the adverse queue "
        "were chosen on this very table (0, 0.5 and 2 s were tried), so its agreement is fitted "
        "and proves nothing about the model; no second recorded probe exists to test it on. Two "
        "days of April stand against other days of July."
    )
    if theirs and ours:
        yield _compared(tally(theirs), tally(ours))
    yield Words(
        "The figures of S2 and of the probes answer different questions. Alone at the end of a "
        "window is not alone when it is left: S2 gives the second leg a moment "
        "(`risk.max_leg_delay_ms`), then completes or sells, minutes before the close; its row "
        "counts which outcome its first leg held at settlement, and what leaving it cost is in its "
        "result. The column of the probes that compares with it is the first leg to fill."
    )


def _compared(theirs: Tally, ours: Tally) -> Words:
    """Says in which respects the adverse queue is harder than the recorded probe, and in which not.

    Both moments together.
    """
    said: dict[bool, list[str]] = {True: [], False: []}
    loss, lost = ours.net_usd, theirs.net_usd
    said[loss < lost].append(f"USD a window {loss:+.2f} against {lost:+.2f}")
    shares: tuple[tuple[str, float, float, bool], ...] = (
        ("both filled", ours.both / ours.windows, theirs.both / theirs.windows, False),
        ("lone legs lost", ours.lone_lost / max(1, ours.lone),
         theirs.lone_lost / max(1, theirs.lone), True),
        ("the first lost", ours.first_lost / max(1, ours.first),
         theirs.first_lost / max(1, theirs.first), True),
    )  # fmt: skip
    for what, mine, other, more_is_worse in shares:
        harder = mine > other if more_is_worse else mine < other
        said[harder].append(f"{what} {mine:.0%} against {other:.0%}")
    harder_on_us, kinder = ("; ".join(said[key]) or "nothing" for key in (True, False))
    return Words(
        "Both moments together, ours under the adverse queue against the recorded probe. Harder "
        f"on us: {harder_on_us}. No harder: {kinder}."
    )


def _as_played(own: Score) -> tuple[str, ...]:
    lost = _share(own.lone_lost, own.lone_legs)
    net = f"{own.net_usd / own.windows:+.2f}" if own.windows else NONE
    return (
        "S2 as it plays, the same books, adverse queue", "while it quotes", str(own.windows), NONE,
        str(own.lone_legs), lost, NONE, NONE, NONE, f"{net}, 6 shares",
    )  # fmt: skip


def _probes(name: str, probes: Sequence[Probe]) -> Iterator[tuple[str, ...]]:
    by_at = sorted(probes, key=lambda probe: -probe.at_s)
    for at_s, part in groupby(by_at, key=lambda probe: probe.at_s):
        found = tally(list(part))
        yield (
            name, f"T-{at_s} s", str(found.windows), str(found.both), str(found.lone),
            _share(found.lone_lost, found.lone), str(found.none), str(found.first),
            _share(found.first_lost, found.first), f"{found.net_usd:+.2f}",
        )  # fmt: skip


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.0%})" if whole else NONE


def untested(data: Path) -> Iterator[Part]:
    """Gives the halves of S4, S6 and X1 that need no recording of both."""
    yield Heading("What can be measured of S4, S6 and X1")
    ends = [data / halves.ENDS.format(label) for label in ("5m", "15m")]
    if all(file.exists() for file in ends):
        found = bounds(*ends)
        yield Words(
            f"S4: of {found.pairs} pairs of a 5m and a 15m window with a common end, priced 8 s "
            f"before it (rogersialves), {found.broken} break the order that their strikes demand, "
            f"{found.broken_widely} of them by more than {halves.NEAR_SURE_CENTS:g} c. These are "
            f"last prices, not touches, of a source whose strikes are mixed up in "
            f"{found.mixed_up} more pairs (left out): no sign of a bound that can be traded on, "
            f"and no proof of its absence."
        )
    else:
        yield Words("S4: skipped, prices at common ends are not in the folder.")
    files = [data / halves.SPOT.format(symbol) for symbol in ("btcusdt", "ethusdt")]
    if not all(file.exists() for file in files):
        yield Words("S6 and X1: skipped, Binance's own frames are not in the folder.")
        return
    btc, eth = (halves.moments(file, name) for file, name in zip(files, ("btcusdt", "ethusdt"),
                                                                 strict=True))  # fmt: skip
    yield from _flows((("BTC", btc), ("ETH", eth)))
    pair = followed(btc, eth)
    yield Words(
        f"X1: over the same seconds ETH went with BTC at a correlation of {pair.correlation:.2f} "
        f"and {pair.ratio:.2f} of its size, best at a lag of {pair.lag_s} s: within the second in "
        f"which an order travels. Whether its windows are slower than its price, no recording says."
    )


def _flows(assets: Sequence[tuple[str, list[Moment]]]) -> Iterator[Part]:
    own, said, needed = S6Settings(), [], 0.0
    for name, rows in assets:
        found = flowed(rows, own)
        if found is not None:
            said.append(
                f"{name} {found.mean_bp:+.2f} bp ({found.samples} overlapping samples of "
                f"{found.seconds:.0f} s)"
            )
            needed = found.needed_bp
    if said:
        yield Words(
            f"S6: in the {halves.AHEAD_S} s after flow that passes its gates Binance moved, with "
            f"the flow, {' and '.join(said)}; fee and half a spread ask for {needed:.2f} bp at the "
            f"least. It falls on these six minutes (hftbacktest, MIT, 2024-08-08), which are few."
        )
