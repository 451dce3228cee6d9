"""Tick to order: the whole engine against the measuring venue, beside a websockets echo.

The engine is the real one (feeds, books, S1, gate, journal, signature, order path) in a process
pinned to its core. Three turns in one run: without a console, with a console drawing at 200x60,
and the echo. "inside" is from the frame callback's entry to the order's bytes handed to the
kernel; "server" is from the tick's first byte out to the order's last byte in.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dailyarb.bench import echo
from dailyarb.bench.console import isolated, on_terminal
from dailyarb.runtime.cores import allow, allowed, engine_core, stay_off
from dailyarb.runtime.launch import stop_process

SECONDS = float(os.environ.get("DAILYARB_BENCH_SECONDS", "10"))
RATE_HZ = 1_000.0
JUMP_MS = 40.0
WARM_S = 26.0  # the basis needs a third of a minute of the reference
INSTANCE = "bench"
STAGES = ("tick_to_decision", "decision_to_order", "tick_to_order", "sign", "decode")
ENGINE = (("orders", "orders"), ("frames_hz", "frames/s"), ("cpu_percent", "%"), ("rss_mb", "MB"))

CONFIG = """
schema_version = 1
instance = "bench"
[risk]
max_worst_case_market_usd = 1000.0
max_worst_case_total_usd = 1000.0
max_day_loss_usd = 1000.0
max_notional_per_trade_usd = 1000.0
max_partial_exposure_usd = 1000.0
max_unwind_loss_usd = 10.0
max_open_positions = 100
max_orders_per_minute = 10000
[breakers]
max_drawdown_usd = 1000.0
max_slippage_cents = 100.0
[assets.btc]
binance_symbol = "btcusdt"
settlement_symbol = "btcusd"
slug = "btc"
windows = ["4h"]
[feeds]
max_reference_age_ms = 5000
max_reference_gap_bps = 1000.0
[pricing]
vol_floor_bps = 0.01
vol_cap_bps = 0.02
min_samples = 2
basis_sigmas = 0.0
[strategies.S1]
move_window_ms = 20
min_move_bps = 1.0
max_answer = 1.0
min_edge_cents = 0.1
margin_cents = 0.0
cooldown_ms = 1
max_position_shares = 10000.0
[strategies.S2]
enabled = false
[recording]
enabled = true
quota_mib = 64
"""


def run(rounds: int = 1) -> list[dict[str, Any]]:
    """Returns the figures of `rounds` rounds of the three turns, the medians over rounds."""
    cores = allowed()
    core = engine_core(-1, cores)
    stay_off(core)
    found: dict[str, list[dict[str, float]]] = {"plain": [], "console": [], "echo": []}
    try:
        for _ in range(max(1, min(rounds, 3))):
            found["plain"].append(_turn(console=False, cores=cores))
            found["console"].append(_turn(console=True, cores=cores))
            trips = asyncio.run(echo.measure(SECONDS, RATE_HZ, JUMP_MS, core))
            _, p50, _, p99, p999, _ = trips.snapshot()
            found["echo"].append({"p50": p50 / 1e3, "p99": p99 / 1e3, "p999": p999 / 1e3})
    finally:
        allow(cores)  # what is measured next has all of them again
    return list(_rows(found))


def _rows(found: dict[str, list[dict[str, float]]]) -> Iterator[dict[str, Any]]:
    for turn in ("plain", "console"):
        tail = "" if turn == "plain" else ", console 200x60"
        for quantile in ("p50", "p99", "p999"):
            peers = {"websockets echo": _median(found["echo"], quantile)}
            ours = _median(found[turn], f"server_{quantile}")
            yield {
                "name": f"tick_to_order.server.{quantile}{tail}",
                "unit": "us",
                "ours": ours,
                "peers": peers,
                "ratio_to_best_peer": round(ours / peers["websockets echo"], 3),
            }
        for stage in STAGES:
            for quantile in ("p50", "p99", "p999"):
                yield {
                    "name": f"{stage}.inside.{quantile}{tail}",
                    "unit": "us",
                    "ours": _median(found[turn], f"{stage}_{quantile}"),
                    "peers": {},
                    "ratio_to_best_peer": None,
                }
        for name, unit in ENGINE:
            yield {
                "name": f"engine.{name}{tail}",
                "unit": unit,
                "ours": _median(found[turn], name),
                "peers": {},
                "ratio_to_best_peer": None,
            }


def _median(rows: list[dict[str, float]], key: str) -> float:
    values = sorted(row[key] for row in rows)
    return values[len(values) // 2]


def _turn(console: bool, cores: frozenset[int]) -> dict[str, float]:
    """Runs the engine for the measuring time; returns its figures."""
    with tempfile.TemporaryDirectory(prefix="dailyarb-bench-") as folder:
        place = Path(folder)
        (place / "config.toml").write_text(CONFIG)
        env = {**isolated(place), "DAILYARB_BENCH_ENGINE": "1"}
        words = [sys.executable, "-m", "dailyarb.bench.engine", str(place / "config.toml")]
        words += [str(SECONDS + WARM_S), str(RATE_HZ), str(JUMP_MS)]
        kept = allowed()
        allow(cores)  # the engine inherits them, and picks its own core among them
        engine = subprocess.Popen(words, env=env, stdout=subprocess.PIPE)
        allow(kept)
        try:
            with _screen(env, place) if console else contextlib.nullcontext():
                assert engine.stdout is not None
                lines = engine.stdout.read().splitlines()
        finally:
            stop_process(engine, 5.0)
    return _figures(json.loads(lines[-1]))


def _figures(summary: dict[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for stage in STAGES:
        row = summary["latency_us"].get(stage, {})
        for quantile in ("p50", "p99", "p999"):
            found[f"{stage}_{quantile}"] = float(row.get(quantile, "nan"))
    server = summary["server"]
    for quantile in ("p50", "p99", "p999"):
        found[f"server_{quantile}"] = server[f"{quantile}_us"]
    found["orders"] = float(server["orders"])
    found["frames_hz"] = server["frames"] / max(1.0, summary["seconds"])
    found["cpu_percent"] = summary["process"]["cpu_percent"]
    found["rss_mb"] = summary["process"]["rss_mb"]
    return found


@contextlib.contextmanager
def _screen(env: dict[str, str], place: Path) -> Iterator[None]:
    """Draws a console of 200x60 on a terminal of its own until the block ends."""
    socket = place / "run" / "dailyarb" / INSTANCE
    end = time.monotonic() + 20.0
    while not any(socket.glob("*")) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1.0)
    words = [sys.executable, "-m", "dailyarb", "attach", "--config", str(place / "config.toml")]
    with on_terminal(words, env, (200, 60)) as lead:
        threading.Thread(target=_drain, args=(lead,), daemon=True).start()
        yield


def _drain(handle: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(handle, 65_536):
            pass


def server_report(url: str) -> dict[str, Any]:
    """Returns what the measuring venue saw."""
    with urllib.request.urlopen(f"{url}/control", timeout=5.0) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
