"""Turns numbers into the words of the screen: fixed units, fixed widths, never a surprise.

Prices are cents of a one-dollar share, sizes shares, money dollars, distance basis points, times
UTC, ages seconds. Every function returns `-` for what is not known, and text of printable
one-cell characters only, so a width counted in characters is a width on screen.
"""

from __future__ import annotations

import math
import time
import unicodedata

from dailyarb.core.domain.ids import GATE_FACTS, Gate, GateFact

NOTHING = "-"
UP_MARK, DOWN_MARK = "▲", "▼"
BARS = " ▁▂▃▄▅▆▇█"
SECOND_NS = 1_000_000_000

_ASCII_PAIRS = {
    "▲": "^", "▼": "v", "◆": "*", "●": "o", "○": "o", "▸": ">", "¢": "c", "σ": "s", "±": "~",
    "│": "|", "─": "-", "┤": "|", "┼": "+", "└": "+", "·": ".", "…": ".", "→": ">", "×": "x",
    "▁": ".", "▂": ".", "▃": ":", "▄": ":", "▅": "+", "▆": "+", "▇": "#", "█": "#", "░": ".",
    "√": "r", "▏": "|", "▕": "|", "Δ": "d",
}  # fmt: skip
ASCII = str.maketrans(
    _ASCII_PAIRS | {chr(0x2800 + dots): " .:*#"[min(4, dots.bit_count())] for dots in range(256)}
)


def clean(text: str) -> str:
    """Returns text in which every character is printable and one cell wide."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _one_cell(char) else "?" for char in text)


def _one_cell(char: str) -> bool:
    if char.isascii():
        return char.isprintable()
    return (
        char.isprintable()
        and unicodedata.east_asian_width(char) not in "WF"
        and not unicodedata.combining(char)
        and unicodedata.category(char) not in {"Cf", "Mn", "Me"}
        and ord(char) < 0x3000
    )


def fit(text: str, width: int, align: str = "<") -> str:
    """Returns text in exactly `width` cells; what is cut ends in `…`, never silently."""
    if len(text) > width:
        return text[: width - 1] + "…" if width > 0 else ""
    return text.rjust(width) if align == ">" else text.ljust(width)


def number_fit(text: str, width: int) -> str:
    """Returns a number right-aligned; one too long for its cell becomes `#`s."""
    return text.rjust(width) if len(text) <= width else "#" * width


def count(number: float | None) -> str:
    """Returns a count, shortened above a million: `940`, `12,040`, `1.2M`."""
    if number is None or not math.isfinite(number):
        return NOTHING
    size = abs(number)
    for limit, scale, unit in ((1e15, 1e15, "P"), (1e12, 1e12, "T"), (1e9, 1e9, "G")):
        if size >= limit:
            return f"{number / scale:.1f}{unit}" if size < 1e18 else f"{number:.0e}"
    if size >= 1e6:
        return f"{number / 1e6:.1f}M"
    return f"{number:,.0f}"


def shares(size_e6: int | None) -> str:
    """Returns whole shares, one decimal under ten: `1,240`, `5.5`."""
    if size_e6 is None:
        return NOTHING
    if size_e6 % 1_000_000 and abs(size_e6) < 10_000_000:
        return f"{size_e6 / 1e6:.1f}"
    return count(size_e6 / 1e6)


def cents(price_e4: int | None, tick_e4: int = 100) -> str:
    """Returns a price in cents with the decimals its tick needs: `57`, `57.5`, `0.25`."""
    if price_e4 is None:
        return NOTHING
    if tick_e4 % 100 == 0 and price_e4 % 100 == 0:
        return count(price_e4 // 100)
    decimals = 1 if tick_e4 % 10 == 0 and price_e4 % 10 == 0 else 2
    return f"{price_e4 / 100:.{decimals}f}"


def cents1(price_e4: float | None) -> str:
    """Returns a price or edge in cents with one decimal in four cells: `59.1`, a dollar `100`."""
    if price_e4 is None or not math.isfinite(price_e4):
        return NOTHING
    return f"{price_e4 / 100:.1f}".replace("100.0", "100")


def signed_cents(price_e4: float | None, decimals: int = 1) -> str:
    """Returns a difference of prices in cents with its sign: `+1.1`."""
    if price_e4 is None or not math.isfinite(price_e4):
        return NOTHING
    return f"{price_e4 / 100:+.{decimals}f}"


def money(cash_e6: float | None, decimals: int = 2) -> str:
    """Returns dollars, `1,853.20`; a million and more is shortened."""
    if cash_e6 is None or not math.isfinite(cash_e6):
        return NOTHING
    if abs(cash_e6) >= 1e12:
        return count(cash_e6 / 1e6)
    return f"{cash_e6 / 1e6:,.{decimals}f}"


def signed_money(cash_e6: float | None, decimals: int = 2) -> str:
    """Returns dollars with their sign: `+128.44`, `-0.76`, `0.00`."""
    text = money(cash_e6, decimals)
    if cash_e6 is None or text == NOTHING or cash_e6 <= 0:
        return text.removeprefix("-") if cash_e6 is not None and not _digits(text) else text
    return "+" + text if _digits(text) else text


def money_in(cash_e6: float | None, width: int, *, arrow: bool = False) -> str:
    """Returns signed dollars with as many decimals, up to two, as `width` cells hold."""
    text = ""
    for decimals in (2, 1, 0):
        text = signed_money(cash_e6, decimals)
        text += mark(cash_e6).strip() if arrow and _digits(text) else ""
        if len(text) <= width:
            break
    return text


def whole(cash_e6: float | None) -> str:
    """Returns whole dollars, cents below a hundred: `-275`, `-0.35`, `0`."""
    small = cash_e6 is not None and 0 < abs(cash_e6) < 99_995_000
    text = money(cash_e6, 2 if small else 0)
    return text if _digits(text) or text == NOTHING else text.removeprefix("-")


def _digits(text: str) -> bool:
    return any(char in "123456789" for char in text)


def mark(number: float | None) -> str:
    """Returns ▲ for a gain, ▼ for a loss, a space otherwise: the sign once more, as a shape."""
    if number is None or number == 0 or not math.isfinite(number):
        return " "
    return UP_MARK if number > 0 else DOWN_MARK


def price(spot: float | None) -> str:
    """Returns a reference price with five to seven significant digits: `112,547.5`, `0.31153`."""
    if spot is None or not math.isfinite(spot):
        return NOTHING
    size = abs(spot)
    for limit, decimals in ((1e9, -1), (10_000, 1), (1_000, 2), (10, 3), (1, 4)):
        if size >= limit:
            return count(spot) if decimals < 0 else f"{spot:,.{decimals}f}"
    return f"{spot:.5f}"


def signed(number: float | None, decimals: int = 1) -> str:
    """Returns a plain number with its sign."""
    if number is None or not math.isfinite(number):
        return NOTHING
    return f"{number:+.{decimals}f}" if abs(number) < 1e6 else f"{number:+.0e}"


def plain(number: float | None, decimals: int = 1) -> str:
    """Returns a plain number, shortened when large."""
    if number is None or not math.isfinite(number):
        return NOTHING
    return f"{number:,.{decimals}f}" if abs(number) < 1e6 else count(number)


def percent(part: float, whole: float) -> str:
    """Returns a share in whole percent, `-` without a whole."""
    return f"{100 * part / whole:.0f}%" if whole and math.isfinite(part / whole) else NOTHING


def with_unit(text: str, unit: str) -> str:
    """Returns a number's text with its unit behind it; what is not known has none."""
    return text if text == NOTHING else text + unit


def age(ms: float | None) -> str:
    """Returns an age in at most six cells: `0.1s`, `47s`, `2m05s`, `3h12m`, `9d04h`."""
    if ms is None or not math.isfinite(ms):
        return NOTHING
    seconds = max(0.0, ms / 1000)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < 100:
        return f"{whole}s"
    if whole < 6000:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 360_000:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    days = whole // 86_400
    return f"{days}d{whole % 86_400 // 3600:02d}h" if days < 1000 else ">999d"


def latency(us: float | None) -> str:
    """Returns a latency in at most six cells: `0.31us`, `48us`, `8.7ms`, `1.2s`."""
    if us is None or not math.isfinite(us):
        return NOTHING
    if us < 10:
        return f"{us:.2f}us"
    if us < 10_000:
        return f"{us:.0f}us" if us < 1_000 else f"{us / 1e3:.1f}ms"
    return f"{us / 1e3:.0f}ms" if us < 1e6 else age(us / 1e3)


def left(ns: int) -> str:
    """Returns the time to a window's close as m:ss, with `!` under 30 s, `0:00` after it."""
    seconds = max(0, ns // SECOND_NS)
    if seconds >= 360_000:
        return age(seconds * 1000)
    text = f"{seconds // 60}:{seconds % 60:02d}"
    return text + "!" if seconds < 30 else text


def clock(wall_ns: int, local: bool = False) -> str:
    """Returns the time of day, `14:32:07`; UTC unless local time is wanted."""
    if wall_ns <= 0 or wall_ns >= 2**62:
        return "--:--:--"
    moment = wall_ns // SECOND_NS
    parts = time.localtime(moment) if local else time.gmtime(moment)
    return f"{parts.tm_hour:02d}:{parts.tm_min:02d}:{parts.tm_sec:02d}"


def minute(wall_ns: int, local: bool = False) -> str:
    """Returns the time of day to the minute, `14:30`."""
    return clock(wall_ns, local)[:5]


def dollars(number: float) -> str:
    """Returns whole dollars with their unit, cents below a hundred: `-$0.35`, `$1,500`."""
    return f"{'-' if number < 0 else ''}${plain(abs(number), 2 if abs(number) < 99.995 else 0)}"


def quantity(number: float, unit: GateFact) -> str:
    """Returns a gate's number in the gate's own unit."""
    if not math.isfinite(number):
        return NOTHING
    match unit:
        case GateFact.MS:
            return f"{number:.0f}ms" if abs(number) < 1000 else age(number)
        case GateFact.S:
            return age(number * 1000)
        case GateFact.USD:
            return dollars(number)
        case GateFact.CENTS | GateFact.BP | GateFact.PERCENT:
            return f"{plain(number, 1)}{unit.value}"
        case GateFact.COUNT | GateFact.SHARES | GateFact.NONE:
            return f"{count(number)}{' sh' if unit is GateFact.SHARES else ''}"


def gate_numbers(gate: Gate, now: float, limit: float) -> str:
    """Returns `2.4s, limit 2.0s` for gates that have a number, else nothing."""
    unit = GATE_FACTS[gate][1]
    if unit is GateFact.NONE:
        return ""
    if unit is GateFact.S and not limit:  # a time that only has to pass
        return quantity(now, unit)
    return f"{quantity(now, unit)}, limit {quantity(limit, unit)}"


def united(number: float | None, unit: str, decimals: int = 1) -> str:
    """Returns a number with a free unit: `1.10¢`, `38.2%`, `$275`, `0.8 /s`."""
    if number is None or not math.isfinite(number):
        return NOTHING
    if unit in {"ms", "s"}:
        return (
            age(number * (1000 if unit == "s" else 1))
            if abs(number) >= 1000 or unit == "s"
            else f"{number:.0f}ms"
        )
    if unit == "1e-5$":
        return f"{number / 1e5:.5f}" if number else "0.00"
    if unit in {"$", "usd", "USD"}:
        return dollars(number)
    if unit in {"", "n", "count"}:
        return count(number) if number == int(number) else plain(number, decimals)
    return f"{plain(number, decimals)}{clean(unit)}"


def united_in(number: float | None, unit: str, width: int) -> str:
    """Returns a number with its unit in at most `width` cells; decimals go first, then the unit."""
    text = ""
    for decimals in (2, 1, 0):
        text = united(number, unit, decimals)
        if len(text) <= width:
            return text
    for decimals in (2, 1, 0):
        text = plain(number, decimals)
        if len(text) <= width:
            break
    return text


def bar(part: float, width: int) -> str:
    """Returns a bar of `width` cells filled to `part` (0 to 1)."""
    part = min(1.0, max(0.0, part)) if math.isfinite(part) else 0.0
    full = round(part * width)
    return "█" * full + "░" * (width - full)


def spark(numbers: list[float], width: int) -> str:
    """Returns a one-row chart of the newest `width` numbers, scaled between their extremes."""
    shown = [number for number in numbers[-width:] if math.isfinite(number)]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    span = high - low
    if span <= 0:
        return BARS[4] * len(shown)
    return "".join(BARS[1 + min(7, int(8 * (number - low) / span))] for number in shown)
