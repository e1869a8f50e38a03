"""One question to a calendar's publisher: a GET with a deadline. Errors never name the URL, which holds the key."""

import asyncio
from collections.abc import Mapping

import httpx

TOTAL_S = 20.0
"""Nobody waits for it: a calendar is asked hours ahead."""

ANSWER_BYTES_MAX = 16 * 1024 * 1024
SHOWN_MAX = 120
"""So much of an answer goes into an error."""

DECLINING = {401: "the key is not known", 402: "the plan does not include it", 403: "the key may not ask for it"}


class Unanswered(Exception):
    """They did not answer, or not what was asked: ask again later."""


class Declined(Exception):
    """They will not answer this key, however often it asks."""


async def ask(url: str, query: Mapping[str, str], secret: str) -> bytes:
    """The body of an answer. Raises Unanswered, Declined; `secret` stands in neither."""
    try:
        async with asyncio.timeout(TOTAL_S), httpx.AsyncClient(trust_env=False, follow_redirects=False) as client:
            answer = await client.get(url, params=dict(query), timeout=TOTAL_S)
    except (TimeoutError, httpx.TimeoutException):
        raise Unanswered(f"no answer within {TOTAL_S:g} s") from None  # its text may hold the URL
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unanswered(f"it could not be reached ({type(error).__name__})") from None
    said = answer.content[:SHOWN_MAX].decode("utf-8", "replace").replace(secret, "...")
    if answer.status_code in DECLINING:
        raise Declined(f"HTTP {answer.status_code}, {DECLINING[answer.status_code]}: {said}")
    if not answer.is_success:
        raise Unanswered(f"HTTP {answer.status_code}: {said}")
    if len(answer.content) > ANSWER_BYTES_MAX:
        raise Unanswered(f"an answer of {len(answer.content)} bytes")
    return answer.content
