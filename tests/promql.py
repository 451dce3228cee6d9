"""A small evaluator of PromQL: as much of it as our rules and dashboard use.

Instant vectors, ranges, `rate`, `increase`, `histogram_quantile`, aggregation by labels, `abs`,
`absent`, `clamp_min`, arithmetic, filtering comparisons, `and`, `unless`, `or`. A function or a
form beyond that is an error, never a guess. `rate` is the increase between the first and the last
sample of the range over their distance; where real Prometheus is at hand, a test compares both.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Labels = tuple[tuple[str, str], ...]  # sorted, without the name
Vector = dict[Labels, float]
Value = Vector | float
Series = dict[Labels, list[tuple[float, float]]]  # (seconds, number), oldest first

_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w:]))"
    r"|(?P<span>\d+[smhd])|(?P<name>[A-Za-z_:][\w:]*)|(?P<sign>==|!=|>=|<=|=~|!~|[-+*/><=(){}\[\],]))"
)
_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
    ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul,
    "/": lambda a, b: a / b if b else math.nan if not a else math.copysign(math.inf, a),
}  # fmt: skip
_FOLDS: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": math.fsum, "max": max, "min": min, "count": lambda rows: float(len(rows)),
}  # fmt: skip
_LEVELS = (("or",), ("and", "unless"), tuple(_COMPARE), ("+", "-"), ("*", "/"))


def read_scrape(text: str, **target: str) -> dict[str, Vector]:
    """Returns the samples of one scrape by metric name, with the target's labels added."""
    found: dict[str, Vector] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        series, _, number = line.rpartition(" ")
        name, _, inner = series.rstrip("}").partition("{")
        pairs = re.findall(r"([a-z_]+)=\"((?:[^\"\\]|\\.)*)\"", inner)
        labels = tuple(sorted({**target, **dict(pairs)}.items()))
        rows = found.setdefault(name, {})
        assert labels not in rows, f"{line}: told twice"
        rows[labels] = float(number)
    return found


@dataclass
class History:
    """Is what was scraped, and when."""

    scrapes: list[tuple[float, dict[str, Vector]]] = field(default_factory=list)
    stale_s: float = 300.0

    def series(self, name: str, before_s: float, span_s: float) -> Series:
        """Returns the samples of a metric within a range."""
        found: Series = {}
        for at_s, scrape in self.scrapes:
            if before_s - span_s <= at_s <= before_s:
                for labels, number in scrape.get(name, {}).items():
                    found.setdefault(labels, []).append((at_s, number))
        return found


class Query:
    """Is one expression, read once and asked for its value at any moment.

    Attributes:
        names: the metrics it asks for.
    """

    def __init__(self, text: str) -> None:
        self.names: set[str] = set()
        self._tokens = list(_tokens(text))
        self._at = 0
        self._root = self._binary(0)
        assert self._at == len(self._tokens), f"{text}: more than an expression"

    def value(self, history: History, at_s: float) -> Value:
        """Returns the value at a moment."""
        return self._root(history, at_s)

    # reading

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> str:
        token = self._peek()
        assert token and wanted in ("", token), f"{token!r} where {wanted!r} should be"
        self._at += 1
        return token

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._peek() in _LEVELS[level]:
            left = _joined(self._take(), left, self._binary(level + 1))
        return left

    def _unary(self) -> Node:
        if self._peek() != "-":
            return self._primary()
        self._take()
        inner = self._unary()
        return lambda history, at_s: _mapped(inner(history, at_s), operator.neg)

    def _primary(self) -> Node:
        token = self._take()
        if token == "(":
            inner = self._binary(0)
            self._take(")")
            return inner
        if re.match(r"\d", token):
            number = float(token)
            return lambda history, at_s: number
        if token in _FOLDS:
            return self._fold(token)
        if self._peek() == "(":
            return self._call(token)
        return self._selector(token)

    def _fold(self, name: str) -> Node:
        by: list[str] = []
        if self._peek() == "by":
            self._take()
            by = self._list()
        self._take("(")
        inner = self._binary(0)
        self._take(")")
        if self._peek() == "by":
            self._take()
            by = self._list()

        def run(history: History, at_s: float) -> Value:
            groups: dict[Labels, list[float]] = {}
            for labels, number in _vector(inner(history, at_s)).items():
                kept = tuple(pair for pair in labels if pair[0] in by)
                groups.setdefault(kept, []).append(number)
            return {labels: _FOLDS[name](rows) for labels, rows in groups.items()}

        return run

    def _list(self) -> list[str]:
        self._take("(")
        names = []
        while self._peek() != ")":
            names.append(self._take())
            if self._peek() == ",":
                self._take()
        self._take(")")
        return names

    def _call(self, name: str) -> Node:
        self._take("(")
        inside: list[Node] = []
        while self._peek() != ")":
            inside.append(self._binary(0))
            if self._peek() == ",":
                self._take()
        self._take(")")
        return _CALLS[name](*inside)

    def _selector(self, name: str) -> Node:
        self.names.add(name)
        wanted: list[tuple[str, str, str]] = []
        if self._peek() == "{":
            self._take()
            while self._peek() != "}":
                wanted.append((self._take(), self._take(), self._take()[1:-1]))
                if self._peek() == ",":
                    self._take()
            self._take("}")
        span_s = None
        if self._peek() == "[":
            self._take()
            token = self._take()
            span_s = float(token[:-1]) * _SPANS[token[-1]]
            self._take("]")
        return _Selected(name, tuple(wanted), span_s)


Node = Callable[[History, float], Value]


@dataclass(frozen=True)
class _Selected:
    """Selects a metric: its newest samples, or those of a range for a function."""

    name: str
    wanted: tuple[tuple[str, str, str], ...]
    span_s: float | None

    def __call__(self, history: History, at_s: float) -> Value:
        assert self.span_s is None, f"{self.name}: a range outside a function"
        found = history.series(self.name, at_s, history.stale_s)
        return {labels: rows[-1][1] for labels, rows in found.items() if self._fits(labels)}

    def range(self, history: History, at_s: float) -> Series:
        """Returns the samples of the range."""
        assert self.span_s is not None, f"{self.name}: a function without a range"
        found = history.series(self.name, at_s, self.span_s)
        return {labels: rows for labels, rows in found.items() if self._fits(labels)}

    def _fits(self, labels: Labels) -> bool:
        have = dict(labels)
        for name, sign, text in self.wanted:
            value = have.get(name, "")
            fits = re.fullmatch(text, value) is not None if "~" in sign else value == text
            if fits is sign.startswith("!"):
                return False
        return True


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        assert found, f"{text[at:]!r} is not understood"
        at = found.end()
        yield found.group().strip()


def _vector(value: Value) -> Vector:
    assert isinstance(value, dict), "a number where a vector should be"
    return value


def _mapped(value: Value, do: Callable[[float], float]) -> Value:
    if isinstance(value, dict):
        return {labels: do(number) for labels, number in value.items()}
    return do(value)


def _joined(sign: str, left: Node, right: Node) -> Node:
    def run(history: History, at_s: float) -> Value:
        one, two = left(history, at_s), right(history, at_s)
        if sign in ("and", "unless", "or"):
            return _sets(sign, _vector(one), _vector(two))
        if sign in _ARITHMETIC:
            return _pairs(one, two, _ARITHMETIC[sign])
        kept = _pairs(one, two, lambda a, b: float(_COMPARE[sign](a, b)))
        assert isinstance(kept, dict), "a comparison of two numbers"
        base = _vector(one if isinstance(one, dict) else two)
        return {labels: base[labels] for labels, holds in kept.items() if holds}

    return run


def _sets(sign: str, one: Vector, two: Vector) -> Vector:
    if sign == "or":
        return {**two, **one}
    return {labels: n for labels, n in one.items() if (labels in two) is (sign == "and")}


def _pairs(one: Value, two: Value, do: Callable[[float, float], float]) -> Value:
    if isinstance(one, dict) and isinstance(two, dict):
        return {labels: do(number, two[labels]) for labels, number in one.items() if labels in two}
    if isinstance(one, dict):
        return _mapped(one, lambda number: do(number, two))  # type: ignore[arg-type]
    if isinstance(two, dict):
        return _mapped(two, lambda number: do(one, number))
    return do(one, two)


def _grown(rows: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Returns how much a counter grew, resets counted from zero, and over how many seconds."""
    points = list(rows)
    grown = sum(new - old if new >= old else new for (_, old), (_, new) in pairwise(points))
    return grown, points[-1][0] - points[0][0]


def _rate(inner: Node, *, whole: bool) -> Node:
    assert isinstance(inner, _Selected)

    def run(history: History, at_s: float) -> Value:
        found = {}
        for labels, rows in inner.range(history, at_s).items():
            grown, seconds = _grown(rows)
            if seconds:
                found[labels] = grown / seconds * ((inner.span_s or 0.0) if whole else 1.0)
        return found

    return run


def _histogram_quantile(quantile: Node, inner: Node) -> Node:
    def run(history: History, at_s: float) -> Value:
        part = quantile(history, at_s)
        assert isinstance(part, float)
        groups: dict[Labels, list[tuple[float, float]]] = {}
        for labels, number in _vector(inner(history, at_s)).items():
            rest = tuple(pair for pair in labels if pair[0] != "le")
            groups.setdefault(rest, []).append((float(dict(labels)["le"]), number))
        return {labels: _quantile(part, sorted(rows)) for labels, rows in groups.items()}

    return run


def _quantile(part: float, rows: list[tuple[float, float]]) -> float:
    total = rows[-1][1]
    if not total:
        return math.nan
    rank, low, before = part * total, 0.0, 0.0
    for bound, count in rows:
        if count >= rank:
            if math.isinf(bound):
                return low
            return low + (bound - low) * (rank - before) / (count - before)
        low, before = bound, count
    return low


def _absent(inner: Node) -> Node:
    return lambda history, at_s: {} if _vector(inner(history, at_s)) else {(): 1.0}


def _clamp_min(inner: Node, least: Node) -> Node:
    def run(history: History, at_s: float) -> Value:
        floor = least(history, at_s)
        assert isinstance(floor, float)
        return _mapped(inner(history, at_s), lambda number: max(number, floor))

    return run


_CALLS: dict[str, Callable[..., Node]] = {
    "abs": lambda inner: lambda history, at_s: _mapped(inner(history, at_s), abs),
    "absent": _absent,
    "clamp_min": _clamp_min,
    "histogram_quantile": _histogram_quantile,
    "increase": lambda inner: _rate(inner, whole=True),
    "rate": lambda inner: _rate(inner, whole=False),
}
