"""What a service tells systemd: that it is up, that it lives, what it does; nothing where nobody asked.

One datagram each to the socket in NOTIFY_SOCKET (sd_notify(3)); a name that begins with @ is abstract. What cannot be
sent is dropped: a supervisor that does not listen is no reason to stop.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

SOCKET, WATCHDOG_USEC, WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"
US_PER_S = 1_000_000


class Notifier:
    """A voice towards whoever started this process."""

    def __init__(self, environ: Mapping[str, str] = os.environ):
        name = environ.get(SOCKET, "")
        self._to = "\0" + name[1:] if name.startswith("@") else name
        usec, pid = environ.get(WATCHDOG_USEC, ""), environ.get(WATCHDOG_PID, "")
        mine = not pid or pid == str(os.getpid())
        self.watchdog_s = int(usec) / US_PER_S if usec.isdigit() and mine else 0.0  # 0: nobody waits for ALIVE
        self._status = ""

    @property
    def listened_to(self) -> bool:
        """Whether whoever started this process wants to hear from it."""
        return bool(self._to)

    def say(self, *lines: str) -> bool:
        """Send lines like READY=1; says whether they left."""
        if not self._to or not hasattr(socket, "AF_UNIX"):
            return False
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
            door.setblocking(False)
            door.sendto("\n".join(lines).encode(), self._to)
            return True
        return False

    def status(self, text: str) -> None:
        """Say in a line what is done now, when it changes (`systemctl status` shows it)."""
        if text != self._status:
            self._status = text
            self.say(f"STATUS={' '.join(text.split())}")
