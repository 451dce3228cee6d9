"""Integer money. Scales are multiplied here and nowhere else; each function names its rounding.

price_e4   1e-4 USD a share, 0 to 10,000 (holds ticks 0.1 to 0.0001, 0.0025 included)
size_e6    1e-6 shares
cash_e6    1e-6 USD, also fee_e6
spot_e8    1e-8 USD(T) of the reference
settle_e18 1e-18 USD of the settling feed (Python integers: passes 64 bits)
"""

from __future__ import annotations

from dailyarb.core.domain.errors import UnitError

PRICE_ONE_E4 = 10_000
SIZE_ONE_E6 = 1_000_000
SPOT_ONE_E8 = 100_000_000
SETTLE_ONE_E18 = 10**18
MS = 1_000_000
SECOND = 1_000_000_000
FEE_STEP_E6 = 10  # fees are charged in steps of 1e-5 dollars

SIZE_MAX_E6 = 10**15  # a billion shares: far above any book, far below 64 bits


def check(name: str, number: int, low: int, high: int) -> int:
    """Returns `number`, or raises UnitError when it is outside [low, high]."""
    if not low <= number <= high:
        raise UnitError(name, number, low, high)
    return number


def notional_down(price_e4: int, size_e6: int) -> int:
    """Returns price x size in micro-dollars, rounded down."""
    return price_e4 * size_e6 // PRICE_ONE_E4


def notional_up(price_e4: int, size_e6: int) -> int:
    """Returns price x size in micro-dollars, rounded up."""
    return -(-price_e4 * size_e6 // PRICE_ONE_E4)


def floor_to(number: int, step: int) -> int:
    """Returns the largest multiple of `step` not above `number`."""
    return number // step * step


def parse_scaled(name: str, text: str, decimals: int) -> int:
    """Returns a decimal text as an integer scaled by 10**decimals, exactly.

    Raises:
        UnitError: not a plain decimal, or more significant decimals than the scale holds.
    """
    body = text[1:] if text[:1] == "-" else text
    whole, _, part = body.partition(".")
    part = part.rstrip("0") if len(part) > decimals else part
    if not (whole + part).isdecimal() or not (whole + part).isascii() or len(part) > decimals:
        raise UnitError(name, text, 0, 0)
    scaled = int((whole or "0") + part.ljust(decimals, "0"))
    return -scaled if text[:1] == "-" else scaled


def to_decimal_text(number: int, decimals: int) -> str:
    """Returns a scaled integer as a plain decimal without trailing zeros."""
    sign = "-" if number < 0 else ""
    digits = str(abs(number)).rjust(decimals + 1, "0")
    whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    part = part.rstrip("0")
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"
