"""POST /mcp/normalize from body to answer, in a worker: megabytes of rows, which the loop must not read itself."""

import logging
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct
from pydantic import ValidationError

from daemon.http.bodies import NormalizeRequest, fault_of
from daemon.http.strict_json import BadJson, strict_json
from daemon.http.workers import Refused
from venues.aleatoric.artifacts.cache import CacheDamaged
from venues.aleatoric.artifacts.event_cache import EventCache, event_key
from venues.aleatoric.canonical.events import BadRequest, BadRow, Unread, to_json
from venues.aleatoric.canonical.normalise import normalise

LOG = logging.getLogger("obid.http")
BAD_REQUEST, NO_ROOM = 400, 507


class Room(Struct, frozen=True):
    """What there is room for."""

    rows_max: int
    cache: Path
    full: str  # why nothing more is kept; empty where there is room


class Normalized(Struct, frozen=True):
    """What came of a body."""

    lines: list[bytes]  # canonical events, bad rows and unread ones, where they are to be streamed
    answer: bytes  # the same in one, where they are not
    cache_hit: bool | None  # None: they were not to be kept


class _Told(Struct):
    """The answer."""

    source: str
    symbol: str | None
    event_count: int
    events: list[msgspec.Raw]
    bad_rows: list[msgspec.Raw]
    unread: list[msgspec.Raw]
    cache_key: str | None
    cache_hit: bool


def normalize(body: bytes, room: Room) -> Normalized:
    """The answer to a body. Raises Refused."""
    asked = _asked(body)
    if len(asked.events) > room.rows_max:
        raise Refused(f"events: {len(asked.events)} rows, and {room.rows_max} are allowed at once", "events")
    if asked.enable_cache and room.full:
        raise Refused(room.full, "enable_cache", NO_ROOM)
    try:
        lines, key, hit = _normalized(asked, room.cache if asked.enable_cache else None)
    except BadRequest as error:
        raise Refused(str(error), "events") from None
    kept = hit if asked.enable_cache else None
    if asked.stream:
        return Normalized(lines, b"", kept)
    return Normalized([], _answer(asked, lines, key, hit), kept)


def _asked(body: bytes) -> NormalizeRequest:
    """The request. Raises Refused."""
    try:
        return NormalizeRequest.model_validate(strict_json(body) if body else None)
    except BadJson as error:
        raise Refused(str(error), error.field, BAD_REQUEST) from None
    except ValidationError as error:
        raise Refused(*fault_of(error.errors(include_url=False)[0])) from None


def _normalized(asked: NormalizeRequest, cache: Path | None) -> tuple[list[bytes], str | None, bool]:
    """Lines, the key they are kept under, and whether they were there."""
    rows = msgspec.json.encode(asked.events)
    key = event_key(asked.source, asked.symbol, rows)
    kept = EventCache(cache) if cache is not None else None
    try:
        if kept is not None and kept.find(key) is not None:
            return list(kept.lines(key)), key, True
    except CacheDamaged as error:
        LOG.error("cached events are made again", exc_info=error)
    decoder = msgspec.json.Decoder(float_hook=Decimal)
    outcomes = list(normalise(asked.source, decoder.decode(rows), asked.symbol))
    lines = [to_json(outcome) for outcome in outcomes]
    if kept is None:
        return lines, None, False
    bad, unread = (sum(isinstance(outcome, kind) for outcome in outcomes) for kind in (BadRow, Unread))
    about: dict[str, str | int | None] = {"source": asked.source, "symbol": asked.symbol}
    about |= {"input_sha256": sha256(rows).hexdigest(), "row_count": len(lines) - bad - unread}
    kept.keep(key, about | {"bad_rows": bad, "unread": unread}, lines)
    return lines, key, False


class _Kind(Struct):
    event_type: str


_KIND = msgspec.json.Decoder(_Kind)


def _answer(asked: NormalizeRequest, lines: list[bytes], key: str | None, hit: bool) -> bytes:
    kinds: dict[str, list[msgspec.Raw]] = {"bad_row": [], "unread": []}
    events = list[msgspec.Raw]()
    for line in lines:
        kinds.get(_KIND.decode(line).event_type, events).append(msgspec.Raw(line))
    told = _Told(asked.source, asked.symbol, len(events), events, kinds["bad_row"], kinds["unread"], key, hit)
    return msgspec.json.encode(told)
