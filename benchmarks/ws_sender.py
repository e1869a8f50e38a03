"""The other end of benchmarks.hl_end_to_end: a WebSocket server that sends the same books to each client, flat out.

`python -m benchmarks.ws_sender ROUNDS GAP_MS`; prints its port as JSON. A client is served when it has subscribed to
every coin: each subscription is confirmed, then all frames leave as fast as the client takes them. The frames are
packed beforehand, so that the sender costs little beside the client it feeds.
"""

import json
import socket
import struct
import sys
from base64 import b64encode
from hashlib import sha1
from typing import BinaryIO

from benchmarks.frames import coins, frames
from benchmarks.priority import hurried

ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3: what a server adds to a client's key."""

TEXT = 0x81
SHORT_MAX, LENGTH_16 = 125, 126
CHUNK = 1 << 20


def packed(data: bytes) -> bytes:
    """A server's text frame of up to 64 KiB."""
    if len(data) <= SHORT_MAX:
        return bytes((TEXT, len(data))) + data
    return struct.pack("!BBH", TEXT, LENGTH_16, len(data)) + data


def unpacked(stream: BinaryIO) -> bytes:
    """The next message of a client: short and masked. EOFError at the end."""
    head = stream.read(2)
    if len(head) < 2:
        raise EOFError
    length = head[1] & 0x7F
    if length == LENGTH_16:
        length = int.from_bytes(stream.read(2), "big")
    mask = stream.read(4)
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(stream.read(length)))


def shake(stream: BinaryIO) -> bytes:
    """The answer to a client's handshake."""
    key = b""
    while line := stream.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            key = value.strip()
    accept = b64encode(sha1(key + ACCEPT).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def serve(client: socket.socket, wanted: int, stream: bytes) -> None:
    """One client, until it hangs up."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client, client.makefile("rb") as said:
        client.sendall(shake(said))
        while wanted:
            message = json.loads(unpacked(said))
            if message["method"] == "subscribe":
                client.sendall(packed(json.dumps({"channel": "subscriptionResponse", "data": message}).encode()))
                wanted -= 1
        for at in range(0, len(stream), CHUNK):
            client.sendall(stream[at : at + CHUNK])
        unpacked(said)  # a goodbye; we hang up


def main(rounds: int, gap_ms: int, priority: str) -> None:
    """Serve one client after the other."""
    stream = b"".join(packed(frame.data) for frame in frames(rounds, gap_ms))
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(json.dumps({"port": server.getsockname()[1], "priority": priority}), flush=True)
        while True:
            client, _ = server.accept()
            try:
                serve(client, len(coins()), stream)
            except (EOFError, ConnectionError):
                continue


if __name__ == "__main__":
    with hurried(core=0) as granted:
        main(int(sys.argv[1]), int(sys.argv[2]), granted)
