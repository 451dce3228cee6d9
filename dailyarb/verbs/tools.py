"""Verbs that work on their own: a journal's proof, and the embedded venues alone."""

from __future__ import annotations

import getpass
from argparse import Namespace

import msgspec

from dailyarb import config
from dailyarb.runtime.paths import InstanceLock, Places
from dailyarb.verbs.engine import instance_of, places
from dailyarb.verbs.output import Column, Output, UsageError, count, money

# As `cli.Exit.DISK`: a journal that cannot be believed is an unusable one.
BROKEN = 3
PORTS = 7


def verify(arguments: Namespace, out: Output) -> int:
    """Checks a journal's chain, conservation and invariants; exit 3 names the first bad row."""
    from dailyarb.runtime.verify import verify as prove

    found = places(instance_of(arguments))
    if arguments.rebuild:
        return _rebuild(found, arguments, out)
    report = prove(found.journal, arguments.run or None)
    if arguments.run and not report.rows:
        raise UsageError(f"no run {arguments.run!r} in {report.path}; --json lists runs")
    if out.json:
        out.value({"ok": report.ok, **msgspec.to_builtins(report)})
        return 0 if report.ok else BROKEN
    accounts = [
        {
            "evidence": account.evidence.value,
            "rows": account.rows,
            "fills": account.fills,
            "cash_usd": account.cash_e6 / 1e6,
            "residual_usd": account.residual_e6 / 1e6,
        }
        for account in report.accounts
    ]
    columns = [
        Column("evidence", "rests on"),
        count("rows", "rows"),
        count("fills", "fills"),
        money("cash_usd", "cash"),
        money("residual_usd", "residual"),
    ]
    out.table(columns, accounts, empty="no money has moved")
    for problem in report.problems:
        out.warn(f"row {problem.seq}: {problem.what}")
    verdict = "verified" if report.ok else f"NOT SOUND, {len(report.problems)} problems"
    out.write(f"{report.path}: {report.rows:,} rows, {len(report.runs)} runs: {verdict}")
    return 0 if report.ok else BROKEN


def _rebuild(found: Places, arguments: Namespace, out: Output) -> int:
    from dailyarb.runtime.clock import BootClock
    from dailyarb.runtime.recover import REBUILT, rebuild
    from dailyarb.runtime.verify import verify as prove

    if arguments.run:
        raise UsageError("--rebuild is about the whole journal, not one run")
    with InstanceLock(found, run=REBUILT):
        report = prove(found.journal)
        if report.ok:
            raise UsageError(f"{report.path} is sound: there is nothing to rebuild")
        kept = [str(file) for file in rebuild(found.journal, BootClock().now(), getpass.getuser())]
    first = report.problems[0]
    if out.json:
        out.value({"ok": True, "kept": kept, "first_bad_row": first.seq, "what": first.what})
        return 0
    out.warn(f"row {first.seq}: {first.what}")
    for file in kept:
        out.write(f"kept    {file}")
    out.write("a new journal begins HALTED; the next start takes money and orders from the venue")
    return 0


def venues(arguments: Namespace, out: Output) -> int:
    """Serves the embedded venues until a signal; the first line says where and for whom."""
    from dailyarb.sim import embedded

    if arguments.port > 65535 - PORTS + 1:
        raise UsageError(f"--port: {PORTS} consecutive ports are used, so at most {65536 - PORTS}")
    loaded = config.load(arguments.config, {"venues.kind": "embedded", "mode": "sim"})
    settings = loaded.settings
    windows = sorted({window for asset in settings.assets.values() for window in asset.windows})
    out.warn("embedded venues; end with Ctrl-C. Where they are, and a throw-away account:")
    return embedded.main(
        [
            f"--seed={arguments.seed}",
            f"--port={arguments.port}",
            f"--assets={','.join(settings.assets)}",
            f"--windows={','.join(windows)}",
            f"--rate-scale={settings.venues.rate_scale}",
            f"--start-cash-usd={round(settings.venues.start_cash_usd)}",
            f"--greeting-file={arguments.greeting_file}",
        ]
    )
