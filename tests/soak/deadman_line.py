"""A line that can be cut: a TCP proxy between the daemon and its venue, in a thread of the drill.

Cut means mute: what was connected stays so and carries nothing, what connects now is taken and hears nothing. That is
what a dead route looks like, and harder to notice than a reset.
"""

import socket
import threading
from urllib.parse import urlsplit

PIECE = 1 << 16


class LineToVenue:
    """One listening port, one venue behind it."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        self.there = (str(parts.hostname), int(parts.port or 80))
        self.muted = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """From now on nothing passes."""
        self.muted.set()

    def mend(self) -> None:
        """New connections pass again; those that were cut are gone."""
        held, self._open = self._open, []
        for one in held:
            one.close()
        self.muted.clear()

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()
        self.mend()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(here)
            if self.muted.is_set():
                continue
            there = socket.create_connection(self.there)
            self._open.append(there)
            for source, sink in ((here, there), (there, here)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while piece := source.recv(PIECE):
                if self.muted.is_set():
                    return  # what is under way is lost, and neither side is told
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return
