"""POST /info and POST /exchange of Hyperliquid, and what their statuses mean."""

from collections.abc import Awaitable, Callable
from json import loads
from typing import TypeVar

from venues import rest
from venues.hyperliquid.answers import RateLimited
from venues.rest import Answer, NotAnswered, RestLimits, TooLarge, rest_url, shown
from venues.venue import VenueMisspoke

__all__ = ["EXCHANGE", "INFO", "Answer", "NotAnswered", "Rest", "RestLimits", "TooLarge", "TooMany", "rest_url"]

T = TypeVar("T")
INFO, EXCHANGE = "/info", "/exchange"
OK, TOO_MANY, SERVER_FAULT = 200, 429, 500


class TooMany(NotAnswered, RateLimited):
    """HTTP 429: this IP's weight is used up. Whether an action was done is not documented: it may have been."""


class Rest(rest.Rest):
    """The two doors of the venue's REST."""

    async def exchange(self, body: bytes) -> Answer:
        """Send a signed action, once; what is neither 200 nor a refusal to read it raises.

        Raises NotAnswered (TooMany on 429), VenueMisspoke. Its caller reads the answer with `answers.read_response`.
        """
        return _told(EXCHANGE, await self.post(EXCHANGE, body))

    async def info(
        self,
        body: bytes,
        read: Callable[[bytes], T] = loads,
        *,
        again: Callable[[NotAnswered], Awaitable[bool]] | None = None,
    ) -> T:
        """Ask a question and read its answer; after a failure ask again as long as `again` says so (it may wait).

        `read` raises ValueError (as msgspec and json do) or VenueMisspoke for what is no answer to the question.
        Raises NotAnswered (TooMany on 429), VenueMisspoke.
        """
        while True:
            try:
                answer = _told(INFO, await self.post(INFO, body))
            except NotAnswered as error:
                if again is None or not await again(error):
                    raise
                continue
            if answer.status != OK:
                raise VenueMisspoke(f"{INFO}: HTTP {answer.status}: {shown(answer.body)}")
            try:
                return read(answer.body)
            except (ValueError, RecursionError) as error:
                raise VenueMisspoke(f"{INFO}: {error}: {shown(answer.body)}") from error


def _told(path: str, answer: Answer) -> Answer:
    """The answer, if it says anything about what was asked: 2xx and 4xx but 429 do."""
    status = answer.status
    if status == TOO_MANY:
        raise TooMany(path, f"HTTP {status}", sent=True, status=status)
    if status >= SERVER_FAULT:
        raise NotAnswered(path, f"HTTP {status}: {shown(answer.body)}", sent=True, status=status)
    if not OK <= status < 300 and not 400 <= status < SERVER_FAULT:  # a redirect, mostly
        raise VenueMisspoke(f"{path}: HTTP {status}")
    return answer
