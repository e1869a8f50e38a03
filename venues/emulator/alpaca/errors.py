"""Refusals with the venue's codes and words, as its documents and answers that people recorded have them.

Codes are five digits of the HTTP status family and a number: 40010001 and 42210000 come with 422, 40310000 with 403,
40410000 with 404, 42910000 with 429.
"""

from typing import Any

import msgspec

INVALID, UNPROCESSABLE, FORBIDDEN, DAY_TRADES, NOT_FOUND = 40010001, 42210000, 40310000, 40310100, 40410000
UNAUTHORIZED, TOO_MANY = 40110000, 42910000

DUPLICATE = "client_order_id must be unique"
FRACTIONAL_TIF = "fractional orders must be DAY orders"
FRACTIONAL_SHORT = "fractional orders cannot be sold short"
NO_SHORTS = "account is not allowed to short"
POOR = "insufficient buying power"
PDT = "trade denied due to pattern day trading protection"
WASH = "potential wash trade detected. use complex orders"
NOT_AUTHORIZED = "request is not authorized"
FORBIDDEN_TEXT = "forbidden."
RATE = "rate limit exceeded"
RATE_DATA = "too many requests."
RECENT_SIP = "subscription does not permit querying recent SIP data"


class Refused(Exception):
    """A request is answered with an error; `more` stands beside code and message."""

    def __init__(self, status: int, code: int | None, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more

    def body(self) -> bytes:
        """The answer's JSON; market data's errors have no code."""
        coded = {} if self.code is None else {"code": self.code}
        return msgspec.json.encode({**coded, "message": self.message, **self.more})


def invalid(message: str) -> Refused:
    """The request itself makes no sense."""
    return Refused(422, INVALID, message)


def unprocessable(message: str, **more: Any) -> Refused:
    """It makes sense, but breaks a rule of orders."""
    return Refused(422, UNPROCESSABLE, message, **more)


def forbidden(message: str, **more: Any) -> Refused:
    """The account may not, or has not enough."""
    return Refused(403, FORBIDDEN, message, **more)


def not_found(message: str) -> Refused:
    """There is no such thing."""
    return Refused(404, NOT_FOUND, message)
