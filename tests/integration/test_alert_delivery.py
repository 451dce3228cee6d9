"""Alerts through Apprise arrive at real endpoints, over HTTP and SMTP."""

from __future__ import annotations

import logging

import pytest

from dailyarb.core.domain.ids import Severity
from dailyarb.runtime.alert import Channel, Dispatcher, Route
from dailyarb.runtime.apprise_send import apprise_send
from dailyarb.runtime.clock import BootClock
from dailyarb.runtime.outbox import Pace
from tests.endpoints import http_sink, smtp_sink

CLOCK = BootClock()


def dispatcher(url: str, digest_s: float = 0.0, retry_s: float = 1.0) -> Dispatcher:
    """Returns alerts with one channel to an address."""
    route = Route("test", Severity.INFO, pace=Pace(digest_s))
    channel = Channel(route, apprise_send(url), "main", CLOCK, (retry_s,))
    return Dispatcher([channel], 300.0, CLOCK)


@pytest.mark.parametrize(
    ("severity", "kind"),
    [
        (Severity.INFO, "info"),
        (Severity.WARNING, "warning"),
        (Severity.CRITICAL, "failure"),
    ],
)
def test_a_post_carries_title_text_and_severity(severity: Severity, kind: str) -> None:
    with http_sink() as sink:
        alerts = dispatcher(sink.url)
        alerts.put(severity, "pnl.day", "net -12.50 $ & <5% left>")
        told = sink.told.get(timeout=10)
        assert alerts.drain(5)
        alerts.close()
    assert told["title"] == f"dailyarb main: {severity.value}"
    assert told["message"] == "net -12.50 $ & <5% left>"
    assert told["type"] == kind


def test_a_mail_carries_subject_and_text() -> None:
    with smtp_sink() as (url, mails):
        alerts = dispatcher(url)
        alerts.put(Severity.CRITICAL, "engine.gone", "the engine died")
        mail = mails.get(timeout=10)
        assert alerts.drain(5)
        alerts.close()
    assert mail["Subject"] == "dailyarb main: CRITICAL"
    assert mail["To"] == "ann@example.org"
    body = mail.get_body(("plain", "html"))
    assert body is not None
    assert "the engine died" in body.get_content()


def test_a_digest_is_one_message_of_several_lines() -> None:
    with http_sink() as sink:
        alerts = dispatcher(sink.url, digest_s=3600.0)
        for number in range(3):
            alerts.put(Severity.WARNING, f"feed.{number}", f"feed {number} down")
        assert alerts.drain(10)
        told = sink.told.get(timeout=10)
        assert sink.told.empty()
        alerts.close()
    assert told["title"] == "dailyarb main: WARNING, 3 alerts"
    assert told["message"].splitlines() == [f"WARNING: feed {n} down" for n in range(3)]


def test_a_channel_that_refuses_says_with_which_code_and_nothing_of_its_address(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with http_sink() as sink, caplog.at_level(logging.WARNING):
        sink.status = 429
        alerts = dispatcher(sink.url, retry_s=0.0)
        alerts.put(Severity.WARNING, "feed.PM", "x")
        assert alerts.drain(10)
        state = alerts.channels[0].state()
        assert (state.ok, state.detail) == (False, "refused with status 429 (2 times)")
        sink.status = 200
        alerts.put(Severity.CRITICAL, "engine.gone", "the engine died")
        assert alerts.drain(10)
        assert sink.told.get(timeout=5)["message"] == "the engine died"
        assert alerts.channels[0].state().ok
        alerts.close()
    assert "canary" not in caplog.text + "".join(capfd.readouterr())


def test_an_endpoint_that_is_not_there_is_told_without_its_address() -> None:
    with http_sink() as sink:
        url = sink.url
    assert apprise_send(url)(Severity.INFO, "t", "x") == "could not be reached"


def test_an_address_that_is_not_understood_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="not understood") as caught:
        apprise_send("nonsense:canary-5d1f0c3b")
    assert "canary" not in str(caught.value)
