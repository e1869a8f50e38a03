"""Posts alerts, one after the other, beside everything else: a webhook that hangs or refuses stops nobody.

The address is a secret: it is in no log, no error and no repr.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import httpx
from pydantic import SecretStr

from supervisor.clock import Clock

TIMEOUT_S = 10.0
TRIES_MAX = 6
WAIT_S, WAIT_S_MAX = 2.0, 60.0
"""Between tries, doubled each time; a venue of webhooks that says when to come back is believed up to the most."""
QUEUE_MAX = 100
"""Alerts that wait; the oldest go first, because the newest say how things are."""
TOO_MANY, SERVER_ERROR = 429, 500


class Sender:
    """One webhook."""

    def __init__(self, clock: Clock, url: SecretStr, lost: Callable[[str], None]):
        self.clock = clock
        self.sent = 0
        self._url = url
        self._lost = lost  # is told, without the address, of what could not be delivered
        self._waiting: deque[dict[str, Any]] = deque()
        self._woken = asyncio.Event()
        self._busy = False

    def __repr__(self) -> str:
        return f"Sender(sent={self.sent}, waiting={len(self._waiting)})"

    def put(self, body: dict[str, Any]) -> None:
        """Send it when its turn comes."""
        if len(self._waiting) >= QUEUE_MAX:
            self._waiting.popleft()
            self._lost("too many wait: the oldest was dropped")
        self._waiting.append(body)
        self._woken.set()

    @property
    def idle(self) -> bool:
        """Whether all is delivered, or given up."""
        return not self._waiting and not self._busy

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with self._client() as client:
            while True:
                await self._woken.wait()
                self._woken.clear()
                while self._waiting:
                    self._busy = True
                    await self._deliver(client, self._waiting.popleft())
                    self._busy = False

    def _client(self) -> httpx.AsyncClient:
        """One that takes the environment's proxy, where there is one that can be used."""
        try:
            return httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=True)
        except Exception as error:  # ImportError of SOCKS, ValueError, InvalidURL: its text may hold a password
            self._lost(f"the proxy of the environment cannot be used ({type(error).__name__}): asked without one")
            return httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)

    async def _deliver(self, client: httpx.AsyncClient, body: dict[str, Any]) -> None:
        why = ""
        for number in range(TRIES_MAX):
            wait_s = min(WAIT_S_MAX, WAIT_S * 2.0**number)
            try:
                answer = await client.post(self._url.get_secret_value(), json=body)
            except Exception as error:  # not of httpx alone: whoever ends here sends nothing ever after
                why = type(error).__name__  # its text may hold the address
            else:
                if answer.is_success:
                    self.sent += 1
                    return
                why = f"HTTP {answer.status_code}"
                if answer.status_code != TOO_MANY and answer.status_code < SERVER_ERROR:
                    break  # it will not take this, however often it is asked
                asked = answer.headers.get("retry-after", "")
                wait_s = min(WAIT_S_MAX, float(asked)) if asked.isdecimal() else wait_s
            if number + 1 < TRIES_MAX:
                await self.clock.sleep(wait_s)
        self._lost(f"the webhook did not take it: {why}")
