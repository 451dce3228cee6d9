"""The order over TLS: ours and the official client reach one server, and rows tell how soon."""

from __future__ import annotations

import os

import pytest

from dailyarb.bench import tls


def test_orders_reach_a_server_whose_certificate_was_made_for_the_run(monkeypatch) -> None:
    monkeypatch.setattr(tls, "ORDERS", 5)
    monkeypatch.setattr(tls, "_official", lambda url, trust: {})
    rows = tls.run(2)
    assert [row["name"] for row in rows] == [f"{tls.NAME}, p50", f"{tls.NAME}, p99"]
    for row in rows:
        assert set(row) == {"name", "unit", "ours", "peers", "ratio_to_best_peer"}
        assert 1_000 < row["ours"] < 5e9  # type: ignore[operator]
        assert row["peers"] == {}
        assert row["ratio_to_best_peer"] is None


def test_the_official_client_sends_the_same_order_over_each_curve(monkeypatch) -> None:
    pytest.importorskip("py_clob_client_v2")
    monkeypatch.setattr(tls, "ORDERS", 21)
    monkeypatch.setenv(tls.CURVE, "eth_keys.backends.CoinCurveECCBackend")
    p50, p99 = tls.run(1)
    for row in (p50, p99):
        assert set(row["peers"]) == {tls.OFFICIAL, f"{tls.OFFICIAL}, coincurve"}  # type: ignore[call-overload]
    # Its own curve is written in Python: several times the work of coincurve's.
    peers = p50["peers"]
    assert peers[tls.OFFICIAL] > peers[f"{tls.OFFICIAL}, coincurve"]  # type: ignore[index]
    assert os.environ[tls.CURVE] == "eth_keys.backends.CoinCurveECCBackend"


def test_an_official_client_that_is_not_installed_is_left_out(monkeypatch) -> None:
    monkeypatch.setattr(tls, "installed", lambda name: None)
    assert tls._official("https://127.0.0.1:1", None) == {}  # type: ignore[arg-type]
