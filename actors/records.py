"""Records: what the journal keeps, as structs here and as entries there."""

import msgspec
from msgspec import Struct

from actors.messages import (
    BreakerChanged,
    CancelSent,
    Drift,
    OrderPlanned,
    RunStarted,
    TradingState,
    Tuned,
    Unanswered,
    VenueLooked,
)
from risk.ledger.postings import Entry
from supervisor import journal
from venues.market import Accepted, Cancelled, CancelRefused, Fill, Rejected

KINDS: dict[str, type[Struct]] = {
    kind.__name__: kind
    for kind in (
        *(RunStarted, Entry, OrderPlanned, CancelSent, Unanswered, Drift, VenueLooked, TradingState, BreakerChanged),
        Tuned,
        *(Accepted, Rejected, Cancelled, CancelRefused, Fill),
    )
}
"""What is journaled, by the name it is journaled under."""

DECODERS = {name: msgspec.msgpack.Decoder(kind) for name, kind in KINDS.items()}
ENCODE = msgspec.msgpack.Encoder().encode


def written(record: Struct) -> journal.Entry:
    """A record as the journal keeps it."""
    return journal.Entry(record.at_ns, type(record).__name__, ENCODE(record))  # type: ignore[attr-defined]


def read(entry: journal.Entry) -> Struct:
    """A journal entry as the record it was. Raises JournalDamaged for what this version does not know."""
    decoder = DECODERS.get(entry.kind)
    if decoder is None:
        raise journal.JournalDamaged(f"an entry is of kind {entry.kind!r}, which this version does not know")
    try:
        return decoder.decode(entry.body)
    except msgspec.DecodeError as error:
        raise journal.JournalDamaged(f"an entry of kind {entry.kind} cannot be read: {error}") from error
