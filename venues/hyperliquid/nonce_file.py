"""The floor of a signer's nonces in a file of the data directory, so that a restart begins above them."""

import os
from contextlib import suppress
from functools import partial
from pathlib import Path

from supervisor.clock import Clock
from venues.hyperliquid.nonce import Nonces
from venues.hyperliquid.sign import SignerAddress


class DamagedFloor(Exception):
    """The file of a floor holds no number."""


class NonceFile:
    """Nonces whose floor is on disk before they lead it; one for each signer and data directory."""

    def __init__(self, folder: Path, signer: SignerAddress, clock: Clock):
        self.path = folder / f"nonce-{signer}"
        self.clock = clock
        self._nonces = Nonces(_read(self.path))
        self._writing = False

    async def take(self) -> int:
        """The next nonce. Raises ClockBehind."""
        nonce = self._nonces.take(self.clock.now_ns())
        if not self._writing and (floor := self._nonces.floor(self.clock.now_ns())) is not None:
            self._writing = True
            try:
                with suppress(OSError):  # a full disk: no exit waits for it, and the next nonce tries again
                    await self.clock.in_thread(partial(_write, self.path, floor))
                    self._nonces.kept(floor)
            finally:
                self._writing = False
        return nonce


def _read(path: Path) -> int:
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        return 0
    if not text.isdigit():
        raise DamagedFloor(f"{path} holds no number; remove it if no other daemon signs with this key")
    return int(text)


def _write(path: Path, floor: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    with aside.open("w", encoding="ascii") as file:
        file.write(f"{floor}\n")
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
