"""When redundant connections are opened, dropped and doubted. Sans-IO, seeded.

A feed keeps `wanted` connections over its endpoints; the first copy of a message wins, so a
connection that is cut costs nothing while another flows. Life is judged by the age of content:
a socket that only answers pings is silent. The caller reports what happened, calls `step`, does
the returned actions, and comes back at `next_deadline`.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from enum import Enum

import msgspec

SECOND_NS = 1_000_000_000
COPY_NS = 250_000_000  # two copies of one message are closer together than this
_FAR_NS = 1 << 62


class PoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a pool, nanoseconds.

    lifetime_ns 0 means that connections do not grow old. With `witnessed`, a feed that is silent
    on all connections is asked about before it is doubted (F01); without, it is redialled.
    """

    wanted: int = 2
    silence_ns: int = 3 * SECOND_NS
    first_content_ns: int = 5 * SECOND_NS
    dial_ns: int = 10 * SECOND_NS
    lifetime_ns: int = 0
    lifetime_jitter_ns: int = 3_600 * SECOND_NS
    backoff_min_ns: int = 100_000_000
    backoff_max_ns: int = 30 * SECOND_NS
    stable_ns: int = 5 * SECOND_NS
    witnessed: bool = False
    suspicions_max: int = 3
    suspicion_window_ns: int = 600 * SECOND_NS


class Dial(msgspec.Struct, frozen=True, gc=False):
    """Open a connection with this id to the endpoint of this index."""

    conn: int
    endpoint: int


class Drop(msgspec.Struct, frozen=True, gc=False):
    """Close a connection; it is forgotten already."""

    conn: int
    why: str


class Witness(msgspec.Struct, frozen=True, gc=False):
    """Ask another source whether the feed's content still holds; answer with `witness`."""


class Degrade(msgspec.Struct, frozen=True, gc=False):
    """The feed was found wrong too often: trade less until it has proven itself."""

    suspicions: int


Action = Dial | Drop | Witness | Degrade


class TokenBucket:
    """Allows `capacity` events at once and `capacity` per `period_ns` after that."""

    def __init__(self, capacity: int, period_ns: int) -> None:
        self.capacity = capacity
        self._step_ns = period_ns // capacity
        self._tokens = capacity
        self._filled_ns: int | None = None

    def take(self, now_ns: int, count: int = 1) -> bool:
        """Takes so many tokens, all or none; False when there are not enough."""
        self._fill(now_ns)
        if self._tokens < count:
            return False
        self._tokens -= count
        return True

    def ready_ns(self, now_ns: int) -> int:
        """Returns when a token is there, `now_ns` when one is there already."""
        self._fill(now_ns)
        return now_ns if self._tokens else (self._filled_ns or 0) + self._step_ns

    def _fill(self, now_ns: int) -> None:
        if self._filled_ns is None or self._tokens == self.capacity:
            self._filled_ns = now_ns
        gained = (now_ns - self._filled_ns) // self._step_ns
        if gained > 0:
            self._tokens = min(self.capacity, self._tokens + gained)
            self._filled_ns += gained * self._step_ns


class ConnState(Enum):
    """Is where a connection stands."""

    DIALLING = "DIALLING"
    OPEN = "OPEN"  # no content yet
    LIVE = "LIVE"


class _Conn:
    def __init__(self, conn: int, endpoint: int, now_ns: int, dies_ns: int) -> None:
        self.conn = conn
        self.endpoint = endpoint
        self.state = ConnState.DIALLING
        self.born_ns = now_ns
        self.since_ns = now_ns  # of the state
        self.content_ns = 0
        self.dies_ns = dies_ns
        self.leaving = ""
        self.behind_ns = 0  # when another first delivered what this one had not, 0: level
        self.stable = False  # it has delivered for long enough to speak for its endpoint


class _Endpoint:
    def __init__(self) -> None:
        self.failures = 0
        self.ready_ns = 0
        self.score = 1.0  # 0 to 1: halved by each failure, half way back by each stable connection


class Pool:
    """Decides about the connections of one feed.

    Args:
        settings: bounds.
        endpoints: how many addresses there are; connections spread over them.
        rng: source of the jitter.
        bucket: connection attempts allowed, shared by every pool of the venue.
    """

    def __init__(
        self, settings: PoolSettings, endpoints: int, rng: random.Random, bucket: TokenBucket
    ) -> None:
        self.settings = settings
        self.wanted = settings.wanted
        self.expecting = True  # False: nothing is subscribed, so silence means nothing
        self.reconnects = 0
        self._rng = rng
        self._bucket = bucket
        self._endpoints = [_Endpoint() for _ in range(endpoints)]
        self._conns: dict[int, _Conn] = {}
        self._next_conn = 0
        self._quiet_since_ns = 0
        self._asked = False
        self._suspicions: deque[int] = deque()

    def opened(self, conn: int, now_ns: int) -> None:
        """Takes that a connection is open."""
        found = self._conns.get(conn)
        if found is not None and found.state is ConnState.DIALLING:
            found.state, found.since_ns = ConnState.OPEN, now_ns

    def content(self, conn: int, at_ns: int) -> None:
        """Takes that a connection delivered content, not a pong, at this time."""
        found = self._conns.get(conn)
        if found is None or found.state is ConnState.DIALLING or at_ns <= found.content_ns:
            return
        if found.state is ConnState.OPEN:
            found.state, found.since_ns = ConnState.LIVE, at_ns
        found.content_ns = at_ns
        found.behind_ns = 0
        for other in self._conns.values():
            late = other.state is ConnState.LIVE and at_ns - other.content_ns > COPY_NS
            if late and not other.behind_ns:
                other.behind_ns = at_ns
        if at_ns - found.since_ns >= self.settings.stable_ns:
            endpoint = self._endpoints[found.endpoint]
            endpoint.failures = 0
            if not found.stable:
                found.stable, endpoint.score = True, (1.0 + endpoint.score) / 2.0
        self._asked = False

    def lost(self, conn: int, now_ns: int, retry_after_s: float = 0.0) -> None:
        """Takes that a connection ended, or could not be opened."""
        found = self._conns.pop(conn, None)
        if found is not None:
            self._blame(found, now_ns, int(retry_after_s * SECOND_NS))

    def replace(self, conn: int, why: str) -> None:
        """Asks for a connection to be replaced: the new one flows before it is dropped."""
        found = self._conns.get(conn)
        if found is not None and not found.leaving:
            found.leaving = why

    def witness(self, same: bool | None, now_ns: int) -> list[Action]:
        """Takes the answer to Witness: same content, other content, or no answer (None).

        Same content: a quiet market, nothing is wrong. No answer proves nothing.
        """
        self._asked = False
        self._quiet_since_ns = now_ns
        if same is not False:
            return []
        self._suspicions.append(now_ns)
        open_now = [c for c in self._conns.values() if c.state is not ConnState.DIALLING]
        why = "content differs from the witness"
        actions: list[Action] = [self._drop(found, why, now_ns) for found in open_now]
        while self._suspicions[0] < now_ns - self.settings.suspicion_window_ns:
            self._suspicions.popleft()
        if len(self._suspicions) >= self.settings.suspicions_max:
            actions.append(Degrade(len(self._suspicions)))
        return actions + self.step(now_ns)

    def step(self, now_ns: int) -> list[Action]:
        """Returns what is to be done now; call it after every report and at `next_deadline`."""
        actions: list[Action] = []
        self._age(now_ns)
        self._doubt(now_ns, actions)
        self._dismiss(now_ns, actions)
        self._dial(now_ns, actions)
        return actions

    def next_deadline(self, now_ns: int) -> int:
        """Returns when `step` may next have something to do."""
        due = self._silence_due()
        for found in self._conns.values():
            due = min(due, self._deadline(found))
        if self._missing() > 0 and self._endpoints:
            ready = min(endpoint.ready_ns for endpoint in self._endpoints)
            due = min(due, max(ready, self._bucket.ready_ns(now_ns)))
        return due

    @property
    def scores(self) -> tuple[float, ...]:
        """Returns the health of each endpoint, 0 to 1; the healthiest is dialled first."""
        return tuple(endpoint.score for endpoint in self._endpoints)

    @property
    def alive(self) -> int:
        """Returns how many connections are open."""
        return sum(found.state is not ConnState.DIALLING for found in self._conns.values())

    def _deadline(self, found: _Conn) -> int:
        """Returns when a connection's own time is over, whatever the others do."""
        settings = self.settings
        if found.state is ConnState.DIALLING:
            return found.since_ns + settings.dial_ns
        due = found.dies_ns if not found.leaving else _FAR_NS
        if self.expecting and found.state is ConnState.OPEN:
            due = min(due, found.since_ns + settings.first_content_ns)
        return due

    def _silence_due(self) -> int:
        """Returns when the silence of a connection, or of all of them, is next to be judged."""
        silence_ns = self.settings.silence_ns
        live = [c for c in self._conns.values() if c.state is ConnState.LIVE]
        if not live or not self.expecting:
            return _FAR_NS
        due = min((c.content_ns for c in live if self._stuck(c)), default=_FAR_NS) + silence_ns
        last = max(c.content_ns for c in live) + silence_ns
        if not self.settings.witnessed:
            return min(due, last)
        return due if self._asked else min(due, max(last, self._quiet_since_ns + silence_ns))

    def _missing(self) -> int:
        return self.wanted - sum(not found.leaving for found in self._conns.values())

    def _age(self, now_ns: int) -> None:
        for found in self._conns.values():
            if now_ns >= found.dies_ns and not found.leaving:
                found.leaving = "its lifetime is over"

    def _doubt(self, now_ns: int, actions: list[Action]) -> None:
        """Drops what is mute or silent beside a flowing one; asks when all are silent."""
        settings = self.settings
        for found in list(self._conns.values()):
            age = now_ns - found.since_ns
            if found.state is ConnState.DIALLING and age >= settings.dial_ns:
                actions.append(self._drop(found, "no answer to the dial", now_ns))
            elif (
                found.state is ConnState.OPEN
                and self.expecting
                and age >= settings.first_content_ns
            ):
                actions.append(self._drop(found, "no first message", now_ns))
        live = [found for found in self._conns.values() if found.state is ConnState.LIVE]
        silent = [found for found in live if now_ns - found.content_ns >= settings.silence_ns]
        if not silent or not self.expecting:
            return
        stuck = [found for found in silent if self._stuck(found)]
        alone = len(silent) == len(live)
        if stuck or (alone and not settings.witnessed):
            why = "silent while another flows" if stuck else "silent"
            actions.extend([self._drop(found, why, now_ns) for found in stuck or silent])
        elif alone and not self._asked and now_ns - self._quiet_since_ns >= settings.silence_ns:
            self._asked = True
            actions.append(Witness())

    def _stuck(self, found: _Conn) -> bool:
        """Says whether another went on for long enough while this one delivered nothing.

        The first frame after a quiet time reaches one connection before the other: that alone
        says nothing about the other.
        """
        latest = max(other.content_ns for other in self._conns.values())
        going_on_ns = latest - found.behind_ns
        return found.behind_ns > 0 and going_on_ns >= self.settings.silence_ns // 2

    def _dismiss(self, now_ns: int, actions: list[Action]) -> None:
        """Drops leaving connections once enough others flow, and any beyond the wanted number."""
        staying = [found for found in self._conns.values() if not found.leaving]
        flowing = sum(
            found.state is ConnState.LIVE or (found.state is ConnState.OPEN and not self.expecting)
            for found in staying
        )
        if flowing >= self.wanted:
            gone = [found for found in self._conns.values() if found.leaving]
            actions.extend([self._drop(c, c.leaving, now_ns, blame=False) for c in gone])
        surplus = staying[max(0, self.wanted) :]
        actions.extend([self._drop(c, "one too many", now_ns, blame=False) for c in surplus])

    def _dial(self, now_ns: int, actions: list[Action]) -> None:
        for _ in range(self._missing()):
            ready = [i for i, endpoint in enumerate(self._endpoints) if endpoint.ready_ns <= now_ns]
            if not ready or not self._bucket.take(now_ns):
                return
            used = [found.endpoint for found in self._conns.values()]
            best = min(ready, key=lambda i: (used.count(i), -self._endpoints[i].score, i))
            conn = self._next_conn
            self._next_conn += 1
            self._conns[conn] = _Conn(conn, best, now_ns, self._dies_ns(now_ns))
            actions.append(Dial(conn, best))

    def _dies_ns(self, now_ns: int) -> int:
        settings = self.settings
        if not settings.lifetime_ns:
            return _FAR_NS
        jitter = int(self._rng.random() * settings.lifetime_jitter_ns)
        return now_ns + settings.lifetime_ns - jitter

    def _drop(self, found: _Conn, why: str, now_ns: int, blame: bool = True) -> Drop:
        del self._conns[found.conn]
        if blame:
            self._blame(found, now_ns, 0)
        return Drop(found.conn, why)

    def _blame(self, found: _Conn, now_ns: int, wait_ns: int) -> None:
        """Counts a failure: the first after a stable time is redialled at once, others back off."""
        self.reconnects += 1
        endpoint = self._endpoints[found.endpoint]
        endpoint.failures, endpoint.score = endpoint.failures + 1, endpoint.score / 2.0
        if endpoint.failures > 1:
            exponent = min(endpoint.failures - 2, 30)
            ceiling = min(self.settings.backoff_max_ns, self.settings.backoff_min_ns << exponent)
            wait_ns = max(wait_ns, int(self._rng.random() * ceiling))
        endpoint.ready_ns = max(endpoint.ready_ns, now_ns + wait_ns)


class Rung(Enum):
    """Is what a silent token is due."""

    WAIT = "WAIT"
    RESUBSCRIBE = "RESUBSCRIBE"
    MOVE = "MOVE"  # to a new connection


class TokenLadder:
    """Decides what a token that is silent on a flowing connection is due (F02, F03).

    Args:
        wait_ns: least time between two steps for one token.
        tries_max: resubscriptions before it moves to a new connection.
    """

    def __init__(self, wait_ns: int = 5 * SECOND_NS, tries_max: int = 3) -> None:
        self._wait_ns = wait_ns
        self._tries_max = tries_max
        self._steps: dict[str, tuple[int, int]] = {}  # token: tries, time of the last step

    def watch(self, token: str, now_ns: int) -> None:
        """Starts a token's first deadline."""
        self._steps.setdefault(token, (0, now_ns))

    def fresh(self, token: str, now_ns: int) -> None:
        """Takes that a token is heard: its ladder starts anew."""
        self._steps[token] = (0, now_ns)

    def silent(self, token: str, now_ns: int) -> Rung:
        """Returns the next step for a token that is not heard."""
        tries, since = self._steps.setdefault(token, (0, now_ns))
        if now_ns - since < self._wait_ns:
            return Rung.WAIT
        if tries < self._tries_max:
            self._steps[token] = (tries + 1, now_ns)
            return Rung.RESUBSCRIBE
        self._steps[token] = (0, now_ns)
        return Rung.MOVE

    def keep(self, tokens: Sequence[str]) -> None:
        """Forgets every token but these."""
        wanted = set(tokens)
        self._steps = {token: step for token, step in self._steps.items() if token in wanted}
