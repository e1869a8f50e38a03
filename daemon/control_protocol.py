"""The words of the control socket: one JSON object a line, a request and its answer, and events for who subscribed.

    ask        {"id": 1, "verb": "positions", "args": {"engine": "perps"}}
    answer     {"id": 1, "ok": true, "data": ...}
    or         {"id": 1, "ok": false, "error": {"field": "engine", "value": "x", "right": "one of ...", "text": "..."}}
    event      {"event": "fill", "data": {...}}

`field` is empty where nothing in the request was wrong: then the daemon itself failed, and `text` says how. A symbol
keeps its case, and zero is a value: nothing here is ever taken for absent because it is falsy.
"""

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from config.errors import ConfigError
from daemon.errors import BadInput
from supervisor.secrets import KNOWN

ID_LENGTH_MAX = 64
"""An id is echoed; a longer one would be an amplifier."""
ID_MAX = 2**53
"""Whole numbers that every JSON reader keeps exact."""
VALUE_LENGTH_MAX = 80
"""Characters of a bad value that are shown back."""
NO_ARGS = Raw(b"{}")
QUOTED = re.compile(r"field `([^`]*)`|`\$\.([^`]*)`")


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client asks. The token is for connections over loopback, which carry no credentials of the kernel."""

    verb: str
    id: Annotated[int, Meta(ge=-ID_MAX, le=ID_MAX)] | Annotated[str, Meta(max_length=ID_LENGTH_MAX)] = 0
    args: Raw = NO_ARGS
    token: str = ""


class Wrong(Struct, frozen=True):
    """What was wrong, and what would be right."""

    field: str
    value: str
    right: str
    text: str


class Answer(Struct, frozen=True):
    """A good answer."""

    id: int | str
    data: Any
    ok: bool = True


class Refusal(Struct, frozen=True):
    """A bad answer."""

    id: int | str
    error: Wrong
    ok: bool = False


class Event(Struct, frozen=True):
    """Something that happened; unasked, sent to who subscribed."""

    event: str
    data: Any


ENCODER = msgspec.json.Encoder()
EVENTS = msgspec.json.Encoder(enc_hook=repr)
REQUESTS = msgspec.json.Decoder(Request)


def line_of(message: Answer | Refusal) -> bytes:
    """An answer as it goes over the wire. Raises TypeError for data that has no JSON."""
    return KNOWN.mask(ENCODER.encode(message)) + b"\n"


def event_line(event: str, data: Any) -> bytes:
    """An event as it goes over the wire. Never raises: who tells it has other things to do."""
    return KNOWN.mask(EVENTS.encode(Event(event, data))) + b"\n"


def read_request(line: bytes) -> Request:
    """A line as a request. Raises BadInput for whatever else somebody may send."""
    try:
        return REQUESTS.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_input(line, error, "request") from error


def read_args(kind: type[Struct], args: Raw) -> Struct:
    """A verb's arguments. Raises BadInput naming the one that is wrong."""
    try:
        return msgspec.json.decode(args, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_input(bytes(args), error, "args") from error


def bad_input(sent: bytes, error: Exception, whole: str) -> BadInput:
    """A decoding error as field, value and what would be right."""
    named = QUOTED.search(str(error))
    field = (named[1] or named[2]) if named else whole
    right = str(error).split(" - at `")[0] if isinstance(error, msgspec.ValidationError) else f"not JSON: {error}"
    if isinstance(error, RecursionError):
        right = "nested too deep"
    return BadInput(field, shown(sent, field if named else ""), right)


def shown(sent: bytes, field: str) -> str:
    """The value of a field of what was sent, short; of the whole where no field is named."""
    value: Any = sent.decode(errors="replace").rstrip("\n")
    try:
        value = msgspec.json.decode(sent).get(field, "") if field else value
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError):
        field = ""  # what cannot be taken apart is shown from its beginning
    return short(value if isinstance(value, str) else repr(value))


def short(text: str) -> str:
    """Text that can be shown in a line."""
    return text if len(text) <= VALUE_LENGTH_MAX else text[: VALUE_LENGTH_MAX - 3] + "..."


def wrong_of(error: BadInput | ConfigError) -> Wrong:
    """What is told about input that cannot be used."""
    return Wrong(error.field, short(error.value), error.right, str(error))


def failure(text: str) -> Wrong:
    """What is told when nothing was wrong with the request."""
    return Wrong("", "", "", text)
