"""Pure-Python twin of the Binance decoder, on the stdlib json."""

from __future__ import annotations

from typing import Any

from tests.oracles.json_frames import LONE, Constant, OracleFault, Pairs, fixed, load, text

PRICE_MOST, SIZE_MOST, ID_MOST, TIME_MOST_MS = 10**17, 10**18, 10**18, 9 * 10**12


def decode(frame: bytes, micros: bool = False) -> tuple[Any, ...]:
    """Returns what a frame says, as `BinanceDecoder.decode`."""
    tree = load(frame)
    if not isinstance(tree, Pairs):
        raise OracleFault("type")
    if "data" not in tree.names():
        return message(tree, micros)
    inner = tree.only("data")
    return message(inner, micros) if isinstance(inner, Pairs) else ("IGNORED", "")


def message(item: Pairs, micros: bool) -> tuple[Any, ...]:
    """Returns what the inner object says."""
    names = item.names()
    if "e" not in names:
        if names & {"u", "B", "A"}:
            return quote(item)
        return answer(item) if "id" in names else ("IGNORED", "")
    kind = text(item.only("e"))
    if kind == "trade":
        return trade(item, micros)
    if kind == "aggTrade":
        return aggregate(item, micros)
    if kind == "depthUpdate":
        return depth(item, micros)
    if kind == "serverShutdown":
        return ("SHUTDOWN", time_ns(item.only("E"), micros))
    return ("IGNORED", kind)


def time_ns(value: object, micros: bool) -> int:
    """Returns a stamp in nanoseconds."""
    if micros:
        return fixed(value, 0, TIME_MOST_MS * 1000) * 1000
    return fixed(value, 0, TIME_MOST_MS) * 1_000_000


def quote(item: Pairs) -> tuple[Any, ...]:
    """Returns a bookTicker."""
    return (
        "QUOTE",
        fixed(item.only("u"), 0, ID_MOST),
        text(item.only("s")),
        fixed(item.only("b"), 8, PRICE_MOST),
        fixed(item.only("B"), 8, SIZE_MOST),
        fixed(item.only("a"), 8, PRICE_MOST),
        fixed(item.only("A"), 8, SIZE_MOST),
    )


def boolean(value: object) -> bool:
    """Returns a JSON boolean; anything else is a fault."""
    if not isinstance(value, bool):
        raise OracleFault("type")
    return value


def trade(item: Pairs, micros: bool) -> tuple[Any, ...]:
    """Returns a trade."""
    return (
        "TRADE",
        text(item.only("s")),
        fixed(item.only("t"), 0, ID_MOST),
        fixed(item.only("p"), 8, PRICE_MOST),
        fixed(item.only("q"), 8, SIZE_MOST),
        time_ns(item.only("T"), micros),
        time_ns(item.only("E"), micros),
        boolean(item.only("m")),
    )


def aggregate(item: Pairs, micros: bool) -> tuple[Any, ...]:
    """Returns an aggregate trade."""
    return (
        "AGG",
        text(item.only("s")),
        fixed(item.only("a"), 0, ID_MOST),
        fixed(item.only("p"), 8, PRICE_MOST),
        fixed(item.only("q"), 8, SIZE_MOST),
        fixed(item.only("f"), 0, ID_MOST),
        fixed(item.only("l"), 0, ID_MOST),
        time_ns(item.only("T"), micros),
        time_ns(item.only("E"), micros),
        boolean(item.only("m")),
    )


def levels(value: object) -> list[tuple[int, int]]:
    """Returns price and size of each level."""
    if isinstance(value, Pairs) or not isinstance(value, list):
        raise OracleFault("type")
    out = []
    for pair in value:
        if isinstance(pair, Pairs) or not isinstance(pair, list) or len(pair) != 2:
            raise OracleFault("type")
        out.append((fixed(pair[0], 8, PRICE_MOST), fixed(pair[1], 8, SIZE_MOST)))
    return out


def depth(item: Pairs, micros: bool) -> tuple[Any, ...]:
    """Returns a diff depth."""
    return (
        "DEPTH",
        text(item.only("s")),
        fixed(item.only("U"), 0, ID_MOST),
        fixed(item.only("u"), 0, ID_MOST),
        time_ns(item.only("E"), micros),
        levels(item.only("b")),
        levels(item.only("a")),
    )


def answer(item: Pairs) -> tuple[Any, ...]:
    """Returns the answer to a command; its id is told as text."""
    value = item.only("id")
    told = LONE.sub("\ufffd", value) if isinstance(value, str) else ""
    if isinstance(value, Constant):
        told = ""
    if item.names() & {"code", "error"}:
        return ("ERROR", told)
    if "result" not in item.names():
        raise OracleFault("missing")
    return ("RESULT", told)
