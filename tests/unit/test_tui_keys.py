"""The key table is sound: no key twice, none that a terminal keeps, HALT never lost."""

from __future__ import annotations

import pytest

from dailyarb.tui.driver import HaltKeys
from dailyarb.tui.keys import (
    KEYS,
    RESERVED,
    KeymapError,
    bindings,
    checked_keymap,
    halt_keys,
    normal_keys,
    table,
)


def test_no_key_means_two_things_and_none_is_reserved() -> None:
    names = [name for key in KEYS for name in normal_keys(key.keys)]
    assert len(names) == len(set(names))
    assert not RESERVED & set(names)
    assert len({key.id for key in KEYS}) == len(KEYS)


def test_only_halt_has_priority() -> None:
    assert {binding.id for binding in bindings() if binding.priority} == {"risk.halt"}


def test_lower_case_letters_raise_no_risk() -> None:
    heavy = {"flat.all", "mode.arm", "order.cancel_all"}
    for key in KEYS:
        if key.id in heavy:
            assert key.keys.isupper()


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"risk.halts": "h"}, "no such key id"),
        ({"help": "ctrl+b"}, "taken by the terminal"),
        ({"help": "x"}, "already means"),
    ],
)
def test_a_bad_keymap_says_why(wanted: dict[str, str], text: str) -> None:
    with pytest.raises(KeymapError, match=text):
        checked_keymap(wanted)


def test_halt_keeps_its_own_keys_beside_a_new_one() -> None:
    assert checked_keymap({"risk.halt": "ctrl+t"}) == {"risk.halt": "f9,ctrl+x,ctrl+t"}
    assert halt_keys({"risk.halt": "ctrl+t"}) == {"f9", "ctrl+x", "ctrl+t"}


def test_the_table_prints_what_is_in_force() -> None:
    rows = {key_id: keys for key_id, keys, _ in table({"help": "h"})}
    assert rows["risk.halt"] == "F9 ^X"
    assert rows["help"] == "h"


def test_the_input_thread_halts_on_halt_keys_only() -> None:
    sent: list[bool] = []
    keys = HaltKeys(frozenset({"f9"}), lambda: not sent.append(True))
    assert keys.press("f9")
    assert not keys.press("x")
    assert (keys.delivered, keys.failed, len(sent)) == (1, 0, 1)
    failing = HaltKeys(frozenset({"f9"}), lambda: False)
    assert failing.press("f9")
    assert failing.failed == 1
