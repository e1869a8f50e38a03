"""The other end of benchmarks.paced: a server that sends one client stamped frames at a rate and hangs up.

`python -m benchmarks.paced_sender RATE FRAMES`; prints its port as JSON, and at the end how fast it was.
"""

import json
import socket
import sys
import time

from benchmarks.framed import HEAD
from benchmarks.frames import STAMP, START_MS, coins, frames
from benchmarks.priority import hurried

ROUNDS = 36
"""Rounds of 28 coins that are made beforehand, a thousand frames; then their shapes come again with later times."""

NS_PER_S = 1_000_000_000
MS_PER_S = 1_000
SPIN_NS = 20_000
"""The last of a wait is spent looking at the clock: a sleep is late by about this much."""


def pieces(count: int) -> list[tuple[bytes, bytes, bytes]]:
    """Frames cut at their two numbers: before the stamp, between stamp and time, after the time."""
    made = []
    for frame in frames(-(-count // len(coins())), 1, one_by_one=True, stamped=True)[:count]:
        head, _, rest = frame.data.partition(str(STAMP).encode())
        middle, _, tail = rest.partition(str(frame.at_ns // 1_000_000).encode())
        made.append((head, middle, tail))
    return made


def main(rate: int, count: int, priority: str) -> None:
    """Serve one client."""
    cut = pieces(ROUNDS * len(coins()))
    gap_ns = NS_PER_S / rate

    with socket.create_server(("127.0.0.1", 0)) as server:
        print(json.dumps({"port": server.getsockname()[1], "priority": priority}), flush=True)
        client, _ = server.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    now_ns, shapes = time.monotonic_ns, len(cut)
    start_ns = now_ns()
    for number in range(count):
        due_ns = start_ns + round(number * gap_ns)
        if (left_ns := due_ns - now_ns()) > SPIN_NS:
            time.sleep((left_ns - SPIN_NS) / NS_PER_S)
        while now_ns() < due_ns:
            pass
        head, middle, tail = cut[number % shapes]
        frame = b"%b%d%b%d%b" % (head, STAMP + now_ns(), middle, START_MS + number * MS_PER_S // rate, tail)
        client.sendall(HEAD.pack(len(frame)) + frame)
    took_s = (now_ns() - start_ns) / NS_PER_S
    client.close()
    print(json.dumps({"rate": count / took_s}), flush=True)


if __name__ == "__main__":
    with hurried(core=0) as granted:
        main(int(sys.argv[1]), int(sys.argv[2]), granted)
