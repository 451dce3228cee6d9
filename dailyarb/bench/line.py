"""The engine on the embedded venues in virtual time: both sides sans-IO, no socket in between.

The venue is the one behind `--venues embedded`: its crowd, its hold, its lags, its wording. Orders
are signed, sent and answered as on the wire; each message takes the time of the distance between.
Reads are made at one moment and answered together: what a snapshot tells is not measured here.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain import events as ev
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.market import MarketSpec, Outcome, Window
from dailyarb.core.domain.records import Record
from dailyarb.core.domain.rung import Evidence, Mode
from dailyarb.core.domain.settings import Settings
from dailyarb.core.domain.units import SECOND
from dailyarb.core.engine.engine import Engine
from dailyarb.core.engine.state import Birth
from dailyarb.runtime.bursts import MarketBursts
from dailyarb.sim.accounts import Account
from dailyarb.sim.embedded import EmbeddedVenues, Profile
from dailyarb.sim.network import POLYMARKET_WIRE, Link
from dailyarb.sim.types import Delivery, Held, Reply, Request
from dailyarb.sim.world_process import Process
from dailyarb.venues.polymarket import answers, catalog, codec, stream
from dailyarb.venues.polymarket.auth import Credentials, RequestAuth
from dailyarb.venues.polymarket.signer import Signer

BORN_S = 1_790_000_100
MONO_NS = 10**12
LOOK_NS = 5 * SECOND  # between two looks at the catalogue
BOOKS, OURS = "market", "user"
Then = Callable[[Reply], None]


class Line:
    """Runs one engine against one embedded venue.

    Args:
        settings: the engine's configuration; its assets and windows are what the venue lists.
        profile: what may be chosen about the venue.
        kept: takes each journal record with the wall time at which it was written.
    """

    def __init__(
        self, settings: Settings, profile: Profile, kept: Callable[[Record, int], None]
    ) -> None:
        self.now_ns = BORN_S * SECOND
        self.engine: Engine
        self._kept = kept
        self._assets = settings.assets
        self._venues = EmbeddedVenues(profile, self.now_ns)
        self._venue = self._venues.polymarket
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        rng = random.Random(f"{profile.seed}/line")
        self._up, self._down = Link(POLYMARKET_WIRE, rng), Link(POLYMARKET_WIRE, rng)
        self._written = Link(POLYMARKET_WIRE, rng)
        self._streams = {BOOKS: Link(POLYMARKET_WIRE, rng), OURS: Link(POLYMARKET_WIRE, rng)}
        self._roles: dict[str, Outcome] = {}
        self._listed: dict[str, MarketSpec] = {}
        self._subscription = stream.MarketSubscription()
        known = self._venues.credentials
        self._signer = Signer(known.private_key, known.deposit_wallet, 3)
        keys = Credentials(known.api_key, known.secret, known.passphrase)
        self._auth = RequestAuth(known.address, keys)
        self._beat = ""
        born = Birth("r1", "0", Mode.SIM, Evidence.SIM, "c0", 1, world="line")
        self.engine = Engine(settings, born, (), self.instant())
        self._ours = codec.Ours(known.api_key, self._roles, self.engine.state.orders.by_id)
        self._bursts = MarketBursts(self.engine.books, self._tell, self._rare)
        self.process = Process(self.engine, self.instant, self, sign=self._signer.sign)
        for channel, path in ((BOOKS, "/ws/market"), (OURS, "/ws/user")):
            self._venue.connect(channel, path, (), self.now_ns)
        self._venue.receive(OURS, stream.user_greeting(keys.channel_auth()), self.now_ns)
        self._act: dict[type[Any], Callable[[Any], None]] = {
            cmd.Submit: self._submit,
            cmd.Cancel: self._cancel,
            cmd.CancelAll: self._cancel_all,
            cmd.Heartbeat: self._heartbeat,
            cmd.QueryOrder: self._query_order,
            cmd.QueryAccount: self._query_account,
            cmd.QueryBook: self._query_book,
            cmd.Subscribe: self._subscribe,
            cmd.Resync: self._resync,
        }

    def instant(self) -> Instant:
        """Returns the present moment."""
        return Instant(MONO_NS + self.now_ns - BORN_S * SECOND, self.now_ns)

    def listed(self) -> list[MarketSpec]:
        """Returns the windows found so far."""
        return list(self._listed.values())

    def truth(self) -> Account:
        """Returns our account as the venue has it."""
        return self._venues.account

    def run(self, seconds: float) -> None:
        """Lives so much longer in virtual time."""
        end_ns = self.now_ns + round(seconds * SECOND)
        if not self._listed:
            self._after(0, self._look)
            self._after(SECOND, self._ping)
            self.process.start()
        offset = BORN_S * SECOND - MONO_NS
        while self.now_ns < end_ns:
            deadline = self.engine.next_deadline()
            due = self._venue.next_due_ns()
            times = [end_ns, self._heap[0][0] if self._heap else end_ns]
            times += [] if deadline is None else [deadline + offset]
            times += [] if due is None else [due]
            self.now_ns = max(self.now_ns, min(times))
            if due is not None and due <= self.now_ns:
                for delivery in self._venue.advance(self.now_ns):
                    self._carry(delivery)
            while self._heap and self._heap[0][0] <= self.now_ns:
                _, _, act, args = heapq.heappop(self._heap)
                act(*args)
            if deadline is not None and deadline + offset <= self.now_ns:
                self.process.tick()

    # what leaves the process (`Outside`)

    def wire(self, command: cmd.Command) -> None:
        """Takes a command that leaves the process."""
        act = self._act.get(type(command))
        if act is not None:
            act(command)

    def told(self, record: Record) -> None:
        """Hears a record before it is written; nothing rests on that here."""

    def kept(self, records: list[Record]) -> None:
        """Takes records into the journal."""
        for record in records:
            self._kept(record, self.now_ns)

    def ended(self, command: cmd.Exit) -> None:
        """Hears that the process left by itself.

        Raises:
            RuntimeError: always: nobody asked it to.
        """
        raise RuntimeError(f"the engine left: {command.why}")

    # carriage

    def _after(self, delay_ns: int, act: Callable[..., None], *args: Any) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self.now_ns + delay_ns, self._count, act, args))

    def _tell(self, event: ev.Event) -> None:
        self.process.feed(event)

    def _carry(self, delivery: Delivery) -> None:
        arrives = self._streams[delivery.channel].carry(max(self.now_ns, delivery.at_ns))
        self._after(arrives - self.now_ns, self._hear, delivery)

    def _hear(self, delivery: Delivery) -> None:
        raw, mono = delivery.payload, self.instant().mono_ns
        if delivery.channel == BOOKS:
            if raw not in codec.CONTROL_WORDS:
                self.engine.books.router.on_frame(raw, mono)
                self._bursts.on_burst(mono)
        elif raw not in codec.CONTROL_WORDS:
            for event in codec.user_events(raw, self._ours, mono):
                self._tell(event)

    def _rare(self, raw: bytes) -> None:
        event = codec.rare_event(raw)
        if isinstance(event, ev.Resolved):
            self._tell(event)

    def _ask(self, request: Request, then: Then) -> None:
        self._after(self._up.delay_ns(), self._asked, request, then)

    def _asked(self, request: Request, then: Then) -> None:
        reply = self._venue.request(request, self.now_ns)
        if isinstance(reply, Held):
            self._after(reply.due_ns - self.now_ns, self._answered, reply.ticket, then)
        else:
            self._after(self._down.delay_ns(), then, reply)

    def _answered(self, ticket: int, then: Then) -> None:
        for delivery in self._venue.advance(self.now_ns):
            self._carry(delivery)
        self._after(self._down.delay_ns(), then, self._venue.answer(ticket))

    def _request(
        self, method: str, path: str, body: bytes = b"", query: tuple[tuple[str, str], ...] = ()
    ) -> Request:
        headers = self._auth.headers(self.now_ns // SECOND, method, path, body)
        return Request(method, path, query, headers, body)

    def _read(self, path: str, **query: str) -> bytes:
        reply = self._venue.request(
            self._request("GET", path, b"", tuple(query.items())), self.now_ns
        )
        assert isinstance(reply, Reply)
        return reply.body

    # orders

    def _submit(self, command: cmd.Submit) -> None:
        sent_ns = self.instant().mono_ns
        bodies = [
            b'{"deferExec":false,"owner":"%b","orderType":"%b","postOnly":%b,"order":%b}'
            % (
                self._ours.owner.encode(),
                order.tif.value.encode(),
                b"true" if order.post_only else b"false",
                order.order_json,
            )
            for order in command.orders
        ]
        one = len(bodies) == 1
        body = bodies[0] if one else b"[" + b",".join(bodies) + b"]"
        tifs = {order.order_id: order.tif for order in command.orders}

        def done(reply: Reply) -> None:
            verdict = answers.judge_submit(reply.status, dict(reply.headers), reply.body, tifs)
            mono = self.instant().mono_ns
            self._tell(
                ev.SubmitResult(command.asked_ns, verdict.legs, sent_ns, mono, verdict.restricted)
            )
            if verdict.mode is not None:
                self._tell(verdict.mode)

        self._ask(self._request("POST", "/order" if one else "/orders", body), done)

    def _cancel(self, command: cmd.Cancel) -> None:
        body = b"[" + b",".join(b'"%b"' % i.encode() for i in command.order_ids) + b"]"
        self._drop("/orders", body, command.asked_ns, False)

    def _cancel_all(self, command: cmd.CancelAll) -> None:
        self._drop("/cancel-all", b"", command.asked_ns, True)

    def _drop(self, path: str, body: bytes, asked_ns: int, every: bool) -> None:
        def done(reply: Reply) -> None:
            self._tell(answers.judge_cancel(reply.status, reply.body, asked_ns, every))

        self._ask(self._request("DELETE", path, body), done)

    def _heartbeat(self, command: cmd.Heartbeat) -> None:
        def done(reply: Reply) -> None:
            ok, beat = answers.judge_heartbeat(reply.status, reply.body)
            self._beat = beat if beat is not None else self._beat
            self._tell(ev.HeartbeatResult(command.asked_ns, ok))

        body = b'{"heartbeat_id":"%b"}' % self._beat.encode()
        self._ask(self._request("POST", "/v1/heartbeats", body), done)

    # questions

    def _query_order(self, command: cmd.QueryOrder) -> None:
        self._after(self._up.delay_ns(), self._read_order, command)

    def _read_order(self, command: cmd.QueryOrder) -> None:
        fills = [f for f in self._fills(market=command.market_id) if f.order_id == command.order_id]
        found = answers.one_order(self._read(f"/data/order/{command.order_id}"))
        report = ev.OrderReport(command.order_id, command.asked_ns, False)
        if found is not None:
            report = codec.order_report(found, command.asked_ns)
        self._after(self._down.delay_ns(), self._tell_all, [*fills, report])

    def _tell_all(self, events: list[ev.Event]) -> None:
        for event in events:
            self._tell(event)

    def _query_account(self, command: cmd.QueryAccount) -> None:
        self._after(self._up.delay_ns(), self._read_account, command)

    def _read_account(self, command: cmd.QueryAccount) -> None:
        cash = answers.balance_e6(self._read("/balance-allowance", asset_type="COLLATERAL"))
        rows = [answers.open_order(row, self._roles) for row in self._pages("/data/orders")]
        shares = tuple(
            (token, answers.balance_e6(
                self._read("/balance-allowance", asset_type="CONDITIONAL", token_id=token)
            ))
            for _, token in command.tokens
        )  # fmt: skip
        after = str(max(0, command.since_s - 60))
        report = ev.AccountReport(
            command.asked_ns, True, cash, tuple(rows), tuple(self._fills(after=after)), shares
        )
        self._after(self._down.delay_ns(), self._tell, report)

    def _fills(self, **query: str) -> list[ev.Fill]:
        mono = self.instant().mono_ns
        return [
            fill
            for row in self._pages("/data/trades", **query)
            for fill in codec.trade_fills(answers.trade(row), self._ours, mono)
        ]

    def _pages(self, path: str, **query: str) -> list[Any]:
        rows: list[Any] = []
        cursor = answers.CURSOR_START
        while cursor != answers.CURSOR_END:
            part, cursor = answers.page(self._read(path, **query, next_cursor=cursor))
            rows += part
        return rows

    def _query_book(self, command: cmd.QueryBook) -> None:
        def done(reply: Reply) -> None:
            bid, ask = answers.top_of_book(reply.body)
            self._tell(ev.BookWitness(command.market_id, command.asked_ns, bid, ask))

        self._ask(Request("GET", "/book", (("token_id", command.token),)), done)

    # markets

    def _look(self) -> None:
        """Looks for windows that are not known yet, as discovery does."""
        self._after(LOOK_NS, self._look)
        for asset, known in self._assets.items():
            for label in known.windows:
                for want in catalog.wanted(
                    asset, known.slug, Window(label), self.now_ns // SECOND, 1
                ):
                    if want.slug not in self._listed:
                        self._find(want)

    def _find(self, want: catalog.Wanted) -> None:
        reply = self._venue.discover(Request("GET", f"/markets/slug/{want.slug}"), self.now_ns)
        found = catalog.gamma_market(reply.body) if reply.status == 200 else None
        if found is None:
            return
        spec = catalog.spec_of(found, want)
        self._listed[want.slug] = spec
        self._roles |= {spec.token(outcome): outcome for outcome in Outcome}
        self._tell(ev.MarketListed(spec))

    def _subscribe(self, command: cmd.Subscribe) -> None:
        tokens = [spec.token(o) for spec in command.markets for o in Outcome]
        self._send(self._subscription.want(tokens))

    def _resync(self, command: cmd.Resync) -> None:
        tokens = [
            spec.token(o)
            for spec in self._listed.values()
            for o in Outcome
            if spec.market_id == command.market_id
        ]
        self._send(self._subscription.renew(tokens))

    def _send(self, frames: list[bytes]) -> None:
        """Writes to the market socket: what is sent first arrives first."""
        for frame in frames:
            arrives = self._written.carry(self.now_ns)
            self._after(arrives - self.now_ns, self._received, frame.decode())

    def _received(self, text: str) -> None:
        self._venue.receive(BOOKS, text, self.now_ns)

    def _ping(self) -> None:
        """Keeps the sockets open and expires what the router waits for."""
        self._after(10 * SECOND, self._ping)
        for channel in (BOOKS, OURS):
            if channel == OURS or self._subscription.greeted:
                self._venue.receive(channel, "PING", self.now_ns)
