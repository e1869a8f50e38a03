"""Where the control socket listens: a Unix socket that only its owner can reach, or loopback with a token."""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

from daemon.control_client import SOCKET_NAME, TOKEN_NAME, address_of
from daemon.lock import FILE_MODE, DataDirLock
from supervisor.entropy import unguessable

UMASK = 0o177
"""Makes the socket 0600 from its first moment: a chmod after the bind leaves a window."""
CREDENTIALS = struct.Struct("3i")
"""What SO_PEERCRED answers on Linux: pid, uid, gid."""
LOOPBACK = "127.0.0.1"
ROOT = 0

Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def unix_is_there() -> bool:
    """Whether this machine's asyncio has Unix sockets; Windows' has none."""
    return hasattr(socket, "AF_UNIX") and hasattr(asyncio, "start_unix_server")


async def listen_unix(lock: DataDirLock, connected: Connected, line_bytes_max: int) -> asyncio.Server:
    """Listen at <data_dir>/control.sock. A socket left by a killed daemon is removed only by the lock's owner."""
    if not lock.held:
        raise RuntimeError(f"{lock.data_dir} is not locked by this process, so its socket may be another's")
    (lock.data_dir / SOCKET_NAME).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory = os.open(lock.data_dir, os.O_RDONLY)
    before = os.umask(UMASK)
    try:
        listener.bind(address_of(lock.data_dir, directory))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
        os.close(directory)
    return await asyncio.start_unix_server(connected, sock=listener, limit=line_bytes_max)


async def listen_loopback(lock: DataDirLock, connected: Connected, line_bytes_max: int) -> tuple[asyncio.Server, str]:
    """Listen on a free port of loopback and write port and token where only the owner can read them."""
    if not lock.held:
        raise RuntimeError(f"{lock.data_dir} is not locked by this process")
    server = await asyncio.start_server(connected, LOOPBACK, 0, limit=line_bytes_max)
    token = unguessable()
    where = {"host": LOOPBACK, "port": server.sockets[0].getsockname()[1], "token": token}
    write_private(lock.data_dir / TOKEN_NAME, json.dumps(where).encode())
    return server, token


def write_private(path: Path, content: bytes) -> None:
    """A new file that only its owner can ever read."""
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        os.write(file, content)
    finally:
        os.close(file)


def forget(data_dir: Path) -> None:
    """Remove what a client would look for."""
    (data_dir / SOCKET_NAME).unlink(missing_ok=True)
    (data_dir / TOKEN_NAME).unlink(missing_ok=True)


def stranger(writer: asyncio.StreamWriter) -> str:
    """Who connected, if it is neither the daemon's own user nor root; empty for a friend.

    Where the kernel does not tell (macOS, loopback), the 0700 directory around the socket or the token decides.
    """
    peer = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED") or peer is None or peer.family != socket.AF_UNIX:
        return ""
    pid, uid, _ = CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
    return "" if uid in (os.geteuid(), ROOT) else f"uid {uid}, pid {pid}"
