"""`make streams`: 200 clients read at real-time pace and 100 do not, for ten minutes; exits 1 where it costs too much.

    at most half a core of the service     no reader is cut, each hears its market at its pace
    memory flat                            after the first two blocks of each market, by less than a tenth

The readers are in this process, which is not measured.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from msgspec import Struct

from daemon.http.folders import folders_in
from daemon.http.keys import create_key

ROOT = Path(__file__).resolve().parents[2]
READERS, MUTE = 200, 100
CORES_MAX = 0.5
GROWTH_MAX = 1.1
LOOK_EACH_S = 20.0
SETTLED = 0.5
"""Share of the time after which memory is to stay: by then every market has made its second block."""

CONNECT_EACH_S = 0.06  # the key's own pace
BYTES_A_READ = 1 << 16


class Heard(Struct):
    """What all readers have heard."""

    events: int = 0
    cut: int = 0


class Usage(Struct):
    """What a process has taken."""

    cpu_s: float
    mb: float


def usage_of(pid: int) -> Usage:
    """What it has taken until now."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Usage((int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


async def opened(url: str, key: str, query: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has asked for a stream."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /stream/live?{query} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n".encode())
    await writer.drain()
    return reader, writer


async def listen(reader: asyncio.StreamReader, heard: Heard) -> None:
    """Read to the end."""
    while piece := await reader.read(BYTES_A_READ):
        heard.events += piece.count(b"\ndata: ")
    heard.cut += 1


async def watch(url: str, key: str, pid: int, asked: argparse.Namespace) -> bool:
    """Open all streams, look now and then, say what was seen; whether it was good."""
    heard, tasks, mute = Heard(), [], []
    for seed in range(READERS):
        reader, writer = await opened(url, key, f"symbol={asked.symbol}&seed={seed}")
        tasks.append(asyncio.create_task(listen(reader, heard)))
        mute.append(writer)
        await asyncio.sleep(CONNECT_EACH_S)
    for seed in range(MUTE):
        reader, writer = await opened(url, key, f"symbol={asked.symbol}&seed={seed}&speed=0")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        mute.append(writer)
        await asyncio.sleep(CONNECT_EACH_S)
    await asyncio.sleep(LOOK_EACH_S)
    begun, passed_s, settled_mb, good = usage_of(pid), 0.0, 0.0, True
    events = heard.events
    while passed_s < asked.seconds:
        await asyncio.sleep(LOOK_EACH_S)
        passed_s += LOOK_EACH_S
        now = usage_of(pid)
        cores, rate = (now.cpu_s - begun.cpu_s) / passed_s, (heard.events - events) / passed_s
        print(
            f"{passed_s:6.0f} s  {cores:.3f} cores  {now.mb:5.0f} MB  {rate:6.0f} events/s  {heard.cut} cut", flush=True
        )
        settled_mb = settled_mb or (now.mb if passed_s >= asked.seconds * SETTLED else 0.0)
        good = cores <= CORES_MAX and heard.cut == 0 and (not settled_mb or now.mb <= settled_mb * GROWTH_MAX)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for writer in mute:
        writer.close()
    return good


def main() -> int:
    """Start the service and load it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--symbol", default="BTCUSDT", help="A market with a book each 100 ms; BTC has one each 550.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        key = create_key(folders_in(Path(folder)).keys, ["stream"], "", 1)[0]
        command = [sys.executable, "-m", "daemon", "serve", "--port", "0", "--json", "--workers", "1"]
        service = subprocess.Popen([*command, "--data-dir", folder], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert service.stdout is not None
            url = json.loads(service.stdout.readline())["url"]
            good = asyncio.run(watch(url, key, service.pid, asked))
        finally:
            service.send_signal(signal.SIGTERM)
            code = service.wait()
    print("good" if good and code == 0 else "NOT good")
    return 0 if good and code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
