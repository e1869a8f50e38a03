"""Heartbeats: two small files in the data directory by which the daemon and its dead man know of each other.

    heartbeat   of the daemon: it is healthy, it trades here, its venues were last heard then; or it stopped, all clear
    deadman     of the dead man: it watches, for these accounts, with these keys

A line each, of a fixed length, written in place: a full disk has room for it, and a reader sees the old or the new one
(a torn one fails its checksum). Times are since the machine was started, sleep included, beside the id of that start:
no step of the wall clock makes a beat young or old, a machine that slept has not beaten, and what was written before a
restart is old. The directory's own number stands in it, so that a copy elsewhere is nobody's beat.
"""

import os
import zlib
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from supervisor.boot import boot_id, since_boot_ns
from supervisor.clock import NS_PER_S

HEARTBEAT, DEADMAN = "heartbeat", "deadman"
"""The files."""

BEAT_S = 1.0
"""Between beats of either; the daemon's are as many more often as they may get less old."""

BEATS = 8.0
"""In the life of one: as many must be missing before anybody is missed."""

AGE_S_DEFAULT, AGE_S_MIN, AGE_S_MAX = 8.0, 1.0, 15.0
"""A beat this old is no beat. Eight seconds are more than any stall that was seen; with a hang that shows after five
(ChildSpec.deadline_s) and a sweep of two they stay under the twenty that orders may rest with nobody there."""

LINK_AGES = 1.5
"""A venue that the daemon has not heard for so many times the age of a beat is one that it cannot cancel at."""

AHEAD_NS = NS_PER_S
"""A stamp further in the future than this was not taken on this machine since it was started."""

FILE_MODE = 0o600
LENGTH = 2048
"""Bytes of a file: five venues fit, and one block of any disk."""

NONE = "there is no heartbeat"

B = TypeVar("B", bound=Struct)


class Link(Struct, frozen=True, kw_only=True):
    """A venue that the daemon trades at: whose orders rest there, who signs, and when it last answered."""

    venue: str
    account: str
    signer: str = ""  # the address that signs, at venues where somebody does
    places: tuple[str, ...] = ()  # parts of the venue that are traded, where each is asked for its own orders
    heard_ns: int = 0


class Beat(Struct, frozen=True, kw_only=True):
    """The daemon, at one moment."""

    boot: str
    place: str
    at_ns: int
    pid: int
    run: str
    age_s: float  # how old this may get before it means that nobody is there
    stopped: bool = False  # cleanly, and nothing rests
    links: tuple[Link, ...] = ()


class Guarded(Struct, frozen=True, kw_only=True):
    """A venue that the dead man can cancel at, proven with its own key."""

    venue: str
    account: str
    signer: str = ""


class Beacon(Struct, frozen=True, kw_only=True):
    """The dead man, at one moment."""

    boot: str
    place: str
    at_ns: int
    pid: int
    doing: str  # watching, sweeping
    unable: str = ""  # why it could not cancel now; empty: it could
    guarded: tuple[Guarded, ...] = ()


class Unreadable(ValueError):
    """There is a file, and it holds no beat."""


class BeatFile(Generic[B]):
    """One of the two files."""

    def __init__(self, data_dir: Path, name: str, kind: type[B]):
        self.path = data_dir / name
        self.data_dir = data_dir
        self.kind = kind
        self._file = -1

    @property
    def place(self) -> str:
        """The data directory's own number: a copy of it has another."""
        found = self.data_dir.stat()
        return f"{found.st_dev:x}:{found.st_ino:x}"

    def write(self, beat: B, *, durable: bool = False) -> None:
        """Put a beat in the place of the one before; `durable`: it is on the disk when this returns. Raises OSError."""
        said = msgspec.json.encode(beat)
        line = b"%08x %s" % (zlib.crc32(said), said)
        if len(line) >= LENGTH:
            raise OSError(f"a beat of {len(line)} bytes, {LENGTH} are allowed")
        if not self._is_open():
            self.close()
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), FILE_MODE)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, line.ljust(LENGTH - 1) + b"\n")
        if durable:
            os.fsync(self._file)

    def _is_open(self) -> bool:
        """Whether what is open is still what the name stands for: somebody may have put another file there."""
        if self._file < 0:
            return False
        try:
            there = self.path.stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._file))

    def read(self) -> B | None:
        """What stands there; None: nothing, there is no file. Raises Unreadable."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unreadable(f"{self.path.name} cannot be read: {error.strerror}") from error
        checksum, _, said = text[:LENGTH].rstrip().partition(b" ")
        try:
            if int(checksum or b"-", 16) != zlib.crc32(said):
                raise Unreadable(f"{self.path.name} is torn or damaged")
            return msgspec.json.decode(said, type=self.kind)
        except ValueError as error:  # msgspec's errors are of this kind, too
            raise Unreadable(f"{self.path.name} is damaged: {type(error).__name__}") from error

    def remove(self) -> None:
        """Take it away: nobody is there any more."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def heartbeat(data_dir: Path) -> "BeatFile[Beat]":
    """The daemon's."""
    return BeatFile(data_dir, HEARTBEAT, Beat)


def beacon(data_dir: Path) -> "BeatFile[Beacon]":
    """The dead man's."""
    return BeatFile(data_dir, DEADMAN, Beacon)


def age_ns(beat: Beat | Beacon, boot: str, now_ns: int) -> int | None:
    """How old a beat is; None where it was not taken since this start of the machine, so older than anything."""
    if beat.boot != boot or beat.at_ns > now_ns + AHEAD_NS:
        return None
    return max(0, now_ns - beat.at_ns)


class Watch:
    """What the dead man makes of the heartbeat: stateless but for what it has seen since it was started."""

    def __init__(self, file: "BeatFile[Beat]", age_s: float = AGE_S_DEFAULT):
        self.file = file
        self.age_s = age_s  # until a beat says otherwise
        self.boot = boot_id()
        self.since_ns = since_boot_ns()
        self.beat: Beat | None = None  # the last that was the daemon's of this directory
        self.trouble = ""  # why the file says nothing now
        self._trouble_ns = 0  # since when

    def look(self) -> None:
        """Read the file."""
        trouble = ""
        try:
            beat = self.file.read()
            if beat is None:
                trouble = NONE
            elif beat.place != self.file.place:
                trouble = "the heartbeat was copied from another directory"
            else:
                self.beat, self.age_s = beat, beat.age_s
        except (Unreadable, OSError) as error:
            trouble = str(error)
            if self.beat is None and not self._trouble_ns:
                self._trouble_ns = since_boot_ns()
        if not trouble:
            self._trouble_ns = 0
        self.trouble = trouble

    @property
    def stopped(self) -> bool:
        """Whether the daemon said that it stopped and nothing rests."""
        return self.beat is not None and self.beat.stopped and self.trouble in ("", NONE)

    def old(self, venue: str, now_ns: int) -> str:
        """Why the orders at a venue are to go; empty: they are not.

        Without any beat there was no daemon here, and nobody's orders are touched; a file that is damaged says that
        there was one. A file that is gone, copied or damaged later leaves the last beat to age.
        """
        beat = self.beat
        if beat is None:
            unread = self._trouble_ns and now_ns - self._trouble_ns > self.age_s * NS_PER_S
            return self.trouble if unread else ""
        if self.stopped:
            return ""
        age = age_ns(beat, self.boot, now_ns)
        if age is None:
            return "the heartbeat is of before the machine was restarted"
        if age > beat.age_s * NS_PER_S:
            return f"the heartbeat is {age / NS_PER_S:.1f} s old"
        for link in beat.links:
            unheard_ns = now_ns - link.heard_ns
            if link.venue == venue and unheard_ns > beat.age_s * LINK_AGES * NS_PER_S:
                return f"the daemon has not heard {venue} for {unheard_ns / NS_PER_S:.1f} s"
        return ""

    def waiting(self) -> str:
        """What the dead man is told that needs no sweep: nobody there yet, or stopped."""
        if self.beat is None:
            return self.trouble or "no heartbeat yet"
        return "the daemon stopped, nothing rests" if self.stopped else ""


def unwatched(beacon: Beacon | None, beat: Beat, boot: str, now_ns: int) -> str:
    """Why nobody watches a daemon that would say this beat now; empty: a dead man does, for all its venues."""
    if beacon is None:
        return "no dead man was started: obid deadman"
    age = age_ns(beacon, boot, now_ns)
    if beacon.place != beat.place or age is None or age > beat.age_s * NS_PER_S:
        return "the dead man is gone: start obid deadman again"
    if beacon.unable:
        return f"the dead man could not cancel: {beacon.unable}"
    if beacon.doing != "watching":
        return f"the dead man is {beacon.doing}"
    guarded = {one.venue: one for one in beacon.guarded}
    for link in beat.links:
        one = guarded.get(link.venue)
        if one is None:
            return f"the dead man does not watch {link.venue}: name its engines and give it a key"
        if one.account.lower() != link.account.lower():
            return f"the dead man watches another account of {link.venue}, {one.account}"
        if link.signer and one.signer.lower() == link.signer.lower():
            return f"the dead man signs with the daemon's own key at {link.venue}: their nonces would clash"
    return ""
