"""`dailyarb ctl`: one command to a running engine. Down is free, up is asked."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from dailyarb.core.domain.errors import BoardError
from dailyarb.core.domain.operator import RAISING, OperatorVerb
from dailyarb.core.domain.rung import Mode, Rung
from dailyarb.core.domain.view import View
from dailyarb.verbs import facts
from dailyarb.verbs.engine import glance, instance_of, places
from dailyarb.verbs.output import Column, Output, UsageError, count
from dailyarb.verbs.parser import RUNGS

Fields = dict[str, Any]
_NAMES = {
    "halt": OperatorVerb.HALT,
    "stop": OperatorVerb.STOP,
    "risk": OperatorVerb.RUNG,
    "release": OperatorVerb.RELEASE,
    "flatten": OperatorVerb.FLATTEN,
    "cancel": OperatorVerb.CANCEL,
    "mode": OperatorVerb.MODE,
    "arm": OperatorVerb.ARM,
    "disarm": OperatorVerb.DISARM,
    "breaker": OperatorVerb.BREAKER_RESET,
    "reconcile": OperatorVerb.RECONCILE,
    "claim": OperatorVerb.CLAIM,
    "reload": OperatorVerb.RELOAD,
    "lease": OperatorVerb.LEASE,
    "ack": OperatorVerb.ACK,
}
_STRATEGY = {
    "pause": OperatorVerb.STRATEGY_PAUSE,
    "resume": OperatorVerb.STRATEGY_RESUME,
}
# The engine answers a stop or a flatten when it has begun, not when it is done.
TIMEOUT_S = 5.0
_BY_ALL = ("flatten", "cancel", "ack")


def command(arguments: Namespace, out: Output) -> int:
    """Sends one command; exit 1 if the engine refuses it."""
    if arguments.command == "breaker" and arguments.action == "list":
        return _list_breakers(arguments, out)
    from dailyarb.runtime.control_client import ControlClient

    verb = _verb(arguments)
    view = _view(arguments)
    fields = _fields(arguments, view)
    if _raises(verb, fields, view):
        _confirm(arguments, verb, fields, view)
        fields["confirmed"] = True
    instance = instance_of(arguments)
    with ControlClient(places(instance).socket) as client:
        ack = client.send(verb, TIMEOUT_S, **fields)
    if out.json:
        out.value({"instance": instance, "verb": verb.value, "ok": ack.ok, "text": ack.text})
    elif ack.ok:
        out.write(ack.text or f"{verb.value}: done")
    else:
        out.warn(f"refused: {ack.text}")
    return 0 if ack.ok else 1


def _verb(arguments: Namespace) -> OperatorVerb:
    if arguments.command == "strategy":
        return _STRATEGY[arguments.action]
    return _NAMES[arguments.command]


def _view(arguments: Namespace) -> View | None:
    """Returns what the engine shows, or None: a command must not need the board."""
    try:
        return glance(arguments).view
    except BoardError:
        return None


def _fields(arguments: Namespace, view: View | None) -> Fields:
    """Returns the command's fields as the control socket takes them."""
    fields: Fields = {"frame": view.frame if view else 0}
    name = arguments.command
    if name in _BY_ALL:
        if bool(arguments.target) == arguments.all:
            raise UsageError(f"ctl {name}: say which one, or --all")
        fields["target"] = arguments.target
    elif name == "breaker":
        if not arguments.target or not arguments.reason:
            raise UsageError("ctl breaker reset: needs NAME and --reason; see ctl breaker list")
        fields |= {"target": arguments.target, "reason": arguments.reason}
    elif name == "lease":
        fields["target"] = "release" if arguments.action == "release" else ""
    elif name in ("arm", "strategy"):
        fields["target"] = arguments.target
    elif name == "risk":
        fields["rung"] = Rung[RUNGS[arguments.rung]]
    elif name == "mode":
        fields["mode"] = Mode[arguments.mode.upper()]
    if name == "flatten" and arguments.target:
        fields["target"] = _market_id(arguments.target, view)
    return fields


def _market_id(wanted: str, view: View | None) -> str:
    """Returns the id of the one market that answers to a name."""
    found = [desk for desk in (view.markets if view else ()) if facts.is_market(desk, wanted)]
    if len(found) == 1:
        return found[0].market_id
    if found:
        names = ", ".join(f"{desk.label} {desk.market_id[:10]}" for desk in found)
        raise UsageError(f"{wanted!r} is more than one market: {names}")
    if wanted.startswith("0x"):
        return wanted
    raise UsageError(f"no open market answers to {wanted!r}")


def _raises(verb: OperatorVerb, fields: Fields, view: View | None) -> bool:
    """Says whether a command raises risk or costs money."""
    rung: Rung | None = fields.get("rung")
    if rung is not None:
        # Without a view we do not know the rung in force, so anything but a halt is asked.
        return view.operator_rung < rung if view else rung is not Rung.HALTED
    # A lease is taken away from somebody.
    return verb in RAISING or (verb is OperatorVerb.LEASE and bool(fields["target"]))


def _confirm(arguments: Namespace, verb: OperatorVerb, fields: Fields, view: View | None) -> None:
    """Asks, with what stands now; without a terminal `--yes` must have been said."""
    if arguments.yes:
        return
    what = f"{verb.value} {fields.get('target', '')}".strip()
    if not sys.stdin.isatty():
        raise UsageError(f"{what}: raises risk or costs money; say --yes")
    sys.stderr.write(f"{what} on {instance_of(arguments)}{_stands(view)}\nContinue? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("not done")


def _stands(view: View | None) -> str:
    if view is None:
        return ": the engine shows nothing yet"
    return (
        f" [{view.mode.value}] [{view.rung.name}]: {view.open_orders} open orders, "
        f"max loss {(facts.dollars(view.worst_e6) or 0.0):,.2f} USD, "
        f"{view.breakers_tripped} breakers tripped"
    )


def _list_breakers(arguments: Namespace, out: Output) -> int:
    view = glance(arguments).view
    rows: list[dict[str, object]] = [
        {
            "breaker": row.name,
            "state": row.state,
            "now": row.now,
            "limit": row.limit,
            "unit": row.unit,
            "effect": row.effect.name,
            "reset": row.reset,
            "since": facts.instant(row.since_ns or 0),
            "trips": row.trips,
            "cause": row.cause,
        }
        for row in view.breakers
    ]
    rows += [
        {
            "breaker": f"circuit.{row.name}",
            "state": row.state,
            "now": float(row.count),
            "limit": float(row.limit),
            "unit": "n",
            "effect": row.effect.name,
            "reset": "auto",
            "since": facts.instant(row.since_ns or 0),
            "trips": row.opened,
            "cause": row.cause,
        }
        for row in view.circuits
    ]
    columns = [
        Column("breaker", "breaker"),
        Column("state", "state"),
        count("now", "now", 2),
        count("limit", "limit", 2),
        Column("unit", ""),
        Column("effect", "effect"),
        Column("reset", "reset"),
        Column("since", "since", facts.clock),
        count("trips", "trips"),
        Column("cause", "cause"),
    ]
    out.table(columns, rows, empty="no breakers")
    return 0
