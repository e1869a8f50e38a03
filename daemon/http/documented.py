"""What every endpoint says of its errors in the OpenAPI document."""

from http import HTTPStatus
from typing import Any

from daemon.http.problems import MEDIA_TYPE, ProblemBody

ALWAYS = (400, 401, 403, 408, 413, 414, 415, 429, 431)
"""What the door may answer to anything that needs a key."""


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of an endpoint, with those that any has."""
    schema = {"schema": {"$ref": "#/components/schemas/ProblemBody"}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: schema}}
        for status in sorted({*ALWAYS, *statuses})
    }


__all__ = ["ProblemBody", "answers"]
