"""What an operator sees when something is wrong, what it means, and what to do: the runbook's data.

`names` are breakers, circuits and gates that stand behind it; `alerts` the alert keys that tell of
it, each up to its last part (which names a market, an order or a fill).
"""

from __future__ import annotations

from typing import NamedTuple


class Symptom(NamedTuple):
    """Is one thing an operator may see."""

    sees: str
    means: str
    do: str
    names: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()


# What a process's exit code says, and what to do about it.
EXITS: tuple[tuple[int, str, str], ...] = (
    (0, "ended as asked", "nothing"),
    (1, "the answer is no: no engine, refused, not valid", "read the line it wrote"),
    (2, "wrong usage or configuration", "`dailyarb config check` names every fault at once"),
    (3, "the journal or its disk cannot be used", "free or mend the disk, then start again"),
    (4, "the instance or its wallet is in use", "stop the other one: the line says who it is"),
    (5, "stopped while a latched breaker held it", "see that breaker below"),
    (6, "stopped with orders not proven gone", "start again, or look at the venue's own page"),
    (7, "the preflight for live trading failed", "`dailyarb doctor`"),
    (70, "a bug of ours, with its trace in the log", "save the log, start again: it recovers"),
    (130, "interrupted twice", "start again, or look at the venue's own page"),
)

SYMPTOMS: tuple[Symptom, ...] = (
    Symptom(
        "I do not like what it does",
        "It need not be explained first: stopping is free and nothing is lost by it.",
        "F9 or `dailyarb ctl halt`: the rung falls, then every order is cancelled until the venue "
        "has proven each gone. Shares stay; `dailyarb ctl flatten --all` sells them. Both work "
        "without the console. Later `dailyarb ctl release` returns to REDUCED.",
    ),
    Symptom(
        "It runs, but does not trade",
        "Each market names the one gate that stops it; most of the time that is its signal.",
        "`dailyarb why` for the gate, its number and its limit; the gates are listed below. If "
        "the gate is `rung`, see who holds it down: the Rungs pane or `dailyarb status`.",
        ("rung", "recovering", "not_tradable", "edge_below_min", "move_below_min"),
    ),
    Symptom(
        "A feed is STALE or DOWN; books read RESYNC or GAP",
        "The venue is silent or the network is: connections are redialled under one budget, and "
        "books are believed again only after a snapshot.",
        "Nothing, if it lifts within a minute. Else test the network from this machine, then the "
        "venue's status page. A circuit that opened holds entries back until three good reports.",
        (
            "feed.pm",
            "feed.binance",
            "feed.settle",
            "health.pm",
            "health.binance",
            "book.gap",
            "book_stale",
            "book_desynced",
            "reference_stale",
            "settlement_stale",
        ),
    ),
    Symptom(
        "Our own fills cannot be heard",
        "The user channel is down. What was missed is fetched by question after it is back.",
        "Nothing at first; orders are asked about one by one. If it lasts, check the API key.",
        ("feed.user",),
    ),
    Symptom(
        "An order is UNKNOWN!",
        "It was sent and no answer could be read. It may live, so it keeps its exposure, its "
        "market is quarantined, and it is asked about until the venue has answered; absence is "
        "believed only after risk.late_arrival_ms.",
        "Wait. Do not send it again by hand: that is how positions double. `dailyarb orders` "
        "shows it; the venue's own page shows whether it rests or has filled.",
        ("order.unknown", "unknown_orders", "quarantined", "orders.pm"),
        ("order.unknown",),
    ),
    Symptom(
        "Orders get no answer at all",
        "The way to the order API is broken: five requests in a row without a readable answer. "
        "Everything is cancelled as far as it can be; the venue's dead-man switch does the rest.",
        "Nothing on this machine, if the network is well. The path is probed by heartbeats; after "
        "three good ones the account is reconciled, then trading goes on by itself.",
        ("orders.pm", "health.pm"),
        ("circuit.orders.pm", "circuit.NAME", "heartbeat"),
    ),
    Symptom(
        "Answers are slow",
        "p99 of the order path's answers: first sizes and strategies are reduced, then entries "
        "stop, at last the venue counts as ill.",
        "Check the route and the machine's load; it lifts by itself.",
        ("slow", "order.latency", "health.pm"),
    ),
    Symptom(
        "Many orders are refused",
        "The reasons are in the funnel, most frequent first: balance, post-only crossing, tick "
        "size, minimum size, a venue mode.",
        "`dailyarb tail --evt order.rejected`. Balance refused although there is some: wait for "
        "the venue's lock to clear, or lower sizes.",
        ("order.reject", "order.balance", "balance_wait", "venue.mode", "cash"),
    ),
    Symptom(
        "The venue restarts or restricts orders",
        "It says so itself; a restart is followed by minutes of post-only, in which a lone leg "
        "cannot be crossed out.",
        "Nothing. Cancels and hedges go on as far as the venue lets them.",
        ("venue.mode",),
    ),
    Symptom(
        "The venue refuses us",
        "Key, signature or wallet type is wrong, or we are blocked.",
        "Halt stays until a person resets it. Check `[credentials]` with `dailyarb doctor`, then "
        "`dailyarb ctl breaker reset auth --reason TEXT`.",
        ("auth",),
        ("venue.auth",),
    ),
    Symptom(
        "One leg of a pair stays open",
        "The other leg did not fill, and neither completing nor selling fits within "
        "risk.max_unwind_loss_usd, or the rung forbids it. The loss is bounded by its cost.",
        "Look at the book. Sell by hand with `dailyarb ctl flatten MARKET`, or let it settle. "
        "Entries stay stopped everywhere while it is past its time.",
        ("naked", "naked_exposure"),
        ("pair.naked", "stop.naked"),
    ),
    Symptom(
        "The day's loss, the drawdown or a streak has stopped trading",
        "A limit of the configuration was reached. It is latched: nobody but you lifts it.",
        "`dailyarb report` and `dailyarb fills` for what lost. If trading shall go on: "
        "`dailyarb ctl breaker reset NAME --reason TEXT`. loss.day cannot be reset while the day "
        "is past its limit.",
        ("loss.day", "loss.drawdown", "loss.streak", "near.limit", "day_loss"),
    ),
    Symptom(
        "A limit is nearly used",
        "Entries have stopped so that hedges keep their room; nothing has gone wrong yet.",
        "Let positions settle, or flatten one. After a loss: another UTC day, or a reset of the "
        "loss breaker, which begins its count anew.",
        ("near.limit", "worst_case_total", "worst_case_market", "open_positions"),
    ),
    Symptom(
        "A matched fill failed to settle",
        "The chain did not take it. Its booking is reversed, and a pair may be one-sided again.",
        "Nothing; the pair is completed or unwound. If it repeats, halt and ask the venue.",
        ("naked",),
        ("fill.voided",),
    ),
    Symptom(
        "A fill stays MATCHED",
        "The venue has not confirmed it in risk.provisional_alert_s. Both outcomes stay in the "
        "worst case and its market takes no entries.",
        "Wait; `dailyarb ctl reconcile` asks at once. Its shares cannot be sold yet.",
        ("quarantined",),
        ("fill.unproven",),
    ),
    Symptom(
        "Money or shares differ from the venue's",
        "A difference is listed, never patched. While fills settle it is normal for a minute.",
        "`dailyarb ctl reconcile`, then the Reconciled lines on the Risk view. If it stays, halt, "
        "run `dailyarb verify`, and compare with the venue's trade history.",
        (),
        (
            "positions.differ",
            "cash.differs",
            "fill.differs",
            "fill.shut",
            "order.owed",
            "resolved.twice",
        ),
    ),
    Symptom(
        "Somebody else trades the wallet",
        "An order or fill of ours that this engine did not make: another program, another copy "
        "of this one, or a stolen key.",
        "Halt. Find which it was. If it was nobody of yours, move the money and the keys. Then "
        "`dailyarb ctl breaker reset wallet --reason TEXT`.",
        ("wallet",),
        ("fill.foreign", "orders.foreign"),
    ),
    Symptom(
        "Orders of ours were adopted",
        "After a power loss the venue lists orders that carry our mark but whose rows the journal "
        "lost. They are taken over as ours.",
        "Compare them with the venue's page; then nothing. If it repeats, mend the disk.",
        (),
        ("orders.adopted",),
    ),
    Symptom(
        "A fee is not the one expected",
        "The schedule has changed or is read wrongly; every edge computed with it is wrong too.",
        "Compare the venue's fee page with the market's rules, then "
        "`dailyarb ctl breaker reset fee.gap --reason TEXT`.",
        ("fee.gap",),
    ),
    Symptom(
        "Fills are worse than the decision",
        "Books move before our orders arrive: too slow, too large, or picked off.",
        "See the latency table and the markouts; lower sizes. It lifts by itself.",
        ("slippage",),
    ),
    Symptom(
        "The disk is slow or full",
        "Orders leave only after their record is written. Late syncs stop entries, very late "
        "ones halt; a write that fails cancels all and ends the engine with code 3.",
        "Free space: recordings first, `dailyarb locate` shows where. Then start again; the "
        "ballast file is laid anew.",
        ("journal", "journal.stuck", "disk"),
        ("journal.checkpoint",),
    ),
    Symptom(
        "The engine's loop lags, or the process stood still",
        "Another process takes its core, or the machine slept. Everything is held to be old "
        "until the loop has kept time again.",
        "`dailyarb doctor` shows which core is whose; move what is busy off it.",
        ("loop.lag",),
    ),
    Symptom(
        "The clock is off",
        "Wall clock and venue time differ by more than engine.max_wall_offset_ms.",
        "Check the time service (`timedatectl`); it lifts by itself.",
        ("clock",),
    ),
    Symptom(
        "A task has died",
        "A part of the engine ended unexpectedly: a bug, with its trace in the log.",
        "`dailyarb tail`, save the log, then start the engine again; the journal is whole.",
        ("task",),
        ("task",),
    ),
    Symptom(
        "Alerts do not arrive",
        "A channel refuses or hangs; alerts wait in a bounded queue and the console shows them.",
        "`dailyarb doctor` tries every channel. The circuit of one says since when it is dead.",
        ("alerts", "alert.NAME"),
    ),
    Symptom(
        "A payout has not come",
        "The market is decided, the claim failed or is late. The money is booked by resolution.",
        "`dailyarb ctl claim` asks again; the venue's own page can claim too.",
        (),
        ("claim",),
    ),
    Symptom(
        "No room for another market",
        "More windows are listed than the engine follows at once.",
        "List fewer assets or windows under `[assets]`.",
        (),
        ("markets.full",),
    ),
    Symptom(
        "ENGINE LOST on the console, or the keeper says so",
        "The engine process is gone or stands still. Resting orders end by the venue's dead-man "
        "switch within seconds; positions stay.",
        "Start it again: start-up is recovery. It reconciles before it trades, never raises the "
        "rung and never arms itself. If it does not start, its exit code says why.",
    ),
    Symptom(
        "It does not start: the journal is damaged",
        "A row does not fit its chain; the first bad one is named and the file is kept.",
        "`dailyarb verify` names the row. Move the journal aside (`dailyarb locate` shows where) "
        "and start: a new one begins from the venue's own account.",
    ),
)
