"""Hyperliquid's way with a WebSocket: where it is, and the messages that are its ping and its pong."""

from collections.abc import Callable
from urllib.parse import urlsplit

from supervisor.clock import Clock
from venues import socket
from venues.socket import Ended, NotConnected, SocketLimits, Speech, Why

__all__ = ["Ended", "NotConnected", "Socket", "SocketLimits", "Why", "socket_url"]

SPEECH = Speech(ping=b'{"method":"ping"}', pong=b'"pong"')


class Socket(socket.Socket):
    """A connection to Hyperliquid that stands, or has ended."""

    def __init__(self, clock: Clock, limits: SocketLimits, wake: Callable[[], None]):
        super().__init__(clock, limits, wake, SPEECH)


def socket_url(base_url: str) -> str:
    """The WebSocket beside a REST base URL: ws for http, wss for https, path kept, /ws at its end. ValueError."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"base_url must be http(s)://host[:port][/path], not {parts.scheme or 'no scheme'!r}")
    return f"ws{parts.scheme[4:]}://{parts.netloc}{parts.path.rstrip('/')}/ws"
