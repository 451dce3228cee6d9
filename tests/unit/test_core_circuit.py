"""Circuits open after failures in a row, wait, and close by probes: one at a time."""

from __future__ import annotations

from itertools import product

import pytest

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.events import (
    AccountReport,
    AlertState,
    CancelResult,
    DiskState,
    FeedState,
    FeedStatus,
    HeartbeatResult,
)
from dailyarb.core.domain.ids import FeedId, Severity
from dailyarb.core.domain.records import BreakerMoved
from dailyarb.core.domain.rung import Mode, Rung, RungCause
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.domain.units import SECOND
from dailyarb.core.engine.channels import CHANNELS_MAX
from dailyarb.core.risk.circuit import (
    CIRCUIT_MOVES,
    CIRCUITS,
    ORDERS,
    Circuit,
    CircuitLimits,
    Circuits,
    CircuitState,
    Heard,
    Told,
)
from dailyarb.core.risk.limits import FEED_BREAKERS, circuit_limits
from tests.rig import Rig, birth, settings

S2_ONLY = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(resting=True))
WIDE = [(50, 500), (49, 500)], [(51, 500), (52, 500)]
CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


def at(seconds: float) -> Instant:
    """Returns a moment."""
    return Instant(round(seconds * SECOND), 0)


def circuit(failures: int = 5, open_s: int = 30, successes: int = 3) -> Circuit:
    """Returns the order path's circuit, closed."""
    return Circuit(CIRCUITS[0], CircuitLimits(failures, open_s * SECOND, successes))


def tell(found: Circuit, words: str, seconds: float) -> list[CircuitState]:
    """Tells answers, + or -, all at this moment; returns the states they led to."""
    changes = [found.hear(Told(w == "+", at(seconds).mono_ns, "why"), at(seconds)) for w in words]
    return [change.state for change in changes if change is not None]


def half_open() -> Circuit:
    """Returns a circuit that has waited 30 s."""
    found = circuit()
    tell(found, "-----", 1)
    found.tick(at(31))
    return found


def test_the_defaults_are_those_of_the_design() -> None:
    assert circuit_limits(settings()) == CircuitLimits(5, 30 * SECOND, 3)


def test_the_table_leaves_nothing_but_what_it_names() -> None:
    ignored = set(product(CircuitState, Heard)) - set(CIRCUIT_MOVES)
    assert ignored == {
        (CLOSED, Heard.WAITED), (HALF_OPEN, Heard.WAITED),
        (OPEN, Heard.SUCCESS), (OPEN, Heard.FAILURE),
    }  # fmt: skip


def test_five_failures_in_a_row_open_it_and_a_success_forgets_them() -> None:
    found = circuit()
    assert tell(found, "----+----", 1) == []
    assert tell(found, "-", 2) == [OPEN]
    assert (found.opened, found.cause, found.since.mono_ns) == (1, "why", 2 * SECOND)


def test_while_open_nothing_counts_until_the_time_has_passed() -> None:
    found = circuit()
    tell(found, "-----", 1)
    assert tell(found, "+++++-----", 20) == []
    assert found.tick(at(30.9)) is None
    change = found.tick(at(31))
    assert change is not None and change.state is HALF_OPEN
    assert found.wants_probe()


def test_three_successes_in_a_row_close_it() -> None:
    found = half_open()
    assert tell(found, "++", 32) == []
    assert tell(found, "+", 33) == [CLOSED]
    assert (found.count, found.cause) == (0, "")
    assert tell(found, "----", 34) == [], "and failures count anew"


@pytest.mark.parametrize("before", ["", "+", "++"])
def test_any_failure_in_half_open_opens_it_again(before: str) -> None:
    found = half_open()
    assert tell(found, before + "-", 32) == [OPEN]
    assert found.opened == 2
    assert found.tick(at(61)) is None
    assert found.tick(at(62)) is not None, "for the whole time"


def test_one_probe_at_a_time_and_one_unanswered_has_failed() -> None:
    found = half_open()
    assert found.wants_probe()
    found.probe_ns = at(32).mono_ns
    assert not found.wants_probe()
    assert found.tick(at(41)) is None
    tell(found, "+", 41)
    assert found.wants_probe(), "the next may leave once this one is answered"
    found.probe_ns = at(41).mono_ns
    change = found.tick(at(51))
    assert change is not None and change.state is OPEN
    assert change.reason == "the probe was not answered"


def test_an_answer_speaks_for_the_moment_of_its_question() -> None:
    found = half_open()
    late = Told(True, at(30).mono_ns)
    assert [found.hear(late, at(32)) for _ in range(3)] == [None] * 3
    assert found.state is HALF_OPEN and found.count == 0


def test_the_lowest_rung_of_all_that_are_not_closed_holds() -> None:
    every = Circuits(CircuitLimits(1, SECOND, 1))
    assert every.cap() == (Rung.FULL, "")
    every.by_name["disk"].hear(Told(False, 0), at(1))
    assert every.cap() == (Rung.HEDGE_ONLY, "disk")
    every.by_name[ORDERS].hear(Told(False, 0), at(1))
    assert every.cap() == (Rung.HALTED, ORDERS)
    every.by_name[ORDERS].tick(at(2))
    assert every.cap() == (Rung.HALTED, ORDERS), "half open is not closed"


def test_the_circuit_of_an_alert_channel_caps_nothing() -> None:
    every = Circuits(CircuitLimits(1, SECOND, 1))
    assert every.channel("mail") == every.channel("mail") == "alert.mail"
    every.by_name["alert.mail"].hear(Told(False, 0), at(1))
    assert every.cap() == (Rung.FULL, "")


def test_every_feed_has_a_circuit() -> None:
    assert set(FEED_BREAKERS.values()) < {rule.name for rule in CIRCUITS}
    assert all(rule.what and rule.probe and rule.remedy for rule in CIRCUITS)


# in the engine


@pytest.fixture
def quotes() -> Rig:
    """Gives a running engine with two resting quotes of S2."""
    rig = Rig(settings(S2_ONLY)).ready()
    rig.book(*WIDE)
    return rig


def lost(rig: Rig, times: int) -> None:
    """Leaves so many requests to the order path unanswered."""
    for _ in range(times):
        rig.feed(CancelResult(rig.clock.now().mono_ns, (), proven=False))


def beats(rig: Rig) -> list[cmd.Heartbeat]:
    """Returns the heartbeats that left."""
    return rig.all(cmd.Heartbeat)


def moved(rig: Rig) -> list[tuple[str, bool]]:
    """Returns the journalled changes of caps."""
    return [(r.breaker, r.tripped) for r in rig.records(BreakerMoved)]


def test_an_open_order_path_halts_at_once_and_cancels_still_go_out(quotes: Rig) -> None:
    before = len(quotes.all(cmd.CancelAll))
    lost(quotes, 4)
    assert quotes.state.rungs.overall()[0] is Rung.FULL
    lost(quotes, 1)
    assert quotes.state.rungs.overall() == (Rung.HALTED, RungCause.CIRCUIT, ORDERS)
    assert len(quotes.all(cmd.CancelAll)) == before + 1
    assert moved(quotes) == [("circuit.orders.pm", True)]
    assert quotes.state.alerts["circuit.orders.pm"].severity is Severity.CRITICAL


def test_the_order_path_is_probed_by_heartbeats_and_reconciled_before_it_trades() -> None:
    rig = Rig(settings(S2_ONLY)).ready()
    lost(rig, 5)
    rig.advance(29)
    assert not beats(rig), "nothing is live, so nothing beats while it is open"
    rig.advance(2)
    assert len(beats(rig)) == 1
    rig.advance(5)
    assert len(beats(rig)) == 1, "one probe at a time"
    for answered in (1, 2, 3):
        rig.feed(HeartbeatResult(beats(rig)[-1].asked_ns, ok=True))
        rig.advance(0.2)
        assert len(beats(rig)) == min(3, answered + 1)
    assert rig.state.circuits.by_name[ORDERS].state is CLOSED
    assert rig.state.rungs.overall() == (
        Rung.HALTED, RungCause.CIRCUIT, "orders.pm: reconciling",
    )  # fmt: skip
    asked = rig.all(cmd.QueryAccount)[-1].asked_ns
    rig.feed(AccountReport(asked, True, 1_000_000_000))
    rig.advance(0.2)
    assert rig.state.rungs.overall()[0] is Rung.FULL
    assert moved(rig) == [("circuit.orders.pm", True), ("circuit.orders.pm", False)]


def test_a_path_that_was_down_for_long_is_well_again_once_it_has_proven_itself() -> None:
    rig = Rig(settings(S2_ONLY)).ready()
    for _ in range(20):  # as the shell reports while no connection lives
        rig.feed(HeartbeatResult(rig.clock.now().mono_ns, ok=False))
        rig.advance(1.0)
    assert rig.state.breakers.by_name["health.pm"].tripped
    rig.advance(15)
    for _ in range(3):
        rig.feed(HeartbeatResult(beats(rig)[-1].asked_ns, ok=True))
        rig.advance(0.2)
    rig.feed(AccountReport(rig.all(cmd.QueryAccount)[-1].asked_ns, True, 1_000_000_000))
    rig.advance(6)
    assert rig.state.rungs.overall()[0] is Rung.FULL


def test_a_probe_waits_for_the_heartbeat_that_is_out(quotes: Rig) -> None:
    quotes.advance(0.2)
    assert len(beats(quotes)) == 1, "quotes are live"
    lost(quotes, 5)
    quotes.state.circuits.by_name[ORDERS].since = Instant(
        quotes.clock.now().mono_ns - 30 * SECOND, 0
    )
    quotes.advance(5)
    assert len(beats(quotes)) == 1, "the shell would drop another, and its answer never come"
    quotes.advance(6)
    assert len(beats(quotes)) == 2, "one without an answer for 10 s is given up"


def test_a_probe_that_fails_opens_the_path_again() -> None:
    rig = Rig(settings(S2_ONLY)).ready()
    lost(rig, 5)
    rig.advance(31)
    rig.feed(HeartbeatResult(beats(rig)[-1].asked_ns, ok=False))
    path = rig.state.circuits.by_name[ORDERS]
    assert (path.state, path.opened, path.cause) == (OPEN, 2, "heartbeat unanswered")
    rig.advance(31)
    rig.advance(11)
    assert (path.state, path.opened) == (OPEN, 3), "no answer is a failure too"


def test_a_paper_engine_probes_its_own_path_too() -> None:
    rig = Rig(settings(S2_ONLY), who=birth(mode=Mode.PAPER)).ready()
    lost(rig, 5)
    rig.advance(31)
    assert len(beats(rig)) == 1


def test_a_feed_that_stays_down_opens_its_circuit_and_holds_entries_back() -> None:
    rig = Rig(settings(S2_ONLY)).ready()

    def report(status: FeedStatus) -> None:
        rig.feed(FeedState(FeedId.SETTLEMENT, status, 1, 2, 0, 1.0))
        rig.advance(1.0)

    for _ in range(5):
        report(FeedStatus.DOWN)
    state = rig.state
    assert state.circuits.by_name["feed.settle"].state is OPEN
    for _ in range(29):
        report(FeedStatus.FRESH)
    assert not state.breakers.by_name["feed.settle"].tripped
    assert state.rungs.overall() == (Rung.HEDGE_ONLY, RungCause.CIRCUIT, "feed.settle")
    for _ in range(5):
        report(FeedStatus.FRESH)
    assert state.rungs.overall()[0] is Rung.FULL


def test_the_disk_has_a_circuit_and_a_very_late_sync_halts(quotes: Rig) -> None:
    for _ in range(5):
        quotes.feed(DiskState(1_500, 100))
    assert quotes.state.circuits.by_name["disk"].state is OPEN
    assert quotes.state.rungs.overall()[0] is Rung.HEDGE_ONLY
    quotes.feed(DiskState(5_001, 100))
    assert quotes.state.rungs.overall() == (Rung.HALTED, RungCause.BREAKER, "journal.stuck")
    quotes.feed(DiskState(10, 100, "input/output error"))
    assert quotes.state.circuits.by_name["disk"].state is OPEN


def test_a_dead_alert_channel_is_shown_and_caps_nothing(quotes: Rig) -> None:
    for _ in range(5):
        quotes.feed(AlertState("mail", False, detail="refused"))
    found = quotes.state.circuits.by_name["alert.mail"]
    assert (found.state, found.cause) == (OPEN, "refused")
    assert quotes.state.rungs.overall()[0] is Rung.FULL
    for i in range(CHANNELS_MAX + 1):
        quotes.feed(AlertState(f"c{i}", False))
    assert len(quotes.state.circuits.by_name) == len(CIRCUITS) - 1 + CHANNELS_MAX


def test_refusals_of_a_restarting_venue_leave_its_circuit_closed() -> None:
    """What refuses in words works as a path; its mode has a cap of its own (F60)."""
    rig = Rig(settings(S2_ONLY)).ready()
    for _ in range(20):
        now_ns = rig.clock.now().mono_ns
        rig.feed(CancelResult(now_ns, (), proven=False, refused="RESTARTING"))
        rig.feed(HeartbeatResult(now_ns, False, "RESTARTING"))
        rig.advance(0.1)
    assert rig.state.circuits.by_name[ORDERS].state is CircuitState.CLOSED
    assert "heartbeat" in rig.state.alerts
