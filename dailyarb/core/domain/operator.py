"""What an operator may ask, and which of it raises risk."""

from __future__ import annotations

from enum import Enum


class OperatorVerb(Enum):
    """Is one operator command; the value is its name in journal, audit and control socket."""

    HALT = "halt"
    RUNG = "risk"
    RELEASE = "release"
    FLATTEN = "flatten"  # target: market id, or "" for all
    CANCEL = "cancel"  # target: order id, or "" for all
    MODE = "mode"
    ARM = "arm"
    DISARM = "disarm"
    BREAKER_RESET = "breaker reset"
    STRATEGY_PAUSE = "strategy pause"
    STRATEGY_RESUME = "strategy resume"
    RECONCILE = "reconcile"
    CLAIM = "claim"
    RELOAD = "reload"
    LEASE = "lease"  # target: "" to take it, "release" to free it
    ACK = "ack"  # target: alert key, or "" for all
    STOP = "stop"


# These raise risk or cost money: they ask first, carry the frame they rest on, need the lease.
RAISING = frozenset(
    {
        OperatorVerb.RELEASE,
        OperatorVerb.FLATTEN,
        OperatorVerb.ARM,
        OperatorVerb.BREAKER_RESET,
        OperatorVerb.STRATEGY_RESUME,
        OperatorVerb.RELOAD,
        OperatorVerb.STOP,
    }
)

# The command-line twin of each verb, shown in the audit when a key is used.
CLI_TWINS: dict[OperatorVerb, str] = {
    OperatorVerb.HALT: "dailyarb ctl halt",
    OperatorVerb.RUNG: "dailyarb ctl risk {rung}",
    OperatorVerb.RELEASE: "dailyarb ctl release",
    OperatorVerb.FLATTEN: "dailyarb ctl flatten {target}",
    OperatorVerb.CANCEL: "dailyarb ctl cancel {target}",
    OperatorVerb.MODE: "dailyarb ctl mode {mode}",
    OperatorVerb.ARM: "dailyarb ctl arm {target}",
    OperatorVerb.DISARM: "dailyarb ctl disarm",
    OperatorVerb.BREAKER_RESET: "dailyarb ctl breaker reset {target} --reason {reason}",
    OperatorVerb.STRATEGY_PAUSE: "dailyarb ctl strategy {target} pause",
    OperatorVerb.STRATEGY_RESUME: "dailyarb ctl strategy {target} resume",
    OperatorVerb.RECONCILE: "dailyarb ctl reconcile",
    OperatorVerb.CLAIM: "dailyarb ctl claim",
    OperatorVerb.RELOAD: "dailyarb ctl reload",
    OperatorVerb.LEASE: "dailyarb ctl lease",
    OperatorVerb.ACK: "dailyarb ctl ack {target}",
    OperatorVerb.STOP: "dailyarb ctl stop",
}
