"""Errors as application/problem+json (RFC 9457): what is wrong, which field it is, what would be right."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from config.errors import ConfigError
from daemon.http.bodies import fault_of
from venues.aleatoric.canonical.events import BadRequest

MEDIA_TYPE = "application/problem+json"
UNPROCESSABLE = 422
LOG = logging.getLogger("obid.http")


class ProblemBody(BaseModel):
    """What a client is told of an error."""

    type: str = Field("about:blank", description="Always about:blank: the status says which kind it is.")
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What is wrong and what would be right.")
    field: str | None = Field(None, description="Which field of the request is meant.")
    instance: str | None = Field(None, description="The path that was asked for.")


class Problem(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, detail: str, field: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.field, self.headers = status, detail, field, dict(headers or {})


def response_of(problem: Problem, path: str) -> Response:
    """The problem as a response."""
    told: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(problem.status).phrase}
    told |= {"status": problem.status, "detail": _cut(problem.detail, DETAIL_MAX)}
    told |= {"field": _cut(problem.field, NAME_MAX)} if problem.field else {}
    body = msgspec.json.encode(told | {"instance": _cut(path, NAME_MAX)})
    return Response(body, problem.status, problem.headers, MEDIA_TYPE)


DETAIL_MAX, NAME_MAX = 2_000, 200
"""Characters: what a client sent is not sent back at its length."""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "..."


def problem_of(error: Exception) -> Problem:
    """The problem that an error of the generator is to a client: what it asked for can't be."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ConfigError):
        return Problem(UNPROCESSABLE, str(error), error.field)
    if isinstance(error, HTTPException):
        return Problem(error.status_code, str(error.detail), headers=error.headers)
    return Problem(UNPROCESSABLE, str(error))


def _invalid(error: RequestValidationError) -> Problem:
    """The first fault of a request that is not what it should be."""
    first = error.errors()[0]
    place = list(first["loc"])
    inside = place[0] in ("body", "query", "path", "header")
    return Problem(UNPROCESSABLE, *fault_of(first, place[1:] if inside else place))


def add_handlers(app: FastAPI) -> None:
    """Let every error of an app be told as a problem."""

    async def known(request: Request, error: Exception) -> Response:
        return response_of(problem_of(error), request.url.path)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return response_of(_invalid(error), request.url.path)

    async def broken(request: Request, error: Exception) -> Response:
        return unexpected(request.url.path, error)

    for kind in (Problem, ConfigError, BadRequest, HTTPException):
        app.add_exception_handler(kind, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, broken)


def unexpected(path: str, error: Exception) -> Response:
    """The answer to what should not happen: the log has the traceback, the client has none."""
    LOG.error("a request for %s failed", path, exc_info=error)
    return response_of(Problem(500, "the service failed; its log says why"), path)
