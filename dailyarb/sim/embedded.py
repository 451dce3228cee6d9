"""The embedded venues: all models of one seed, composed, served, and as a process of their own.

`python -m dailyarb.sim.embedded --seed 1` serves Polymarket, its settling feed and Binance on
loopback and says where, in one JSON line, with throw-away credentials that only these venues know.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import hashlib
import json
import os
import random
import signal
import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from coincurve import PrivateKey

from dailyarb.sim.accounts import Account
from dailyarb.sim.binance import BinanceModel
from dailyarb.sim.eip712 import checksum, keccak256, key_address
from dailyarb.sim.hall import Hours
from dailyarb.sim.keys import triple
from dailyarb.sim.loopback import Endpoints, Loopback, Mount, VenueClock
from dailyarb.sim.network import BINANCE_WIRE, POLYMARKET_WIRE, SETTLEMENT_WIRE, Carriage
from dailyarb.sim.oracle import Oracle
from dailyarb.sim.polymarket import PolymarketModel, Rules
from dailyarb.sim.reference import ASSETS, Reference
from dailyarb.sim.settlement import SettlementModel
from dailyarb.sim.types import NS_PER_S

CALM, BUSY = 0.1, 1.0
_HISTORY_S = 300
_PR_SET_PDEATHSIG = 1


class Profile(NamedTuple):
    """Is what may be chosen about the embedded venues.

    rate_scale is the share of the recorded message rates (calm 0.1, busy 1.0); speed is venue
    seconds per second; wire off takes the distance to the venues away.
    """

    seed: int = 1
    assets: tuple[str, ...] = ("btc", "eth", "sol")
    labels: tuple[str, ...] = ("5m", "15m")
    rate_scale: float = CALM
    speed: float = 1.0
    start_cash_usd: int = 1_000
    wire: bool = True
    resolve_scale: float = 1.0


class Credentials(NamedTuple):
    """Is a throw-away identity that the embedded venues accept.

    An order may be made by the key's own address (type 0) or by its deposit wallet (type 3).
    """

    private_key: str
    address: str
    deposit_wallet: str
    api_key: str
    secret: str
    passphrase: str


def throw_away(seed: int) -> Credentials:
    """Returns the identity that follows from a seed; it owns nothing outside the simulation."""
    raw = hashlib.sha256(f"dailyarb embedded {seed}".encode()).digest()
    address = key_address(PrivateKey(raw).public_key)
    wallet = checksum(keccak256(b"deposit wallet" + raw)[-20:])
    return Credentials("0x" + raw.hex(), address, wallet, *triple(f"embedded/{seed}"))


class EmbeddedVenues:
    """Is one seeded world: references, oracles, and the three venues over them."""

    def __init__(self, profile: Profile, now_ns: int) -> None:
        """Opens every venue at one instant of venue time.

        Args:
            profile: what may be chosen.
            now_ns: venue time, wall clock.
        """
        self.profile = profile
        self.born_ns = now_ns
        seed = profile.seed
        begin_ns = now_ns - now_ns % (3600 * NS_PER_S) - _HISTORY_S * NS_PER_S
        self.references = {
            name: Reference(ASSETS[name], random.Random(f"{seed}/{name}/path"), begin_ns)
            for name in profile.assets
        }
        self.oracles = {
            name: Oracle(reference, random.Random(f"{seed}/{name}/oracle"))
            for name, reference in self.references.items()
        }
        hours = Hours(profile.labels, profile.rate_scale, profile.resolve_scale)
        skew = 60.0 if profile.speed == 1.0 else float("inf")
        rules = Rules(hours=hours, skew_s_max=skew)
        self.polymarket = PolymarketModel(seed, self.oracles, now_ns, rules)
        self.settlement = SettlementModel(
            self.oracles, random.Random(f"{seed}/settlement"),
            self.polymarket.ledger.authenticate, now_ns,
        )  # fmt: skip
        self.binance = BinanceModel(
            self.references, random.Random(f"{seed}/binance"), now_ns, profile.rate_scale
        )
        self.credentials = throw_away(seed)
        known = self.credentials
        self.account = Account(
            known.address,
            (known.api_key, known.secret, known.passphrase),
            Fraction(profile.start_cash_usd),
        )
        self.account.makers[known.deposit_wallet.lower()] = 3
        self.polymarket.open_account(self.account)

    def control(self, op: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Does one act of the control endpoint.

        `silence` (venue, on[, token]) stops data while pongs go on; `mode` (mode) sets the order
        book's mode; `state` tells what the venue knows.

        Raises:
            KeyError: the op, venue or token is unknown.
        """
        if op == "silence":
            self._silence(
                str(body["venue"]), bool(body.get("on", True)), str(body.get("token", ""))
            )
        elif op == "mode":
            self.polymarket.clob.mode = str(body["mode"])
        elif op != "state":
            raise KeyError(op)
        return self.state()

    def state(self) -> dict[str, Any]:
        """Returns the venue's own truth about its first account, as text numbers."""
        account = self.account
        return {
            "cash": str(account.cash),
            "shares": {token: str(size) for token, size in account.shares.items()},
            "fees": str(self.polymarket.ledger.fees),
            "open_orders": [o.order_id for o in self.polymarket.desk.open_orders(account)],
            "trades": len(self.polymarket.desk.trades),
        }

    def _silence(self, venue: str, on: bool, token: str) -> None:
        if token:
            self.polymarket.hall.by_token[token][0].market.silent = on
        elif venue == "binance":
            self.binance.silent = on
        elif venue == "settlement":
            self.settlement.silent = on
        elif venue == "user":
            self.polymarket.channels.silent_users = on
        elif venue == "clob":
            self.polymarket.silence(on)
        else:
            raise KeyError(venue)

    async def serve(self, loopback: Loopback, port: int = 0) -> Endpoints:
        """Mounts every model on a loopback and starts it.

        Args:
            loopback: where to serve.
            port: first of seven consecutive ports; 0 lets the system choose each.
        """
        wired = self.profile.wire
        none = Carriage.none()
        clob = Mount("clob", self.polymarket, POLYMARKET_WIRE if wired else none)
        settle = Mount("settlement", self.settlement, SETTLEMENT_WIRE if wired else none)
        spot = Mount("binance", self.binance, BINANCE_WIRE if wired else none)
        ports = [port + index if port else 0 for index in range(7)]
        endpoints = Endpoints(
            clob_http=await loopback.mount_http(clob, self.polymarket.request, ports[0]),
            clob_ws=await loopback.mount_ws(clob, ports[1]),
            gamma_http=await loopback.mount_http(clob, self.polymarket.discover, ports[2]),
            settle_ws=await loopback.mount_ws(settle, ports[3]),
            binance_ws=await loopback.mount_ws(spot, ports[4]),
            binance_http=await loopback.mount_http(spot, self.binance.request, ports[5]),
            control_http=await loopback.mount_control(self.control, ports[6]),
        )
        loopback.start()
        return endpoints


def greeting(endpoints: Endpoints, venues: EmbeddedVenues) -> str:
    """Returns the line that says where the venues are and who may trade there."""
    body = {
        "ready": True,
        "pid": os.getpid(),
        "seed": venues.profile.seed,
        "born_ns": venues.born_ns,
        "endpoints": endpoints._asdict(),
        "credentials": venues.credentials._asdict(),
    }
    return json.dumps(body, separators=(",", ":"))


def write_greeting(path: str, line: str) -> None:
    """Lays a greeting where an engine finds it; only this user may read its credentials."""
    fresh = f"{path}.{os.getpid()}"
    handle = os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    os.write(handle, line.encode())
    os.close(handle)
    os.replace(fresh, path)


async def live(
    profile: Profile, port: int, ready_fd: int, parent_pid: int, file: str = ""
) -> None:
    """Serves until a signal comes or the parent is gone.

    Args:
        profile: what may be chosen.
        port: first of seven consecutive ports; 0 lets the system choose each.
        ready_fd: where the greeting goes.
        parent_pid: whose end is ours too, 0 for nobody's.
        file: where else the greeting goes while these venues live, "" for nowhere.
    """
    clock = VenueClock(profile.speed)
    venues = EmbeddedVenues(profile, clock.now_ns())
    loopback = Loopback(clock, random.Random(f"{profile.seed}/links"))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    endpoints = await venues.serve(loopback, port)
    line = greeting(endpoints, venues) + "\n"
    if file:
        write_greeting(file, line)
    os.write(ready_fd, line.encode())
    if ready_fd > 2:
        os.close(ready_fd)
    waits = [loop.create_task(stop.wait()), loop.create_task(loopback.run())]
    if parent_pid:
        waits.append(loop.create_task(_orphaned(parent_pid)))
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in waits:
            task.cancel()
        await loopback.close()


async def _orphaned(parent_pid: int) -> None:
    """Returns once the parent is another."""
    gone = asyncio.Event()
    while os.getppid() == parent_pid:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await gone.wait()


def _die_with_parent() -> None:
    """Asks the kernel for a signal at the parent's death, where it knows how."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def parser() -> argparse.ArgumentParser:
    """Returns the command line of the process."""
    words = argparse.ArgumentParser(prog="dailyarb.sim.embedded", description=__doc__)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--port", type=int, default=0, help="first of seven ports, 0 = any")
    words.add_argument("--ready-fd", type=int, default=1, help="where the JSON line goes")
    words.add_argument("--greeting-file", default="", help="where the JSON line goes as well")
    words.add_argument("--parent-pid", type=int, default=0, help="end when this parent is gone")
    words.add_argument("--assets", default="btc,eth,sol")
    words.add_argument("--windows", default="5m,15m")
    words.add_argument("--profile", choices=("calm", "busy"), default="calm")
    words.add_argument("--rate-scale", type=float, default=0.0, help="overrides the profile")
    words.add_argument("--speed", type=float, default=1.0)
    words.add_argument("--start-cash-usd", type=int, default=1_000)
    words.add_argument("--no-wire", action="store_true", help="venues at no distance")
    return words


def main(arguments: list[str] | None = None) -> int:
    """Runs the process; returns its exit code."""
    given = parser().parse_args(arguments)
    if given.parent_pid:
        _die_with_parent()
    profile = Profile(
        seed=given.seed,
        assets=tuple(given.assets.split(",")),
        labels=tuple(given.windows.split(",")),
        rate_scale=given.rate_scale or (BUSY if given.profile == "busy" else CALM),
        speed=given.speed,
        start_cash_usd=given.start_cash_usd,
        wire=not given.no_wire,
    )
    file = given.greeting_file
    try:
        asyncio.run(live(profile, given.port, given.ready_fd, given.parent_pid, file))
    finally:
        if file:
            Path(file).unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
