"""The cache over HTTP: where runs and canonical events come from, as files, as streams; and how to be rid of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask
from starlette.responses import Response

from daemon.generate import batch_of
from daemon.http.artifacts import FileAnswer, disk_now_ns, media_type_of, new_job_id
from daemon.http.documented import answers
from daemon.http.problems import Problem
from daemon.http.routes_stream import STREAMED, refuse_too_many, streamed
from daemon.http.service import Service
from daemon.http.stream_runs import SPEED_MAX, refuse_slow
from daemon.http.streams import Told
from daemon.http.workers import export_events, export_run
from venues.aleatoric.artifacts.stream import replayed_lines

Key = Annotated[str, InPath(min_length=32, max_length=32, pattern="^[0-9a-f]{32}$")]
MODE = "cache"


class ReplayQuery(BaseModel):
    """How an entry is to be replayed."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    speed: float = Field(1.0, ge=0, le=SPEED_MAX, description="Times the pace at which they came; 0: as fast as taken.")


class DeleteQuery(BaseModel):
    """Whether all is to go."""

    model_config = ConfigDict(extra="forbid")

    confirm: bool = Field(False, description="Must be true.")


def cache_router(service: Service) -> APIRouter:
    """The endpoints under /mcp/caches but the statistics, which are a tool."""
    router = APIRouter(prefix="/mcp/caches", tags=["caches"])

    @router.get("/{cache_key}/manifest", responses=answers(404, 422))
    async def provenance(cache_key: Key) -> dict[str, Any]:
        """What an entry is and how it was made."""
        return service.cached(cache_key)

    @router.get("/export/{cache_key}", response_class=FileAnswer, responses=answers(404, 422, 500, 504, 507))
    async def export(cache_key: Key) -> FileAnswer:
        """An entry as a Parquet file."""
        about = service.cached(cache_key)
        service.artifacts.make_room(about["row_count"], disk_now_ns(service.clock))
        out = service.artifacts.folder / f"{new_job_id()}.parquet"
        run = about["kind"] == "run"
        folder = service.cache.folder if run else service.events.folder
        await service.jobs.work(export_run if run else export_events, folder, cache_key, out)
        gone = BackgroundTask(out.unlink, missing_ok=True)
        return FileAnswer(out, media_type=media_type_of(out.name), filename=f"{cache_key}.parquet", background=gone)

    @router.get("/stream/{cache_key}", response_class=Response, responses=answers(404, 422) | STREAMED)
    async def stream(request: Request, cache_key: Key, query: Annotated[ReplayQuery, Query()]) -> Response:
        """An entry's events again, at the pace at which they came; canonical events as fast as they are taken."""
        owner = request.state.caller.id
        refuse_too_many(service, owner)
        refuse_slow(query.speed)
        service.cached(cache_key)
        if (sidecar := service.cache.find(cache_key)) is not None:
            lines = replayed_lines(batch_of(sidecar.manifest, sidecar.seconds), service.cache.rows(cache_key))
        else:
            lines = ((0, line) for line in service.events.lines(cache_key))
        return await streamed(service, Told(lines=lines, name=cache_key, first=0, speed=query.speed, mode=MODE), owner)

    @router.delete("/{cache_key}", responses=answers(404, 422))
    async def delete_one(cache_key: Key) -> dict[str, Any]:
        """Remove an entry."""
        if not service.uncache(cache_key):
            raise Problem(404, "there is no such entry", "cache_key")
        return {"deleted": 1, "keys": [cache_key]}

    @router.delete("", responses=answers(422))
    async def delete_all(query: Annotated[DeleteQuery, Query()]) -> dict[str, Any]:
        """Remove all entries; only with confirm=true."""
        if not query.confirm:
            raise Problem(422, "confirm: must be true, because this removes every entry", "confirm")
        keys = [entry["key"] for entry in service.cache_entries()]
        gone = [key for key in keys if service.uncache(key)]
        return {"deleted": len(gone), "keys": gone}

    return router
