"""Whatever fills come, a pair closes or says that it is stuck, and crosses only alone (I7)."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from dailyarb.core.book.book import Top
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.units import MS
from dailyarb.core.execution.pairs import Moved, Pairs, PairStep, PairView
from tests.rig import spec
from tests.unit.test_core_pairs import Levels

SHARE = 1_000_000
WAIT_MS = 50
MAX_LOSS_E6 = 3_000_000
PRICE_E4 = 4_900
outcomes = st.sampled_from(list(Outcome))


class PairMachine(RuleBasedStateMachine):
    """Two resting bids of 20 shares, fills as they come, cancels that are answered or not."""

    @initialize(mid=st.integers(500, 9_400), size=st.integers(0, 40))
    def begin(self, mid: int, size: int) -> None:
        """Opens one pair."""
        self.pairs = Pairs(MAX_LOSS_E6)
        self.ms = 1_000
        self.pair = self.pairs.start(1, "0xm", StrategyId.S2, 200, WAIT_MS * MS, self.ms * MS)
        self.left = dict.fromkeys(Outcome, 20 * SHARE)
        self.bought = dict.fromkeys(Outcome, 0)
        self.sold = dict.fromkeys(Outcome, 0)
        self.live = {o.value: o for o in Outcome}
        self.exit: tuple[Outcome, Side, int, int] | None = None
        self.last = PairStep()
        self.market(mid, size)

    @rule(mid=st.integers(500, 9_400), size=st.integers(0, 40))
    def market(self, mid: int, size: int) -> None:
        """The touch moves."""
        mid = mid // 100 * 100
        self.up = Top(mid, size * SHARE, mid + 100, size * SHARE)

    @rule(outcome=outcomes, shares=st.integers(1, 20))
    def fill(self, outcome: Outcome, shares: int) -> None:
        """A resting bid fills, in part or in whole."""
        size = min(shares * SHARE, self.left[outcome])
        if outcome.value not in self.live or not size:
            return
        self.left[outcome] -= size
        self.bought[outcome] += size
        cash = -PRICE_E4 * size // 10_000
        self.pairs.fill(1, Moved(outcome, Side.BUY, size, cash, 0), self.ms * MS)
        if not self.left[outcome]:
            del self.live[outcome.value]

    @rule(outcome=outcomes)
    def gone(self, outcome: Outcome) -> None:
        """A bid is proven cancelled or refused."""
        self.live.pop(outcome.value, None)

    @rule(ms=st.sampled_from([1, 20, 60, 500]))
    def pass_time(self, ms: int) -> None:
        """Time passes and the pair takes its step."""
        self.ms += ms
        if 1 not in self.pairs.open or self.exit is not None:
            return
        seen = PairView(
            spec(), Levels(self.up),
            self.bought[Outcome.UP] - self.sold[Outcome.UP],
            self.bought[Outcome.DOWN] - self.sold[Outcome.DOWN],
            tuple(self.live), False, tuple(self.live),
        )  # fmt: skip
        self.last = self.pairs.step(self.pair, seen, self.ms * MS)
        self._check(self.last)

    def _check(self, step: PairStep) -> None:
        if step.intent is not None:
            assert not self.live, "nothing crosses before the partner is proven gone"
            [leg] = step.intent.legs
            assert leg.size_e6 <= abs(self.pair.excess_e6)
            self.exit = (leg.outcome, leg.side, leg.price_e4, leg.size_e6)
        if step.closed is not None:
            assert not self.live
            dust = abs(step.closed.up_e6 - step.closed.down_e6)
            assert dust < spec().grid.min_size_e6
            assert 1 not in self.pairs.open

    @precondition(lambda self: self.exit is not None)
    @rule(part=st.sampled_from([0, 1, 2]))
    def exit_answered(self, part: int) -> None:
        """The exit fills not at all, in half, or in whole."""
        assert self.exit is not None
        outcome, side, price, size = self.exit
        self.exit = None
        filled = size * part // 2 // 10_000 * 10_000
        if not filled:
            return
        sign = -1 if side is Side.BUY else 1
        cash = sign * price * filled // 10_000
        (self.bought if side is Side.BUY else self.sold)[outcome] += filled
        self.pairs.fill(1, Moved(outcome, side, filled, cash, 0), self.ms * MS)

    @invariant()
    def naked_never_exceeds_what_was_filled(self) -> None:
        """Unmatched shares are what the fills say, and no more than one side bought."""
        if not hasattr(self, "pair") or 1 not in self.pairs.open:
            return
        net = {o: self.bought[o] - self.sold[o] for o in Outcome}
        assert self.pair.excess_e6 == net[Outcome.UP] - net[Outcome.DOWN]
        assert self.pairs.naked_e6() <= max(self.bought.values())

    @invariant()
    def the_pair_loses_at_most_its_limit(self) -> None:
        """Cash and matched dollars, with what stays unmatched at its cost."""
        if not hasattr(self, "pair"):
            return
        pair = self.pair
        matched = min(pair.up.net_e6, pair.down.net_e6)
        long = pair.up if pair.excess_e6 > 0 else pair.down
        rest = long.cost_e6(abs(pair.excess_e6))
        slack = 10  # micro-dollars of rounding
        assert pair.up.cash_e6 + pair.down.cash_e6 + matched + rest >= -MAX_LOSS_E6 - slack

    def teardown(self) -> None:
        """In the end it closes, or says that it is stuck."""
        if not hasattr(self, "pair"):
            return
        self.live.clear()
        self.exit = None
        for _ in range(20):
            self.pass_time(500)
            if 1 not in self.pairs.open or self.last.stuck:
                return
            if self.exit is not None:
                self.exit_answered(2)
        raise AssertionError("neither closed nor stuck")


TestPairs = PairMachine.TestCase
TestPairs.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
