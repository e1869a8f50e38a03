"""Serves /metrics and /healthz on this machine, from the loop that trades: the text is made at most once a second."""

import os
from collections.abc import Callable

from aiohttp import web

from daemon.errors import Failed
from daemon.prometheus import MEDIA_TYPE
from supervisor.clock import NS_PER_S, Clock

HOST = "127.0.0.1"
"""Loopback alone: who wants it elsewhere puts something in front that asks for a password."""
MAKE_EVERY_NS = NS_PER_S
"""However many ask, the picture is drawn once a second."""
KEEPALIVE_S = 15.0


class MetricsServer:
    """One port."""

    def __init__(self, clock: Clock):
        self.clock = clock
        self.text: Callable[[], str] = str  # nothing, until a run has something to tell
        self.ill: Callable[[], list[str]] = lambda: ["nothing has been started yet"]
        self.port = 0
        self._made = ""
        self._made_ns = -MAKE_EVERY_NS
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> None:
        """Listen; port 0 takes any. Raises Failed where that cannot be."""
        app = web.Application(client_max_size=0)
        app.add_routes([web.get("/metrics", self._metrics), web.get("/healthz", self._healthz)])
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEPALIVE_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            await self.close()
            why = os.strerror(error.errno) if error.errno else str(error)
            raise Failed(f"metrics_port {port}: {HOST}:{port} cannot be listened on: {why}") from error
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Let go of the port."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        now_ns = self.clock.now_ns()
        if not 0 <= now_ns - self._made_ns < MAKE_EVERY_NS:
            self._made, self._made_ns = self.text(), now_ns
        return web.Response(body=self._made.encode(), headers={"Content-Type": MEDIA_TYPE})

    async def _healthz(self, _: web.Request) -> web.Response:
        """200 while every actor is in time, else 503 with their names."""
        ill = self.ill()
        return web.Response(status=503 if ill else 200, text=f"late or down: {', '.join(ill)}\n" if ill else "ok\n")
