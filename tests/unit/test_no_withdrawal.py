"""The program cannot move money out (F94): it knows orders, cancels, heartbeats and reads."""

from __future__ import annotations

import re
from pathlib import Path

import dailyarb
from dailyarb.runtime.submit import OrderPath

ROOT = Path(dailyarb.__file__).parent
WRITES = {
    ("POST", "/order"),
    ("POST", "/orders"),
    ("DELETE", "/order"),
    ("DELETE", "/orders"),
    ("DELETE", "/cancel-all"),
    ("DELETE", "/cancel-market-orders"),
    ("POST", "/v1/heartbeats"),
}


class NoAuthority:
    """Signs nothing."""

    def block(self, timestamp_s: int, method: str, path: str, body: bytes) -> bytes:
        """Returns no header."""
        return b""


class NoClock:
    """Is never asked."""


def test_the_order_path_writes_orders_cancels_and_heartbeats_only() -> None:
    path = OrderPath("http://127.0.0.1:1", NoAuthority(), "key", NoClock(), lambda event: None)
    assert set(path._heads) == WRITES


def test_no_other_code_writes_to_a_venue() -> None:
    """Everything else that speaks HTTP to a venue reads."""
    found = set()
    for file in [*(ROOT / "venues").rglob("*.py"), *(ROOT / "runtime").rglob("*.py")]:
        text = file.read_text(encoding="utf-8")
        if re.search(r"(session|client)\w*\.(post|put|patch|delete|request)\(", text):
            found.add(file.relative_to(ROOT).as_posix())
    assert found == {"runtime/replay_watch.py"}, "the control of the embedded venues themselves"


def test_no_code_names_a_transfer_of_the_chain() -> None:
    words = re.compile(r"transferFrom|safeTransfer|sendTransaction|eth_send", re.IGNORECASE)
    found = [
        file.relative_to(ROOT).as_posix()
        for file in ROOT.rglob("*.py*")
        if file.suffix in {".py", ".pyx"} and words.search(file.read_text(encoding="utf-8"))
    ]
    assert found == []
