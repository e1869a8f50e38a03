"""The lock of a signer: one process at a time signs with a key, whatever data directory it has.

The venue takes each nonce of a signer once and forgets all but the hundred highest. Two daemons that count for
themselves would use the same ones, and an order would be refused for another one's number. The floor of the nonces is
in the data directory, so the lock is where every data directory of the user finds it. A key that signs on two machines
is beyond it: give each machine an agent wallet of its own.
"""

from pathlib import Path
from types import TracebackType
from typing import Self

from config.errors import ConfigError
from config.places import NAME, default_data_dir
from daemon.lock import DIRECTORY_MODE, FileLock, Taken


def signers_dir() -> Path:
    """Where the locks are: beside the user's default state directory."""
    return default_data_dir().with_name(f"{NAME}-signers")


class SignerLock:
    """The right to sign with one key on one chain, while it is entered."""

    def __init__(self, field: str, address: str, chain: str):
        self.field = field  # the setting that holds the key
        self.address = address
        self._lock = FileLock(signers_dir() / f"{chain}-{address}.lock")

    def __enter__(self) -> Self:
        path = self._lock.path
        try:
            path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            self._lock.acquire()
        except Taken as error:
            right = (
                f"another obid (pid {error.pid or 'unknown'}) signs with {self.address} and would use the same nonces"
            )
            raise ConfigError(self.field, f"{right}: stop it, or give this one an agent wallet of its own") from error
        except OSError as error:
            raise ConfigError(self.field, f"there is no place for its lock, {path}: {error.strerror}") from error
        return self

    def __exit__(self, _kind: object, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._lock.release()
