"""Live streams of made markets, as server-sent events."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from daemon.http.documented import answers
from daemon.http.problems import Problem
from daemon.http.service import Service
from daemon.http.stream_runs import StreamQuery, stream_run
from daemon.http.streams import EventStream, Told
from venues.aleatoric.artifacts.stream import lines_of

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events until the duration is over, or until you leave.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "The event of Last-Event-ID was the last one."},
}


def stream_router(service: Service) -> APIRouter:
    """The endpoints /stream/live and /v1/stream/live."""
    router = APIRouter(tags=["stream"])

    async def live(
        request: Request,
        query: Annotated[StreamQuery, Query()],
        last_event_id: Annotated[str | None, Header(max_length=64)] = None,
    ) -> Response:
        """Follow a market at its own pace."""
        owner = request.state.caller.id
        refuse_too_many(service, owner)
        run = stream_run(query, last_event_id, service.limits, service.clock.now_ns())
        lines = lines_of(run.batch, run.form)
        market_ns = await service.hub.skip(lines, run.skip, request.is_disconnected)
        if run.skip and market_ns is None:
            return Response(status_code=204)
        told = Told(
            lines=lines,
            name=run.name,
            first=run.skip,
            speed=query.speed,
            mode=query.mode if query.dialect == "wire" else query.dialect,
            begun_ns=run.begun_ns if run.skip else 0,
            market_ns=market_ns or 0,
        )
        return await streamed(service, told, owner)

    for path in ("/stream/live", "/v1/stream/live"):
        router.get(path, response_class=Response, responses=answers(422) | STREAMED)(live)
    return router


def refuse_too_many(service: Service, owner: str) -> None:
    """Refuse one stream more than a key or the service may have. Raises Problem."""
    limits = service.limits
    if service.hub.count(owner) >= limits.streams_per_key_max or service.hub.count() >= limits.streams_max:
        right = f"{limits.streams_per_key_max} streams of a key and {limits.streams_max} in all are allowed; end one"
        raise Problem(429, right, headers={"Retry-After": "5"})


async def streamed(service: Service, told: Told, owner: str) -> Response:
    """The stream, once its beginning is made."""
    piece = await service.hub.pull(told, told.first)
    if not piece:
        return Response(status_code=204)
    refuse_too_many(service, owner)  # others came while that was made
    return EventStream(service.hub, told, piece, owner)
