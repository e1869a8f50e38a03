"""What is loaded before the first fork, so that no life has to: modules, certificates, signatures, the configuration.

A life that starts in a process of its own spends a third of a second of CPU on these, and a tenth on all the rest.
"""

import asyncio
import contextlib
import functools
import gc
import importlib.util
import sys

import httpx

from daemon import hyperliquid, run
from daemon.configured import configure
from tests.soak.kill_life import Home

LAZY = ("uvloop", "daemon.alpaca", "encodings.idna", "websockets.asyncio.client", "h11")
"""Loaded by the daemon when it needs them."""

SNIFFER = "sniffio"
"""What httpcore asks for the kind of loop, if it is installed."""

NOBODY = "http://127.0.0.1:9/"
"""The discard port: nobody listens there, or nobody answers."""
ASKED_S = 0.2


def warm() -> None:
    """Load; the process has no thread and no loop afterwards, so that it can be forked."""
    hyperliquid.prepare()
    for name in LAZY:
        importlib.import_module(name)
    if importlib.util.find_spec(SNIFFER) is None:
        sys.modules[SNIFFER] = None  # type: ignore[assignment]  # else every request looks for it on the disk again
    transport = importlib.import_module("httpx._transports.default")
    transport.create_ssl_context = functools.cache(transport.create_ssl_context)  # type: ignore[attr-defined]
    asyncio.run(_ask_nobody())
    gc.collect()
    gc.freeze()


async def _ask_nobody() -> None:
    """A request loads what requests need, whatever comes of it."""
    async with httpx.AsyncClient(timeout=ASKED_S, trust_env=False) as client:
        with contextlib.suppress(httpx.HTTPError):
            await client.get(NOBODY)


def load(home: Home) -> None:
    """Read the configuration that all lives of a batch have."""
    configured = configure(home.options())
    run.configure = lambda options: configured
    gc.collect()
    gc.freeze()
