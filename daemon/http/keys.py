"""API keys: shown once, kept as SHA-256, one small file each, so that a running service and the command line agree.

    keys/ID.json        what a key may do; written by `obid keys`, read by the service when the folder changed
    keys/used/ID        when it was last used; written by the service alone, at most once a minute

A key is 256 bits of chance, so a plain hash of it is as safe as a slow one: there is nothing to guess.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from config.errors import ConfigError
from supervisor.clock import NS_PER_S
from supervisor.entropy import unguessable
from venues.aleatoric.artifacts.files import whole

SCOPES = ("generate", "stream", "metrics", "mcp")
PREFIX = "ak_live_"
"""How the keys of the service that this one is modelled on begin."""

LOG = logging.getLogger("obid.http")
SUFFIX, USED = ".json", "used"
ID_FIGURES = 12  # hexadecimal, of the hash: names a key in lists and logs, and opens nothing
OWNER_ONLY = 0o600
SETTLED_NS = 2 * NS_PER_S
"""A folder that changed more recently is read again: its stamp may not tell two changes of one moment apart."""
USED_EACH_NS = 60 * NS_PER_S


class Key(Struct, frozen=True, kw_only=True):
    """What is known of a key; not the key."""

    id: str
    sha256: str
    scopes: tuple[str, ...]
    name: str = ""
    created_ns: int
    revoked_ns: int = 0  # 0: it is good


def create_key(folder: Path, scopes: Iterable[str], name: str, now_ns: int) -> tuple[str, Key]:
    """A new key and what is kept of it; nobody can show the key again. Raises ConfigError and OSError."""
    text = PREFIX + unguessable()
    hashed = sha256(text.encode()).hexdigest()
    key = Key(id=hashed[:ID_FIGURES], sha256=hashed, scopes=parse_scopes(scopes), name=name, created_ns=now_ns)
    _write(folder, key)
    return text, key


def parse_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Scopes in their usual order, each once. Raises ConfigError."""
    asked = set(scopes)
    for scope in sorted(asked - set(SCOPES)):
        raise ConfigError("--scope", f"must be one of {', '.join(SCOPES)}", scope)
    if not asked:
        raise ConfigError("--scope", f"say what the key may do, one or more of {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in asked)


def list_keys(folder: Path) -> list[Key]:
    """All keys, oldest first, the revoked ones too. Raises ConfigError for a file that is no key."""
    keys = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            keys.append(msgspec.json.decode(path.read_bytes(), type=Key))
        except msgspec.DecodeError as error:
            raise ConfigError(
                "keys", f"cannot be read: {error}; restore or remove it", path.name, str(folder)
            ) from error
    return sorted(keys, key=lambda key: (key.created_ns, key.id))


def revoke_key(folder: Path, key_id: str, now_ns: int) -> Key:
    """Let a key open nothing any more. Raises ConfigError."""
    found = {key.id: key for key in list_keys(folder)}
    if key_id not in found:
        raise ConfigError("ID", "there is no such key; `obid keys list` shows them", key_id)
    key = found[key_id]
    if not key.revoked_ns:
        key = replace(key, revoked_ns=now_ns)
        _write(folder, key)
    return key


def last_used_ns(folder: Path, key_id: str) -> int:
    """When a key was last used, to the minute; 0 if never."""
    try:
        return int((folder / USED / key_id).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _write(folder: Path, key: Key) -> None:
    path = folder / f"{key.id}{SUFFIX}"
    with whole(path) as half_done:
        half_done.touch(OWNER_ONLY)
        half_done.write_bytes(msgspec.json.format(msgspec.json.encode(key), indent=1) + b"\n")


class KeyRing:
    """The keys of a folder as a service asks for them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: list[tuple[bytes, Key]] = []
        self._read_at_ns = self._stamp_ns = -1
        self._used_ns: dict[str, int] = {}
        (folder / USED).mkdir(exist_ok=True)

    def find(self, text: str, now_ns: int) -> Key | None:
        """Whose key that is, good or revoked. It is compared with every key in full, so time tells nothing."""
        self._refresh(now_ns)
        hashed, found = sha256(text.encode("utf-8", "replace")).digest(), None
        for kept, key in self._keys:
            if compare_digest(kept, hashed):
                found = key
        return found

    def revoked(self, key_id: str, now_ns: int) -> bool:
        """Whether a key opens nothing any more."""
        self._refresh(now_ns)
        return not any(key.id == key_id and not key.revoked_ns for _, key in self._keys)

    def used(self, key: Key, now_ns: int) -> None:
        """Note that a key was used."""
        if now_ns - self._used_ns.get(key.id, -USED_EACH_NS) >= USED_EACH_NS:
            self._used_ns[key.id] = now_ns
            with whole(self._folder / USED / key.id) as half_done:
                half_done.write_text(str(now_ns))

    def _readable(self) -> Iterator[Key]:
        """All keys; a file that is none opens nothing, and keeps nobody else out."""
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            try:
                yield msgspec.json.decode(path.read_bytes(), type=Key)
            except (msgspec.DecodeError, OSError) as error:
                LOG.error("%s is no key", path, exc_info=error)

    def _refresh(self, now_ns: int) -> None:
        stamp_ns = os.stat(self._folder).st_mtime_ns
        if stamp_ns == self._stamp_ns and self._read_at_ns - stamp_ns > SETTLED_NS:
            return
        self._keys = [(bytes.fromhex(key.sha256), key) for key in self._readable()]
        self._stamp_ns, self._read_at_ns = stamp_ns, now_ns
