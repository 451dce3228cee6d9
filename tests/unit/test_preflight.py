"""Alert channels in the preflight: none may be wished for, but not that all are dead."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dailyarb.core.domain.preflight import failed, preflight
from dailyarb.core.domain.view import ChannelRow
from dailyarb.tui.fixtures import running

PHONE, SLACK = ChannelRow("phone", True, 0, 5), ChannelRow("slack", False, 2, None, "refused")
DOG = ChannelRow("watchdog", True, 0, 5)


@pytest.mark.parametrize(
    ("channels", "ok", "detail"),
    [
        ((), True, "none: log and console"),
        ((DOG,), True, "none: log and console"),
        ((PHONE, SLACK, DOG), True, "phone, slack DOWN"),
        ((SLACK, DOG), False, "slack DOWN"),
    ],
)
def test_somebody_must_be_reachable(
    channels: tuple[ChannelRow, ...], ok: bool, detail: str
) -> None:
    view = replace(running(), channels=channels)
    (row,) = (row for row in preflight(view) if row.name == "alerts")
    assert (row.ok, row.detail) == (ok, detail)
    assert any(text.startswith("alerts: ") for text in failed(view)) is not ok
