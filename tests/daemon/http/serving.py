"""A service for tests: the real one on a real port, in a thread with a loop of its own."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from msgspec import Struct

from daemon.http.folders import folders_in
from daemon.http.keys import SCOPES, create_key
from daemon.http.limits import Limits
from daemon.http.serve import Asked, listening, live
from supervisor.clock import Clock
from supervisor.wall import now_ns, run_wall

WAIT_S = 90.0
"""How long anything may take on a busy machine."""


def until(true: Callable[[], object], each_s: float = 0.02) -> None:
    """Wait for it, and look so often."""
    last = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < last, true()
        time.sleep(each_s)


class Served(Struct):
    """A service that runs."""

    url: str
    key: str  # with all scopes
    data_dir: Path

    def client(self, *scopes: str) -> httpx.Client:
        """A client with a key of its own for these scopes, or with the key for all."""
        key = create_key(folders_in(self.data_dir).keys, scopes, "", now_ns())[0] if scopes else self.key
        return httpx.Client(base_url=self.url, headers={"X-API-Key": key}, timeout=WAIT_S)


EASY = Limits(requests_per_s=1e6, requests_burst=1e6, strangers_per_s=1e6, strangers_burst=1e6)


@contextmanager
def serving(
    data_dir: Path, limits: Limits = EASY, workers: int = 1, public_url: str = "", port: int = 0
) -> Iterator[Served]:
    """The service until the end of the block."""
    listener = listening("127.0.0.1", port)
    where = {"host": "127.0.0.1", "port": 0, "data_dir": data_dir, "public_url": public_url}
    # Most tests need no worker: one starts where there is work for it.
    asked = Asked(**where, workers=workers, warm=False, limits=limits)
    up, stops, failed = threading.Event(), list[Callable[[], object]](), list[BaseException]()

    async def main(clock: Clock) -> None:
        def ready(stop: Callable[[], None]) -> None:
            stops.append(lambda: clock.loop.call_soon_threadsafe(stop))
            up.set()

        await live(asked, listener, clock, ready)

    def run() -> None:
        try:
            run_wall(main)
        except BaseException as error:
            failed.append(error)
        finally:
            up.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert up.wait(WAIT_S)
        if failed:
            raise failed[0]
        key = create_key(folders_in(data_dir).keys, SCOPES, "all", now_ns())[0]
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", key, data_dir)
    finally:
        for stop in stops:
            stop()
        thread.join(WAIT_S)
        listener.close()
    assert not thread.is_alive()
    if failed:
        raise failed[0]
