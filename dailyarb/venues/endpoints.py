"""Where the venues are: the live hosts, or the embedded ones as they announce themselves."""

from __future__ import annotations

import json

import msgspec

from dailyarb.core.domain.errors import ConfigError, Problem


class Endpoints(msgspec.Struct, frozen=True):
    """Is every address the runtime connects to, without trailing slashes.

    clob_ws and the entries of binance_ws are bases: the channel path is appended here.
    settle_ws is the complete address of the settling feed. Several entries of binance_ws are the
    same stream on different hosts; redundant connections spread over them.
    """

    clob_http: str
    clob_ws: str
    gamma_http: str
    settle_ws: str
    binance_ws: tuple[str, ...]
    binance_http: str
    tls: bool = True

    @property
    def market_ws(self) -> str:
        """Returns the address of the market channel."""
        return f"{self.clob_ws}/ws/market"

    @property
    def user_ws(self) -> str:
        """Returns the address of the user channel."""
        return f"{self.clob_ws}/ws/user"

    def stream_urls(self, streams: tuple[str, ...], micros: bool) -> tuple[str, ...]:
        """Returns the combined-stream address of these streams on each Binance host."""
        tail = "/stream?streams=" + "/".join(streams)
        unit = "&timeUnit=MICROSECOND" if micros else ""
        return tuple(f"{base}{tail}{unit}" for base in self.binance_ws)


# The data-only Binance hosts come first: they are the ones that answer in most places.
LIVE = Endpoints(
    clob_http="https://clob.polymarket.com",
    clob_ws="wss://ws-subscriptions-clob.polymarket.com",
    gamma_http="https://gamma-api.polymarket.com",
    settle_ws="wss://ws-live-v2.polymarket.com/ws",
    binance_ws=(
        "wss://data-stream.binance.vision",
        "wss://stream.binance.com:443",
        "wss://stream.binance.com:9443",
    ),
    binance_http="https://data-api.binance.vision",
)

SETTLE_PATH = "/ws"
_REQUIRED = ("clob_http", "clob_ws", "gamma_http", "settle_ws", "binance_ws", "binance_http")


def parse(text: str | bytes) -> Endpoints:
    """Returns the endpoints a venue process announced as one JSON object.

    They may stand under the key `endpoints` of a larger greeting. Other keys of the object are
    ignored; `tls` follows from the scheme of clob_http. The settling feed may be announced as a
    base or with its path.

    Raises:
        ConfigError: not an object, or an address is missing or not text.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise _wrong("", f"not JSON: {error}") from error
    if isinstance(found, dict) and isinstance(found.get("endpoints"), dict):
        found = found["endpoints"]
    if not isinstance(found, dict):
        raise _wrong("", "not an object")
    values: dict[str, str] = {}
    for key in _REQUIRED:
        value = found.get(key)
        if key == "binance_ws":
            continue
        if not isinstance(value, str) or "://" not in value:
            raise _wrong(key, f"{value!r} is not an address")
        values[key] = value.rstrip("/")
    values["settle_ws"] = values["settle_ws"].removesuffix(SETTLE_PATH) + SETTLE_PATH
    hosts = found.get("binance_ws")
    hosts = [hosts] if isinstance(hosts, str) else hosts
    if not isinstance(hosts, list) or not hosts or not all(isinstance(h, str) for h in hosts):
        raise _wrong("binance_ws", f"{hosts!r} is neither an address nor a list of them")
    return Endpoints(
        binance_ws=tuple(host.rstrip("/") for host in hosts),
        tls=values["clob_http"].startswith("https:"),
        **values,
    )


def _wrong(key: str, what: str) -> ConfigError:
    return ConfigError([Problem("endpoints", 0, key, what)])
