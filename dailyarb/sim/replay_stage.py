"""Recorded frames as three venue models that share one clock.

`ReplayVenues` mounts like the embedded venues. Orders meet the fill model on the recorded book, so
what comes of them is evidence REPLAY; `meaningless` says why a signal on these recordings is worth
nothing, where that is so. When the last frame was played `GET /control/status` on the order book's
address answers `"ended": true`; a little later the sockets close politely (1000).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, cast

from dailyarb.sim import wire
from dailyarb.sim.accounts import Account, Ledger
from dailyarb.sim.channels import Channels
from dailyarb.sim.clob import Clob
from dailyarb.sim.embedded import Credentials, throw_away
from dailyarb.sim.gamma import Gamma, resolved_event
from dailyarb.sim.loopback import Endpoints, Loopback, Mount
from dailyarb.sim.network import POLYMARKET_WIRE, Carriage
from dailyarb.sim.recordings import Channel, Recording, RecordingError, Source, open_path
from dailyarb.sim.replay_desk import ReplayDesk
from dailyarb.sim.replay_hall import RecordedEntry, RecordedHall
from dailyarb.sim.replay_markets import ReplayMarket, doubts, read_markets
from dailyarb.sim.replay_spot import ReplaySettlement, ReplaySpot, StandIn
from dailyarb.sim.replay_time import Play, Played
from dailyarb.sim.settlement import SettlementModel
from dailyarb.sim.types import NS_PER_MS, NS_PER_S, Delivery, Frame, Held, Reply, Request

STATUS_PATH = "/control/status"
_END = b"end of the recording"
_QUOTED_WITHIN = 20_000  # frames of a recording in which each symbol it holds has spoken


class ReplayProfile(NamedTuple):
    """Is what may be chosen about a replay.

    lead_in_s passes before the first frame, for clients to connect; resolve_s is how long after its
    end a window is resolved; for close_s after the end the sockets stay open, so that whoever asks
    the status can leave in order; wire off takes the distance to the order book away.
    """

    path: str
    speed: float = 1.0
    seed: int = 1
    start_cash_usd: int = 1_000
    lead_in_s: float = 3.0
    resolve_s: float = 5.0
    close_s: float = 5.0
    hold_ms: int = 50
    wire: bool = True


class ReplayChannels(Channels):
    """Is the sockets of the order book; a book that was not recorded yet has no snapshot."""

    def _dump(self, conn_id: str, tokens: list[str], now_ns: int) -> None:
        ready = [token for token in tokens if self._ready(token)]
        super()._dump(conn_id, ready, now_ns)

    def _ready(self, token: str) -> bool:
        found = self._hall.by_token.get(token)
        return found is not None and cast("RecordedEntry", found[0]).market.recorded.synced


class _ReplayOrders:
    """Is the order book's side of a replay, as the loopback mounts it."""

    def __init__(self, stage: ReplayVenues) -> None:
        self._stage = stage
        self._conns: dict[str, None] = {}

    def connect(
        self, conn_id: str, path: str, query: tuple[tuple[str, str], ...], now_ns: int
    ) -> int:
        """Opens a socket of the order book; refused once the play is over."""
        if self._stage.closed:
            return 503
        status = self._stage.channels.connect(conn_id, path, now_ns)
        if status == 101:
            self._conns[conn_id] = None
        return status

    def receive(self, conn_id: str, text: str, now_ns: int) -> None:
        """Takes one text frame of a client."""
        self._stage.pump(now_ns)
        self._stage.channels.receive(conn_id, text, now_ns)

    def disconnect(self, conn_id: str) -> None:
        """Forgets a socket."""
        self._conns.pop(conn_id, None)
        self._stage.channels.disconnect(conn_id)

    def request(self, request: Request, now_ns: int) -> Reply | Held:
        """Answers the order book's REST, and the status of the replay."""
        if request.path == STATUS_PATH:
            return Reply(now_ns, 200, wire.compact(self._stage.status(now_ns)))
        self._stage.pump(now_ns)
        return self._stage.clob.request(request, now_ns)

    def discover(self, request: Request, now_ns: int) -> Reply:
        """Answers the discovery service; without a slug it lists what was recorded."""
        self._stage.pump(now_ns)
        return self._stage.gamma.request(request, now_ns)

    def answer(self, ticket: int) -> Reply:
        """Returns the answer of a held request; raises KeyError before it is due."""
        return self._stage.clob.answer(ticket)

    def next_due_ns(self) -> int | None:
        """Returns when something is due next."""
        return self._stage.next_due_ns()

    def advance(self, now_ns: int) -> list[Delivery]:
        """Plays everything due by now and returns the order book's frames."""
        self._stage.pump(now_ns)
        for entry in self._stage.hall.entries():
            if entry.market.outbox:
                self._stage.channels.flush(entry.market, now_ns)
        out, self._stage.channels.out = self._stage.channels.out, []
        if self._stage.closed:
            out += [Delivery(now_ns, name, _END, Frame.CLOSE, 1000) for name in self._conns]
            self._conns.clear()
        return out


class _ReplayBinance:
    """Is the exchange's side of a replay, as the loopback mounts it."""

    def __init__(self, stage: ReplayVenues) -> None:
        self._stage = stage

    def connect(
        self, conn_id: str, path: str, query: tuple[tuple[str, str], ...], now_ns: int
    ) -> int:
        """Opens a stream; refused once the play is over."""
        return 503 if self._stage.closed else self._stage.spot.connect(conn_id, path, query)

    def receive(self, conn_id: str, text: str, now_ns: int) -> None:
        """Takes one command."""
        self._stage.spot.receive(conn_id, text, now_ns)

    def disconnect(self, conn_id: str) -> None:
        """Forgets a socket."""
        self._stage.spot.disconnect(conn_id)

    def request(self, request: Request, now_ns: int) -> Reply | Held:
        """Answers the public REST calls."""
        self._stage.pump(now_ns)
        return self._stage.spot.request(request, now_ns)

    def answer(self, ticket: int) -> Reply:
        """Raises KeyError: nothing is ever held here."""
        raise KeyError(ticket)

    def next_due_ns(self) -> int | None:
        """Returns when something is due next."""
        return self._stage.next_due_ns()

    def advance(self, now_ns: int) -> list[Delivery]:
        """Plays everything due by now and returns the exchange's frames."""
        self._stage.pump(now_ns)
        spot = self._stage.spot
        spot.tick(now_ns)
        out, spot.out = spot.out, []
        if self._stage.closed:
            out += [Delivery(now_ns, name, _END, Frame.CLOSE, 1000) for name in spot.close_all()]
        return out


class ReplayVenues:
    """Is a play of recordings as three venues that share one clock.

    Attributes:
        orders: the order book and discovery, a venue model with `discover`.
        binance: the exchange, a venue model.
        settlement: the settling feed, a venue model.
        meaningless: why a signal here means nothing; empty when it may mean something.
        ended_ns: when the last frame was played and every window that could be resolved was, or 0.
        closed: the sockets were closed, close_s after that.
    """

    def __init__(self, profile: ReplayProfile, now_ns: int) -> None:
        """Opens the recordings and plans the play.

        Args:
            profile: what is played and how.
            now_ns: wall clock; the first frame follows after the lead-in.

        Raises:
            RecordingError: a recording cannot be read or does not say what its markets are.
            ValueError: speed is not positive.
        """
        tracks = open_path(profile.path)
        self.profile = profile
        self.play = Play(tracks, _begin_ns(tracks, profile, now_ns), profile.speed)
        files = list(zip(self.play.recordings, self.play.clocks, strict=True))
        markets = [
            (market, recording.source is Source.BOOK_FRAMES)
            for number, (recording, clock) in enumerate(files)
            for market in read_markets(recording, number, clock)
        ]
        self.hall = RecordedHall(markets)
        self.ledger = Ledger()
        self.channels = ReplayChannels(self.hall.as_hall(), self.ledger.authenticate)
        self.desk = ReplayDesk(
            profile.seed, self.hall, self.ledger, self.channels, profile.hold_ms
        )
        self.gamma = Gamma(self.hall.as_hall())
        skew_s = 60.0
        self.clob = Clob(self.hall.as_hall(), self.ledger, self.desk, skew_s)
        self.spot = ReplaySpot(now_ns)
        self.stand_ins = self._stand_ins()
        self.settlement = self._settlement(now_ns)
        self.meaningless = doubts(self.play.recordings, self.play.clocks, bool(self.stand_ins))
        self.credentials = throw_away(profile.seed)
        self.account = _account(self.credentials, profile.start_cash_usd)
        self.ledger.open(self.account)
        self.ended_ns = 0
        self.closed = False
        self.damage = ""
        self.orders = _ReplayOrders(self)
        self.binance = _ReplayBinance(self)
        self._frames = self.play.frames()
        self._next: Played | None = next(self._frames, None)
        self._open = {market.market_id for market, _ in markets}
        for market, _ in markets:
            self.hall.schedule.at(market.end_ns, partial(self._close, market))

    # ---- time

    def pump(self, now_ns: int) -> None:
        """Plays every frame and every planned act due by now, in order of time."""
        while self._next is not None and self._next.at_ns <= now_ns:
            played = self._next
            self._settle(played.at_ns)
            self._show(played)
            self._advance()
        self._settle(now_ns)
        if not self.ended_ns and self._next is None and not self._waiting(now_ns):
            self.ended_ns = now_ns
            self.hall.schedule.at(now_ns + int(self.profile.close_s * NS_PER_S), self._shut)

    def next_due_ns(self) -> int | None:
        """Returns when `pump` is wanted next."""
        dues = [self.hall.schedule.next_due_ns(), self.desk.next_due_ns()]
        if self._next is not None:
            dues.append(self._next.at_ns)
        if self.channels.out or self.spot.out or any(e.market.outbox for e in self.hall.entries()):
            dues.append(0)
        return min((due for due in dues if due is not None), default=None)

    def _settle(self, now_ns: int) -> None:
        """Runs what is due between two frames: holds end, trades are mined, windows close."""
        self.hall.schedule.run(now_ns)
        self.desk.step(now_ns)

    def _advance(self) -> None:
        try:
            self._next = next(self._frames, None)
        except RecordingError as error:  # what was readable was played; status says where it broke
            self.damage = str(error)
            self._next = None

    def _show(self, played: Played) -> None:
        """Plays one frame."""
        if played.channel is Channel.POLYMARKET:
            try:
                events = json.loads(played.payload)
            except ValueError:
                self.hall.counts.unreadable += 1
                return
            on_print = self.desk.on_print
            for market_id in self.hall.play(played.payload, events, played.at_ns, on_print):
                self.desk.on_book(market_id, played.at_ns)
        elif played.channel is Channel.BINANCE:
            quote = self.spot.play(played.payload, played.at_ns)
            if quote is not None and quote[0] in self.stand_ins:
                self.stand_ins[quote[0]].observe(quote[1], played.at_ns)

    @property
    def ended(self) -> bool:
        """Says whether the play has come to its end."""
        return self.ended_ns > 0

    def _shut(self, now_ns: int) -> None:
        del now_ns
        self.closed = True

    # ---- windows

    def _close(self, market: ReplayMarket, now_ns: int) -> None:
        """Ends a window; it is resolved a while later, when the recording tells its winner."""
        self.hall.by_id[market.market_id].market.accepting = False
        self.desk.close(market.market_id, now_ns)
        wait_ns = int(self.profile.resolve_s * NS_PER_S / self.play.speed)
        self.hall.schedule.at(now_ns + wait_ns, partial(self._resolve, market))

    def _resolve(self, market: ReplayMarket, now_ns: int) -> None:
        found = self.hall.by_id[market.market_id].market
        self._open.discard(market.market_id)
        winner = found.winner_now()
        if winner < 0:
            return
        found.winner = winner
        self.ledger.redeem(found.identity.tokens, winner)
        found.broadcast(resolved_event(found, now_ns // NS_PER_MS), True, now_ns)

    def _waiting(self, now_ns: int) -> bool:
        """Says whether a window that ended before the play did still waits for its resolution."""
        return any(
            self.hall.by_id[market_id].market.facts.end_ns <= now_ns for market_id in self._open
        )

    # ---- the settling feed

    def _stand_ins(self) -> dict[str, StandIn]:
        """Returns a stand-in for each recorded symbol, from its first quote."""
        found: dict[str, StandIn] = {}
        for recording in self.play.recordings:
            if recording.source not in (Source.COMBINED, Source.SEGMENT):
                continue
            spot = ReplaySpot(self.play.begin_ns)
            for frame in islice(recording.frames(), _QUOTED_WITHIN):
                spoken = frame.channel is Channel.BINANCE
                quote = spot.play(frame.payload, frame.at_ns) if spoken else None
                if quote is None:
                    continue
                found.setdefault(quote[0], StandIn(self.play.begin_ns, quote[1]))
                if recording.source is Source.COMBINED:
                    break  # one symbol a file
        return found

    def _settlement(self, now_ns: int) -> SettlementModel:
        """Returns the settling feed: stand-ins where spot was recorded, silence elsewhere."""
        known = {name.removesuffix("usdt"): feed for name, feed in self.stand_ins.items()}
        return ReplaySettlement(known, self.ledger.authenticate, self.profile.seed, now_ns)

    # ---- for the shell

    def status(self, now_ns: int) -> dict[str, Any]:
        """Returns where the play stands."""
        return {
            "ended": self.ended,
            "speed": self.play.speed,
            "played_s": max(0.0, round((now_ns - self.play.begin_ns) / NS_PER_S, 3)),
            "frames": {**self.hall.counts.to_dict(), "binance": self.spot.frames},
            "markets": [entry.market.facts.slug for entry in self.hall.entries()],
            "meaningless": self.meaningless,
            "damage": self.damage,
            "cash": str(self.account.cash),
            "trades": len(self.desk.trades),
        }

    def windows(self) -> list[dict[str, Any]]:
        """Returns the played windows as discovery wants them: their slugs are not of today's grid.

        start_s and end_s are those of the play and of every answer of the discovery service.
        """
        found = [entry.market.identity for entry in self.hall.entries()]
        return [
            {
                "asset": identity.asset,
                "window": identity.label,
                "slug": identity.slug,
                "start_s": identity.start_s,
                "end_s": identity.end_s,
            }
            for identity in found
        ]

    def describe(self) -> str:
        """Returns in one line what is played and why it may mean nothing."""
        names = " + ".join(recording.path.name for recording in self.play.recordings)
        pace = "" if self.play.speed == 1.0 else f" at {self.play.speed:g}x"
        return "; ".join([f"{names}{pace}", *self.meaningless])

    def control(self, op: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Does one act of the control endpoint: `state` or `describe`; KeyError otherwise."""
        if op == "describe":
            return {"describe": self.describe()}
        if op != "state":
            raise KeyError(op)
        return self.status(int(body.get("now_ns", self.play.begin_ns)))

    async def serve(self, loopback: Loopback, port: int = 0) -> Endpoints:
        """Mounts the venues on a loopback and starts it.

        Recorded frames already carry the delay of the recorder's line; only requests to the order
        book travel.

        Args:
            loopback: where to serve.
            port: first of seven consecutive ports; 0 lets the system choose each.
        """
        none = Carriage.none()
        clob = Mount("clob", self.orders, none)
        far = Mount("clob", self.orders, POLYMARKET_WIRE if self.profile.wire else none)
        settle = Mount("settlement", self.settlement, none)
        spot = Mount("binance", self.binance, none)
        ports = [port + index if port else 0 for index in range(7)]
        endpoints = Endpoints(
            clob_ws=await loopback.mount_ws(clob, ports[1]),
            clob_http=await loopback.mount_http(far, self.orders.request, ports[0]),
            gamma_http=await loopback.mount_http(clob, self.orders.discover, ports[2]),
            settle_ws=await loopback.mount_ws(settle, ports[3]),
            binance_ws=await loopback.mount_ws(spot, ports[4]),
            binance_http=await loopback.mount_http(spot, self.binance.request, ports[5]),
            control_http=await loopback.mount_control(self.control, ports[6]),
        )
        loopback.start()
        return endpoints


def _begin_ns(tracks: list[list[Recording]], profile: ReplayProfile, now_ns: int) -> int:
    """Returns the start of the play, at the recording's own fraction of a second.

    So the ends of windows, which are whole seconds in every answer of the venue, stay whole.
    """
    first = next(tracks[0][0].frames(), None)
    if first is None:
        raise RecordingError(tracks[0][0].path, "holds no frame")
    wanted_ns = now_ns + int(profile.lead_in_s * NS_PER_S)
    return wanted_ns + (first.at_ns - wanted_ns) % NS_PER_S


def _account(known: Credentials, cash_usd: int) -> Account:
    account = Account(
        known.address, (known.api_key, known.secret, known.passphrase), Fraction(cash_usd)
    )
    account.makers[known.deposit_wallet.lower()] = 3
    return account
