"""What /exchange answers, as a verdict for each order that was asked about.

`"status":"ok"` says that the request was read, not that anything was done: the truth of each order is its own status,
which may be an error. `"status":"err"` refuses the request as a whole, with HTTP 200 as well. What leaves open whether
the venue did something raises VenueUnreachable, which callers take for doubt; what makes no sense raises VenueMisspoke,
which is doubt too. Only words that are known to be proof refuse a whole request.

Sources: Hyperliquid docs, "Exchange endpoint", "Error responses", "Rate limits"; recorded answers of testnet (2025-10).
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import DecodeError, Meta, Struct, field
from msgspec.json import Decoder

from venues.hyperliquid.fields import Exact, exactly
from venues.venue import VenueMisspoke, VenueUnreachable

HTTP_OK, HTTP_UNREADABLE, HTTP_TOO_MANY = 200, 422, 429
SHOWN_MAX = 200
"""So much of an answer goes into an error."""
UNREADABLE = (DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no answer: the last two for text that is no UTF-8, and for deep nesting."""


class RateLimited(VenueUnreachable):
    """HTTP 429: too much from this machine. Whether the request was done is not documented, so it is doubt."""


class Meaning(StrEnum):
    """What the venue's words prove."""

    REFUSED = "refused"  # nothing was done, and the same request would be refused again
    OVER = "over"  # nothing was done: the order that was meant is filled, cancelled, or never was
    LIMITED = "limited"  # nothing was done: the address has used up its requests
    DOUBT = "doubt"  # it may have been done, by this request or by another with the same nonce


class Known(Struct, frozen=True):
    """Words of the venue, in lower case: a part that does not change, what they prove, where they come from."""

    part: str
    meaning: Meaning
    source: str


_DOCS = "docs, Error responses"
_CCXT = "ccxt 4.5, hyperliquid exceptions"
_TESTNET = "transcripts of testnet of 2026 that others published: of updateLeverage"
KNOWN = (
    Known("price must be divisible by tick size", Meaning.REFUSED, _DOCS),
    Known("order must have minimum value of", Meaning.REFUSED, f"{_DOCS}; go-hyperliquid Orders_Below10"),
    Known("insufficient margin to place order", Meaning.REFUSED, _DOCS),
    Known("reduce only order would increase position", Meaning.REFUSED, _DOCS),
    Known("post only order would have immediately matched", Meaning.REFUSED, _DOCS),
    Known("could not immediately match against any resting", Meaning.REFUSED, _DOCS),
    Known("invalid tp/sl price", Meaning.REFUSED, _DOCS),
    Known("no liquidity available for market order", Meaning.REFUSED, _DOCS),
    Known("would increase open interest", Meaning.REFUSED, _DOCS),  # while capped; too quickly
    Known("more aggressive than oracle", Meaning.REFUSED, _DOCS),
    Known("insufficient spot balance", Meaning.REFUSED, _DOCS),
    Known("price too far from oracle", Meaning.REFUSED, _DOCS),
    Known("exceed margin tier limit", Meaning.REFUSED, _DOCS),
    Known("was never placed, already canceled, or filled", Meaning.OVER, _DOCS),
    Known("cannot modify canceled or filled order", Meaning.OVER, "recorded block of 2026-06-11, public notes"),
    Known("order price cannot be more than", Meaning.REFUSED, f"{_CCXT}: 80% away; public notes: 95%"),
    Known("order has invalid size", Meaning.REFUSED, _CCXT),
    Known("order has zero size", Meaning.REFUSED, _CCXT),
    Known("order has invalid price", Meaning.REFUSED, "public notes"),
    Known("invalid leverage value", Meaning.REFUSED, "live failures of this project's forerunner"),
    Known("cannot switch leverage type", Meaning.REFUSED, _TESTNET),
    Known("margin available to decrease leverage", Meaning.REFUSED, _TESTNET),
    Known("cross margin is not allowed", Meaning.REFUSED, _TESTNET),
    Known("user or api wallet", Meaning.REFUSED, "go-hyperliquid Orders_InvalidAuth: another signer was recovered"),
    Known("must deposit before performing actions", Meaning.REFUSED, "public notes: no account, or another signer"),
    Known("only post-only orders allowed", Meaning.REFUSED, "public notes: after a network upgrade"),
    Known("cannot set scheduled cancel time", Meaning.REFUSED, "ccxt 4.5; seen live in public notes"),
    Known("failed to deserialize", Meaning.REFUSED, "HTTP 422 in ccxt issues 27081 and 26071"),
    Known("already expired", Meaning.REFUSED, "public notes: expiresAfter is past"),
    Known("too many cumulative requests sent", Meaning.LIMITED, "ccxt 4.5, with a recorded answer; docs, Rate limits"),
    Known("invalid nonce", Meaning.DOUBT, "hummingbot issue 7737: a duplicate may be the first one's echo"),
)
"""Every string of the venue that is understood here; the first that fits counts."""


Oid = Annotated[int, Meta(ge=0)]
"""The venue's number of an order; it is beyond 32 bits."""


class Resting(Struct, frozen=True):
    """The order waits in the book."""

    oid: Oid
    cloid: str | None = None


class Filled(Struct, frozen=True):
    """The order matched at once; an immediate order's rest, if it is smaller than asked, is cancelled."""

    size: Exact = field(name="totalSz")
    price: Exact = field(name="avgPx")
    oid: Oid = field()
    cloid: str | None = None


class Waiting(StrEnum):
    """The order is taken and waits for something else than the book."""

    FOR_FILL = "waitingForFill"  # of the order it belongs to
    FOR_TRIGGER = "waitingForTrigger"


class Done(Struct, frozen=True):
    """A cancel, or an action that has no status of its own, was done."""


class Refused(Struct, frozen=True):
    """Nothing was done, in the venue's own words. Its meaning is never DOUBT."""

    reason: str
    meaning: Meaning
    unsent: bool = False  # the words are ours: the venue never saw it


Verdict = Resting | Filled | Waiting | Done | Refused


class _Status(Struct, frozen=True):
    resting: Resting | None = None
    filled: Filled | None = None
    error: str | None = None


class _Statuses(Struct, frozen=True):
    statuses: tuple[_Status | Literal["success", "waitingForFill", "waitingForTrigger"], ...]


class _Response(Struct, frozen=True):
    type: str
    data: _Statuses | None = None


class _Ok(Struct, frozen=True, tag_field="status", tag="ok"):
    response: _Response


class _Err(Struct, frozen=True, tag_field="status", tag="err"):
    response: str


_answers = Decoder(_Ok | _Err, dec_hook=exactly)


def meaning_of(reason: str) -> Meaning | None:
    """What the venue's words prove; None if they are not known."""
    said = reason.lower()
    return next((known.meaning for known in KNOWN if known.part in said), None)


def read_response(http_status: int, body: bytes, asked: int) -> tuple[Verdict, ...]:
    """A verdict for each of the orders or cancels that were asked about; one for an action without (asked = 0).

    Raises VenueUnreachable where the outcome is open, RateLimited on 429, VenueMisspoke on what is no answer.
    """
    if http_status == HTTP_OK:
        return read_answer(body, asked)
    said = f"HTTP {http_status}: {_shown(body)}"
    if http_status == HTTP_TOO_MANY:
        raise RateLimited(said)
    if http_status == HTTP_UNREADABLE:  # they could not read it, so they did not do it
        return (Refused(_shown(body), Meaning.REFUSED),) * max(asked, 1)
    raise VenueUnreachable(said)


def read_answer(body: bytes, asked: int) -> tuple[Verdict, ...]:
    """The same of a body alone: of HTTP 200, or the payload of a WebSocket post's answer."""
    if not body.strip():
        raise VenueUnreachable("an empty answer")
    try:
        answer = _answers.decode(body)
    except UNREADABLE as error:
        raise VenueMisspoke(f"{str(error)[:SHOWN_MAX]}: {_shown(body)}") from error
    if isinstance(answer, _Err):
        return _whole(answer.response, max(asked, 1))
    if asked == 0 and answer.response.data is None:
        return (Done(),)
    statuses = answer.response.data.statuses if answer.response.data else ()
    verdicts = tuple(_verdict(status, body) for status in statuses)
    if len(verdicts) == 1 < asked and isinstance(verdicts[0], Refused):
        return verdicts * asked  # what is wrong with one order before any is tried refuses the whole batch
    if len(verdicts) != max(asked, 1):
        raise VenueMisspoke(f"{len(verdicts)} statuses for {asked} requests: {_shown(body)}")
    return verdicts


def _whole(reason: str, asked: int) -> tuple[Verdict, ...]:
    """A request that was refused as a whole: proof if the words are known, doubt if not."""
    meaning = meaning_of(reason)
    if meaning is None or meaning is Meaning.DOUBT:
        raise VenueUnreachable(f"refused in words that prove nothing: {reason[:SHOWN_MAX]}")
    return (Refused(reason, meaning),) * asked


def _verdict(status: _Status | str, body: bytes) -> Verdict:
    """One status. An error of an order's own is its refusal whatever its words: the venue has looked at the order."""
    match status:
        case "success":
            return Done()
        case str(waits):
            return Waiting(waits)
        case _Status(resting=Resting() as resting, filled=None, error=None):
            return resting
        case _Status(resting=None, filled=Filled() as filled, error=None) if _amounts(filled.size, filled.price):
            return filled
        case _Status(resting=None, filled=None, error=str(reason)):
            meaning = meaning_of(reason)
            if meaning is Meaning.DOUBT:
                raise VenueUnreachable(f"refused in words that prove nothing: {reason[:SHOWN_MAX]}")
            return Refused(reason, meaning or Meaning.REFUSED)
    raise VenueMisspoke(f"a status that is none: {_shown(body)}")


def _amounts(size: Decimal, price: Decimal) -> bool:
    return size > 0 and price > 0


def _shown(body: bytes) -> str:
    return body[:SHOWN_MAX].decode("utf-8", "replace")
