"""The client of the control socket: synchronous, small, and clear about what went wrong."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Self

from daemon.errors import BadInput, DaemonAbsent, Failed

SOCKET_NAME = "control.sock"
"""The Unix socket in the data directory."""
TOKEN_NAME = "control.token"
"""Where Unix sockets are missing: host, port and token of the loopback server, readable by its owner alone."""
TIMEOUT_S = 10.0
"""Longest wait for an answer; a flatten has been accepted, not finished, when it is answered."""
ANSWER_BYTES_MAX = 8 * 1024 * 1024
"""Twice what the server may send: whatever is longer did not come from obid."""
KNOCK_S = 0.01
"""Between attempts to get into a queue that is full."""
SUN_PATH_MAX = 100
"""Bytes of a socket's address: the kernel has 108 on Linux and 104 on macOS."""


class ControlClient:
    """One connection to the daemon of a data directory; use it in a `with`."""

    def __init__(self, data_dir: Path, timeout_s: float = TIMEOUT_S):
        self.data_dir = data_dir
        self.timeout_s = timeout_s
        self.token = ""
        self._count = 0
        self._socket = self._connect()
        self._lines = self._socket.makefile("rb")

    def ask(self, verb: str, args: dict[str, Any] | None = None) -> Any:
        """The data of one answer. Raises BadInput when the daemon refuses the arguments, Failed when it failed."""
        self._send(verb, args or {})
        return self._data_of(self._receive())

    def subscribe(self, events: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
        """Events as they happen, as (name, data); the name `dropped` counts what this client was too slow for."""
        self.ask("subscribe", {"events": events})
        self._socket.settimeout(None)
        while True:
            message = self._receive()
            yield message["event"], message["data"]

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def _send(self, verb: str, args: dict[str, Any]) -> None:
        self._count += 1
        # a reason from a terminal that does not speak UTF-8 is no reason not to halt
        said = {
            name: one.encode(errors="replace").decode() if isinstance(one, str) else one for name, one in args.items()
        }
        request = {"id": self._count, "verb": verb, "args": said}
        if self.token:
            request["token"] = self.token
        try:
            self._socket.sendall(json.dumps(request, allow_nan=False).encode() + b"\n")
        except OSError as error:
            raise Failed(f"the daemon hung up before it was asked: {error}") from error

    def _receive(self) -> dict[str, Any]:
        try:
            line = self._lines.readline(ANSWER_BYTES_MAX)
        except TimeoutError as error:
            raise Failed(f"no answer within {self.timeout_s:g} s: the daemon is stuck or very busy") from error
        except OSError as error:
            raise Failed(f"the daemon hung up: {error}") from error
        if not line.endswith(b"\n"):
            raise Failed("the daemon hung up without an answer")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _data_of(self, answer: dict[str, Any]) -> Any:
        if answer.get("ok"):
            return answer["data"]
        error = answer["error"]
        if error["field"]:
            raise BadInput(error["field"], error["value"], error["right"])
        raise Failed(error["text"])

    def _connect(self) -> socket.socket:
        try:
            if hasattr(socket, "AF_UNIX") and not (self.data_dir / TOKEN_NAME).exists():
                return self._connect_unix()
            return self._connect_loopback()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise DaemonAbsent(
                f"no daemon answers at {self.data_dir / SOCKET_NAME}; start one with "
                f"`obid run --data-dir {self.data_dir}`, or name its --data-dir"
            ) from error
        except OSError as error:
            raise Failed(f"cannot reach the daemon at {self.data_dir / SOCKET_NAME}: {error}") from error

    def _knock(self, client: socket.socket, address: str) -> None:
        """Connect, again while others fill the queue at the door: the kernel lets nobody wait there. Raises OSError."""
        pause = Event()
        for _ in range(max(1, round(self.timeout_s / KNOCK_S))):
            try:
                client.connect(address)
                return
            except BlockingIOError:
                pause.wait(KNOCK_S)
        client.connect(address)

    def _connect_unix(self) -> socket.socket:
        directory = os.open(self.data_dir, os.O_RDONLY)
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            client.settimeout(self.timeout_s)
            self._knock(client, address_of(self.data_dir, directory))
        except BaseException:
            client.close()
            raise
        finally:
            os.close(directory)
        return client

    def _connect_loopback(self) -> socket.socket:
        where = json.loads((self.data_dir / TOKEN_NAME).read_bytes())
        self.token = where["token"]
        return socket.create_connection((where["host"], where["port"]), self.timeout_s)


def address_of(data_dir: Path, directory: int) -> str:
    """The socket's address; by way of the open directory where the path is longer than the kernel's field for it."""
    path = str(data_dir / SOCKET_NAME)
    if len(os.fsencode(path)) <= SUN_PATH_MAX:
        return path
    if not os.path.isdir(f"/proc/self/fd/{directory}"):
        raise BadInput("--data-dir", data_dir, f"is too long for a Unix socket: at most {SUN_PATH_MAX - 13} bytes")
    return f"/proc/self/fd/{directory}/{SOCKET_NAME}"
