"""obid's own recordings: books and trades as they were heard, in files that survive a crash.

A recording is a folder of numbered parts. A part opens with MAGIC and then holds records: length and CRC-32 of the
payload, then the payload, MessagePack. A writer never touches an older part, so the only damage a crash can do is a
torn last record; a reader reports it and goes on with the next part. The instruments stand at the head of each
part.
"""

from binascii import crc32
from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct as Layout
from typing import Any, BinaryIO

from msgspec import DecodeError, Struct
from msgspec.msgpack import Decoder, Encoder

from venues.damage import Damage, Report
from venues.market import BOOK_DEPTH, Book, Instrument, Level, MarketEvent, Positive, Side, Trade

MAGIC = b"obid market 1\n"
SUFFIX = ".market"
HEAD = Layout("<II")  # length and CRC-32 of the payload, little-endian

PART_BYTES_MAX = 64 * 2**20
"""A part is closed when it is larger: about an hour of 28 coins, small enough to copy or delete one by one."""

RECORD_BYTES_MAX = 2**20
"""No record is larger (a book of 20 levels has 800 bytes), so a longer one is a damaged length."""


class StoredLevel(Level, frozen=True, gc=False, array_like=True):
    """A level as two numbers without names."""

    price: Positive
    size: Positive


class StoredBook(Struct, frozen=True, gc=False, array_like=True, tag="b"):
    """A book on disk."""

    symbol: str
    at_ns: int
    received_ns: int
    bids: tuple[StoredLevel, ...]
    asks: tuple[StoredLevel, ...]
    depth: int = BOOK_DEPTH


class StoredTrade(Struct, frozen=True, gc=False, array_like=True, tag="t"):
    """A trade on disk."""

    symbol: str
    at_ns: int
    received_ns: int
    price: Positive
    size: Positive
    side: Side


class StoredInstrument(Struct, frozen=True, array_like=True, tag="i"):
    """An instrument on disk."""

    instrument: Instrument


class RecordingWriter:
    """Writes parts; what was written before `flush` survives a crash of this process."""

    def __init__(self, folder: Path, instruments: Iterable[Instrument] = (), part_bytes_max: int = PART_BYTES_MAX):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.part_bytes_max = part_bytes_max
        self._heads = [("i", instrument) for instrument in instruments]
        self._encode = Encoder().encode
        self._bytes = 0
        self._file = self._open_part()

    def write(self, event: Any) -> None:
        """Record a book or a trade; anything else is not market and is passed over."""
        if isinstance(event, Book):
            bids = [(level.price, level.size) for level in event.bids]
            asks = [(level.price, level.size) for level in event.asks]
            self._put(("b", event.symbol, event.at_ns, event.received_ns, bids, asks, event.depth))
        elif isinstance(event, Trade):
            what = (event.price, event.size, event.side)
            self._put(("t", event.symbol, event.at_ns, event.received_ns, *what))

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Finish the part."""
        self._file.close()

    def _put(self, record: tuple[Any, ...]) -> None:
        if self._bytes >= self.part_bytes_max:
            self._file.close()
            self._file = self._open_part()
        payload = self._encode(record)
        self._bytes += self._file.write(HEAD.pack(len(payload), crc32(payload)) + payload)

    def _open_part(self) -> BinaryIO:
        """A new part behind all that are there; an older one may be torn."""
        last = max((int(part.stem) for part in parts(self.folder)), default=0)
        file = (self.folder / f"{last + 1:06}{SUFFIX}").open("xb")
        self._bytes = file.write(MAGIC)
        for head in self._heads:
            payload = self._encode(head)
            self._bytes += file.write(HEAD.pack(len(payload), crc32(payload)) + payload)
        return file


def parts(folder: Path) -> list[Path]:
    """The parts of a recording, oldest first."""
    return sorted(part for part in folder.glob(f"*{SUFFIX}") if part.stem.isdigit())


def read_part(part: Path, report: Report) -> Iterator[MarketEvent | Instrument]:
    """Everything in one part that can be read, in the order it was written."""
    decode = Decoder(StoredBook | StoredTrade | StoredInstrument).decode
    with part.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            report(Damage(str(part), 0, "does not open as an obid recording"))
            return
        place = len(MAGIC)
        while head := file.read(HEAD.size):
            payload = _payload(file, head)
            if isinstance(payload, str):
                report(Damage(str(part), place, payload))
                return
            length, crc = HEAD.unpack(head)
            try:
                if crc32(payload) != crc:
                    raise DecodeError("the checksum does not match")
                yield _restored(decode(payload))
            except DecodeError as error:
                report(Damage(str(part), place, str(error)))
            place += HEAD.size + length


def _payload(file: BinaryIO, head: bytes) -> bytes | str:
    """The record behind a head, or why nothing behind it can be found."""
    if len(head) < HEAD.size:
        return "torn: the file ends inside a record"
    length, _ = HEAD.unpack(head)
    if length > RECORD_BYTES_MAX:
        return f"a record of {length} bytes, more than {RECORD_BYTES_MAX}: the rest of the part is lost"
    payload = file.read(length)
    return payload if len(payload) == length else "torn: the file ends inside a record"


def _restored(stored: StoredBook | StoredTrade | StoredInstrument) -> MarketEvent | Instrument:
    match stored:
        case StoredBook(symbol, at_ns, received_ns, bids, asks, depth):
            return Book(symbol, at_ns, received_ns, bids, asks, depth)
        case StoredTrade(symbol, at_ns, received_ns, price, size, side):
            return Trade(symbol, at_ns, received_ns, price, size, side)
        case StoredInstrument(instrument):
            return instrument
