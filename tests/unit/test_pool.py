"""The pool's policy: when connections are dialled, doubted, replaced and given up."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from dailyarb.venues.pool import (
    SECOND_NS,
    Action,
    Degrade,
    Dial,
    Drop,
    Pool,
    PoolSettings,
    Rung,
    TokenBucket,
    TokenLadder,
    Witness,
)

S = SECOND_NS


def make(endpoints: int = 1, **changes: object) -> Pool:
    bucket = TokenBucket(300, 300 * S)
    return Pool(PoolSettings(**changes), endpoints, random.Random(1), bucket)  # type: ignore[arg-type]


def dials(actions: list[Action]) -> list[Dial]:
    return [action for action in actions if isinstance(action, Dial)]


def drops(actions: list[Action]) -> list[str]:
    return [action.why for action in actions if isinstance(action, Drop)]


def opened(pool: Pool, now: int = 0) -> list[int]:
    """Opens what the pool wants and gives each connection its first content."""
    conns = [dial.conn for dial in dials(pool.step(now))]
    for conn in conns:
        pool.opened(conn, now)
        pool.content(conn, now + 1)
    return conns


def test_connections_spread_over_the_endpoints() -> None:
    pool = make(endpoints=3, wanted=2)
    assert [dial.endpoint for dial in dials(pool.step(0))] == [0, 1]
    assert pool.step(0) == []


def test_a_cut_connection_is_replaced_in_the_same_step() -> None:
    pool = make(wanted=2)
    first, second = opened(pool)
    now = 10 * S
    pool.content(first, now)
    pool.content(second, now)
    pool.lost(first, now)
    assert len(dials(pool.step(now))) == 1


def test_repeated_failures_back_off_with_full_jitter_up_to_the_ceiling() -> None:
    pool = make(wanted=1, backoff_min_ns=S, backoff_max_ns=8 * S)
    now, waits = 0, []
    for _ in range(12):
        actions = pool.step(now)
        while not dials(actions):
            due = pool.next_deadline(now)
            assert due > now
            waits.append(due - now)
            now = due
            actions = pool.step(now)
        pool.lost(dials(actions)[0].conn, now)
    assert all(wait <= 8 * S for wait in waits)
    assert max(waits) > 2 * S and len(set(waits)) == len(waits)


def test_a_loop_of_short_lives_counts_as_failing() -> None:
    """Open, one message, cut: the endpoint is not stable, so the dials slow down (F04)."""
    pool = make(wanted=1)
    now, attempts = 0, 0
    while now < 60 * S:
        for dial in dials(pool.step(now)):
            attempts += 1
            pool.opened(dial.conn, now)
            pool.content(dial.conn, now + 1)
            pool.lost(dial.conn, now + 2)
        now = max(now + 1_000_000, min(pool.next_deadline(now), 60 * S))
    assert 3 <= attempts < 40


def test_a_stable_connection_clears_the_count() -> None:
    pool = make(wanted=1, stable_ns=S)
    for now in (0, 100 * S, 200 * S):
        (conn,) = opened(pool, now)
        pool.content(conn, now + 2 * S)
        pool.lost(conn, now + 2 * S)
        assert pool.next_deadline(now + 2 * S) == now + 2 * S, "redialled at once each time"


def test_the_healthiest_endpoint_is_dialled_first() -> None:
    pool = make(endpoints=2, wanted=1, stable_ns=S)
    (first,) = dials(pool.step(0))
    pool.lost(first.conn, 0)
    assert pool.scores == (0.5, 1.0)
    (second,) = dials(pool.step(0))
    assert second.endpoint == 1
    pool.opened(second.conn, 0)
    for now in (1, S, 2 * S, 3 * S):
        pool.content(second.conn, now)
    pool.lost(second.conn, 3 * S)
    assert pool.scores == (0.5, 0.5)
    (third,) = opened(pool, 10 * S)
    pool.content(third, 12 * S)
    assert pool.scores == (0.75, 0.5), "half way back after a stable time"


def test_retry_after_is_honoured() -> None:
    pool = make(wanted=1)
    (dial,) = dials(pool.step(0))
    pool.lost(dial.conn, 0, retry_after_s=7.0)
    assert pool.step(6 * S) == []
    assert len(dials(pool.step(7 * S))) == 1


def test_one_bucket_bounds_the_attempts_of_all_pools() -> None:
    bucket = TokenBucket(10, 60 * S)
    pools = [
        Pool(PoolSettings(wanted=2, backoff_max_ns=1), 1, random.Random(i), bucket)
        for i in range(4)
    ]
    attempts = 0
    for now in range(0, 60 * S, S // 10):
        for pool in pools:
            for dial in dials(pool.step(now)):
                attempts += 1
                pool.lost(dial.conn, now)
    assert attempts <= 20


def test_silent_beside_a_flowing_one_is_dropped_and_replaced() -> None:
    pool = make(wanted=2, silence_ns=3 * S)
    _, second = opened(pool)
    for now in range(1, 6):
        pool.content(second, now * S)
        actions = pool.step(now * S)
        if now == 4:
            break
        assert actions == []
    assert drops(actions) == ["silent while another flows"]
    assert len(dials(actions)) == 1


def test_the_first_frame_after_a_quiet_time_dooms_nobody() -> None:
    """It reaches one connection before the other; only going on without it is proof."""
    pool = make(wanted=2, silence_ns=3 * S, witnessed=True)
    first, second = opened(pool)
    pool.content(second, 60 * S)
    assert pool.step(60 * S) == []
    pool.content(first, 60 * S + 2_000_000)
    assert pool.step(61 * S) == []
    pool.content(first, 62 * S)
    assert pool.step(62 * S) == []
    pool.content(first, 64 * S)
    assert drops(pool.step(64 * S)) == ["silent while another flows"]


def test_all_silent_is_asked_about_before_it_is_doubted() -> None:
    pool = make(wanted=2, silence_ns=3 * S, witnessed=True)
    opened(pool)
    assert pool.step(4 * S) == [Witness()]
    assert pool.step(5 * S) == [], "asked once"
    assert pool.witness(True, 5 * S) == []
    assert pool.step(7 * S) == [], "a quiet market"
    assert pool.step(8 * S) == [Witness()], "asked again"
    actions = pool.witness(False, 8 * S)
    assert len(drops(actions)) == 2
    assert pool.alive == 0
    assert dials(pool.step(pool.next_deadline(8 * S)))


def test_no_answer_of_the_witness_proves_nothing() -> None:
    pool = make(wanted=1, silence_ns=S, witnessed=True)
    opened(pool)
    assert pool.step(2 * S) == [Witness()]
    assert pool.witness(None, 2 * S) == []
    assert pool.alive == 1


def test_the_third_time_wrong_in_ten_minutes_degrades() -> None:
    pool = make(wanted=1, silence_ns=S, witnessed=True)
    found: list[Action] = []
    for now in (0, 100 * S, 200 * S):
        opened(pool, now)
        assert Witness() in pool.step(now + 2 * S)
        found = pool.witness(False, now + 2 * S)
        pool.step(now + 50 * S)
        pool._conns.clear()
        assert any(isinstance(action, Degrade) for action in found) == (now == 200 * S)


def test_without_a_witness_silence_ends_the_connections() -> None:
    pool = make(wanted=2, silence_ns=S)
    opened(pool)
    assert drops(pool.step(2 * S)) == ["silent", "silent"]


def test_a_connection_without_its_first_message_is_dropped() -> None:
    pool = make(wanted=1)
    (dial,) = dials(pool.step(0))
    pool.opened(dial.conn, 0)
    assert pool.next_deadline(0) == 5 * S
    assert drops(pool.step(5 * S)) == ["no first message"]


def test_nothing_subscribed_means_nothing_is_silent() -> None:
    pool = make(wanted=1, silence_ns=S)
    pool.expecting = False
    (dial,) = dials(pool.step(0))
    pool.opened(dial.conn, 0)
    assert pool.step(100 * S) == []


def test_old_connections_are_replaced_before_they_are_dropped() -> None:
    hour = 3_600 * S
    pool = make(wanted=2, lifetime_ns=23 * hour, lifetime_jitter_ns=hour, silence_ns=100 * hour)
    first, second = opened(pool)
    deaths = sorted(found.dies_ns for found in pool._conns.values())
    assert 22 * hour <= deaths[0] < deaths[1] <= 23 * hour, "never all at once"
    (dial,) = dials(pool.step(deaths[0]))
    assert pool.alive == 2, "make before break"
    pool.opened(dial.conn, deaths[0])
    assert pool.step(deaths[0] + 1) == [], "open is not enough: content first"
    pool.content(dial.conn, deaths[0] + 2)
    assert drops(pool.step(deaths[0] + 2)) == ["its lifetime is over"]
    assert pool.reconnects == 0
    assert {first, second} & set(pool._conns)


def test_fewer_wanted_drops_the_surplus() -> None:
    pool = make(wanted=2)
    opened(pool)
    pool.wanted = 0
    assert drops(pool.step(S)) == ["one too many", "one too many"]


_steps = st.lists(
    st.tuples(
        st.sampled_from(["open", "content", "lost", "witness", "replace", "wait"]),
        st.integers(0, 5),
        st.integers(0, 4 * S),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(_steps, st.booleans(), st.integers(1, 3), st.integers(1, 3))
def test_the_pool_never_overshoots_nor_forgets(
    steps: list[tuple[str, int, int]], witnessed: bool, wanted: int, endpoints: int
) -> None:
    """Any history: as many connections as wanted, plus those leaving; each ends once.

    And the deadline is honest: between a step and its deadline a step has nothing to do.
    """
    pool = make(endpoints=endpoints, wanted=wanted, witnessed=witnessed, lifetime_ns=30 * S,
                lifetime_jitter_ns=S)  # fmt: skip
    now, known, ended = 0, set[int](), set[int]()

    def take(actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Dial):
                assert action.conn not in known
                assert 0 <= action.endpoint < endpoints
                known.add(action.conn)
            elif isinstance(action, Drop):
                assert action.conn in known and action.conn not in ended
                ended.add(action.conn)

    for verb, which, wait in steps:
        now += wait
        take(pool.step(now))
        alive = sorted(known - ended)
        conn = alive[which % len(alive)] if alive else -1
        if verb == "open":
            pool.opened(conn, now)
        elif verb == "content":
            pool.content(conn, now)
        elif verb == "lost" and alive:
            pool.lost(conn, now)
            ended.add(conn)
        elif verb == "witness":
            take(pool.witness([True, False, None][which % 3], now))
        elif verb == "replace":
            pool.replace(conn, "test")
        take(pool.step(now))
        staying = [found for found in pool._conns.values() if not found.leaving]
        assert len(staying) <= wanted
        assert set(pool._conns) == known - ended
        due = pool.next_deadline(now)
        assert due >= now
        if due > now + 1:
            before = dict(pool._conns)
            assert pool.step(due - 1) == []
            assert pool._conns == before


def test_a_silent_token_is_resubscribed_three_times_then_moved() -> None:
    ladder = TokenLadder(wait_ns=5 * S, tries_max=3)
    ladder.watch("t", 0)
    found = [ladder.silent("t", now * S) for now in range(22)]
    acts = [(now, rung) for now, rung in enumerate(found) if rung is not Rung.WAIT]
    assert acts == [
        (5, Rung.RESUBSCRIBE),
        (10, Rung.RESUBSCRIBE),
        (15, Rung.RESUBSCRIBE),
        (20, Rung.MOVE),
    ]
    ladder.fresh("t", 21 * S)
    assert ladder.silent("t", 25 * S) is Rung.WAIT
    ladder.keep([])
    assert ladder.silent("t", 26 * S) is Rung.WAIT


@given(st.lists(st.integers(0, S), max_size=100))
def test_a_bucket_never_gives_more_than_its_rate(gaps: list[int]) -> None:
    bucket = TokenBucket(5, 5 * S)
    now, taken = 0, 0
    for gap in gaps:
        now += gap
        taken += bucket.take(now)
        assert taken <= 5 + now // S + 1
        assert bucket.ready_ns(now) >= now
