"""The coverage of the fault catalogue, F01 to F94: injected where, checked by what, or why not.

`docs/faults.md` is printed from here (`dailyarb sim --table`); a test keeps it true and looks up
every test that is named.
"""

from __future__ import annotations

from typing import NamedTuple

from dailyarb.sim.faults import ALWAYS, BY_ID
from dailyarb.sim.world_bugs import BUGS

FAULTS = 94


class Elsewhere(NamedTuple):
    """Is a fault that the world does not inject, or not alone; tests are `file::name`."""

    title: str
    tests: tuple[str, ...]


def _t(title: str, *tests: str) -> Elsewhere:
    return Elsewhere(title, tests)


_POLY = "unit/test_fast_polymarket.py"
_ROUTER = "unit/test_fast_router.py"
_POOL = "unit/test_pool.py"
_FEEDS = "integration/test_feeds.py"
_PATH = "integration/test_order_path.py"
_RUN = "integration/test_engine_process.py"
_JOURNAL = "unit/test_journal.py"
_SYNC = "unit/test_journal_sync.py"
_CATALOG = "unit/test_catalog.py"
_LOGS = "unit/test_logs.py"
_KILL = "chaos/test_journal_kill.py"

# In process, socket, disk or codec: below the world, which has none of these.
ELSEWHERE: dict[str, Elsewhere] = {
    "F01": _t("socket open, no data",
              f"{_FEEDS}::test_silence_on_all_connections_asks_a_witness_first",
              f"{_POOL}::test_the_third_time_wrong_in_ten_minutes_degrades"),
    "F02": _t("some tokens frozen",
              f"{_POOL}::test_a_silent_token_is_resubscribed_three_times_then_moved"),
    "F03": _t("no snapshot", f"{_POOL}::test_a_connection_without_its_first_message_is_dropped"),
    "F04": _t("PING before the subscription",
              f"{_FEEDS}::test_pings_follow_the_subscription_and_pongs_are_no_content",
              f"{_POOL}::test_a_loop_of_short_lives_counts_as_failing"),
    "F05": _t("half-open socket",
              f"{_FEEDS}::test_losing_all_connections_desyncs_and_the_next_snapshot_heals"),
    "F06": _t("lost, repeated and overtaken deltas",
              "property/test_ladder_oracle.py::test_"),
    "F10": _t("huge frame", f"{_POLY}::test_frames_above_the_bound_are_not_read"),
    "F11": _t("garbage", f"{_FEEDS}::test_ten_damaged_frames_end_a_connection",
              "property/test_fast_decode_fuzz.py::test_"),
    "F12": _t("schema drift", f"{_POLY}::test_unknown_types_and_tokens_are_counted_not_fatal"),
    "F09": _t("burst of frames", "integration/test_burst.py::test_"),
    "F14": _t("phantom arbitrage", f"{_ROUTER}::test_"),
    "F15": _t("planned end at 24 h",
              f"{_POOL}::test_old_connections_are_replaced_before_they_are_dropped",
              f"{_FEEDS}::test_spot_replaces_a_connection_whose_server_shuts_down"),
    "F17": _t("reconnect storm", f"{_POOL}::test_one_bucket_bounds_the_attempts_of_all_pools"),
    "F18": _t("sequence gap of the reference: a quote is whole, its successor is enough",
              "unit/test_fast_spot.py::test_only_a_rising_update_id_is_news",
              "unit/test_fast_spot.py::test_a_missing_trade_id_is_a_gap"),
    "F24": _t("maker fill beside the taker's terms",
              "unit/test_codec_user.py::test_as_maker_the_fill_is_our_own_entry"),
    "F29": _t("unreadable answers", f"{_PATH}::test_outcome_of_one_order"),
    "F31": _t("batch answers", f"{_PATH}::test_a_batch_is_matched_by_id_never_by_position"),
    "F38": _t("rounding", "property/test_grid_exact.py::test_"),
    "F41": _t("FOK for FAK", f"{_PATH}::test_the_wire_carries_exactly_what_was_signed"),
    "F42": _t("our orders match each other", "property/test_gate_admits.py::test_"),
    "F54": _t("token list is not [YES, NO]",
              f"{_CATALOG}::test_roles_follow_the_label_not_the_position"),
    "F55": _t("wrong contract", "unit/test_signer.py::test_an_unknown_exchange_is_refused"),
    "F56": _t("listing lag", f"{_CATALOG}::test_no_market_yet_is_none"),
    "F57": _t("finished market returns",
              f"{_CATALOG}::test_decided_only_when_closed_with_final_prices"),
    "F58": _t("neighbouring window",
              f"{_CATALOG}::test_what_is_not_understood_is_refused_in_words"),
    "F66": _t("no route",
              "integration/test_failover.py::test_failover_within_100_ms_and_without_a_gap"),
    "F67": _t("closed-only account", f"{_PATH}::test_modes_of_the_venue"),
    "F68": _t("SIGKILL", f"{_KILL}::test_no_acknowledged_row_is_lost_by_sigkill",
              f"{_RUN}::test_a_killed_engine_finds_its_money_again"),
    "F69": _t("power loss", "unit/test_core_account.py::test_after_a_power_loss_",
              "unit/test_recover.py::"
              "test_a_boot_clock_that_fell_back_is_a_machine_that_started_anew"),
    "F70": _t("disk full", f"{_RUN}::test_a_full_disk_ends_it_with_everything_cancelled",
              f"{_KILL}::test_a_full_disk_refuses_and_leaves_a_sound_file"),
    "F71": _t("sync hangs", f"{_SYNC}::test_a_hanging_sync_grows_old_and_holds_up_nobody"),
    "F72": _t("flipped byte, cut file",
              f"{_JOURNAL}::test_a_flipped_byte_is_found_and_its_row_named",
              f"{_JOURNAL}::test_a_lost_wal_is_found_by_the_head"),
    "F73": _t("second instance", f"{_RUN}::test_a_second_instance_is_refused_and_told_who_is_there",
              "unit/test_paths.py::test_the_same_wallet_in_another_instance_is_refused"),
    "F74": _t("SIGSTOP", f"{_RUN}::test_on_waking_nothing_is_believed_before_the_first_decision"),
    "F76": _t("a task dies", "unit/test_supervisor.py::test_an_error_becomes_task_died"),
    "F77": _t("memory or handle growth; `make soak` lives seven days and an hour",
              "unit/test_core_growth.py::test_"),
    "F78": _t("recordings fill the disk",
              "unit/test_record.py::test_a_disk_that_refuses_stops_the_recorder_and_nothing_else"),
    "F79": _t("upgrade, downgrade", f"{_JOURNAL}::test_another_schema_version_is_refused",
              "unit/test_config.py::test_a_later_schema_is_refused"),
    "F80": _t("SIGTERM", f"{_RUN}::test_a_signal_ends_entries_cancels_verifies_and_sums_up",
              f"{_RUN}::test_the_second_signal_leaves_at_once_and_says_what_is_unverified"),
    "F82": _t("daylight saving", f"{_CATALOG}::test_the_night_the_clocks_change"),
    "F83": _t("alert channel down",
              "unit/test_alert.py::test_a_hanging_channel_holds_up_its_own_queue_only",
              "unit/test_alert.py::test_a_critical_alert_is_never_given_up",
              "unit/test_core_channels.py::"
              "test_a_critical_alert_that_reached_nobody_lowers_the_rung_only_where_that_is_asked"),
    "F85": _t("console frozen or flooding",
              f"{_KILL}::test_a_reader_frozen_inside_a_read_bounds_the_wal",
              "unit/test_control.py::test_a_flood_is_refused_and_counted"),
    "F86": _t("operator slip",
              "unit/test_control.py::test_raising_risk_needs_the_lease_or_a_confirmed_one_shot"),
    "F87": _t("stdout closed", f"{_LOGS}::test_a_blocked_sink_costs_lines_and_says_how_many"),
    "F88": _t("a model's nonsense",
              "unit/test_engine.py::test_a_probability_that_is_none_is_no_signal"),
    "F89": _t("integer overflow",
              "unit/test_fast_stats.py::test_the_largest_values_do_not_overflow"),
    "F90": _t("read past a buffer", f"{_POLY}::test_the_buffer_is_only_borrowed"),
    "F91": _t("secrets outside", f"{_LOGS}::test_secrets_are_hidden_in_every_field",
              "unit/test_redaction.py::test_any_secret_is_found"),
    "F92": _t("faulty configuration",
              "unit/test_config.py::test_a_fault_names_file_line_key_range_and_nearest_name"),
    "F93": _t("key file readable by others",
              "unit/test_secrets.py::test_a_file_open_to_others_is_refused"),
    "F94": _t("the wallet can do more than trade: an operations rule, and no code that could",
              "unit/test_no_withdrawal.py::test_"),
}  # fmt: skip

# What the tests of faults below the world check; the world's own profiles name theirs.
HOLDS = {
    "F04": "I13", "F06": "I10", "F10": "I13", "F12": "I10", "F14": "I10", "F15": "I10",
    "F17": "I13", "F18": "I10", "F24": "I1 I2", "F41": "I8", "F42": "I1", "F54": "I19",
    "F55": "I19", "F56": "I13", "F57": "I17", "F58": "I19", "F70": "I4 I5", "F72": "I19",
    "F73": "I8", "F77": "I13", "F78": "I16", "F79": "I6 I19", "F82": "I17 I19", "F83": "I16",
    "F85": "I16", "F86": "I6", "F87": "I16", "F88": "I11 I19", "F89": "I1", "F90": "I14",
    "F91": "I15", "F92": "I19", "F93": "I15 I19", "F94": "I6",
}  # fmt: skip

_HEAD = """# Faults and where they are injected

Generated by `dailyarb sim --table`. The fault world runs the engine in virtual time against a
strict venue with its own ledger; `dailyarb sim --profile F26` runs one fault with others beside
it, `dailyarb sim --seed N --trace` shows any run again. Always judged: {always}.

| fault | what | injected by | must | judged besides | tests |
| --- | --- | --- | --- | --- | --- |
"""


def _row(number: str) -> str:
    profile, other = BY_ID.get(number), ELSEWHERE.get(number)
    names = [test.removesuffix("::test_") for test in other.tests] if other else []
    tests = "<br>".join(f"`{name}`" for name in names)
    if profile is not None:
        knobs = ", ".join(f"`{k.name}` {k.low:g}-{k.high:g}" for k in profile.knobs)
        holds = " ".join(profile.holds)
        how = f"world: {knobs}"
        return f"| {number} | {profile.title} | {how} | {profile.must} | {holds} | {tests} |"
    title = other.title if other else "not injected yet"
    return f"| {number} | {title} | tests | | {HOLDS.get(number, '')} | {tests} |"


def covered() -> tuple[int, int]:
    """Returns how many faults the world injects, and how many other tests alone."""
    numbers = [f"F{n:02d}" for n in range(1, FAULTS + 1)]
    world = sum(number in BY_ID for number in numbers)
    return world, sum(n not in BY_ID and n in ELSEWHERE for n in numbers)


def table() -> str:
    """Returns the whole page."""
    rows = "\n".join(_row(f"F{n:02d}") for n in range(1, FAULTS + 1))
    world, tests = covered()
    bugs = "\n".join(
        f"| `{bug.name}` | {bug.title} | {bug.profile} | {bug.seeds} |" for bug in BUGS
    )
    return (
        f"{_HEAD.format(always=', '.join(ALWAYS))}{rows}\n\n"
        f"{world} in the world, {tests} by other tests alone, of {FAULTS}.\n\n"
        "## Planted defects\n\n"
        "The seeds must find each within so many; `dailyarb sim --bug all` measures the rates.\n\n"
        "| defect | what | profile | seeds |\n| --- | --- | --- | --- |\n"
        f"{bugs}\n"
    )
