"""Data sets: made while the client waits, or as a job; and the files that came of them."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from daemon.http.artifacts import FileAnswer, media_type_of
from daemon.http.bodies import GenerateRequest
from daemon.http.documented import answers
from daemon.http.jobs import Job
from daemon.http.problems import Problem
from daemon.http.runs import run_of
from daemon.http.service import Service
from supervisor.clock import NS_PER_S

LOOK_EACH_S = 0.5
"""How soon it is noticed that a client left."""

LOCAL = "local"  # where artifacts are stored: this machine
JobId = Annotated[str, InPath(max_length=64)]
FileName = Annotated[str, InPath(max_length=128)]


class Dataset(BaseModel):
    """A finished run; the page's response, and what else a client may want."""

    status: str = Field(examples=["completed"])
    download_url: str
    row_count: int
    storage_backend: str = Field(examples=[LOCAL])
    content_length_bytes: int
    job_id: str
    manifest_hash: str = Field(description="sha256 of the manifest and the generator's version: names the bytes.")
    digest: str = Field(description="sha256 of every number of the run; `obid generate` prints the same.")
    generator_version: int
    seed: int
    cache_key: str | None = Field(None, description="Where the cache has it; only with enable_cache.")
    cache_hit: bool | None = Field(None, description="Whether it was there already.")
    files: dict[str, str] = Field(description="URLs of events, book, trades and manifest.")


class JobTold(BaseModel):
    """A job as its owner sees it."""

    job_id: str
    status: str = Field(description="queued, running, completed, failed or cancelled")
    progress: float = Field(ge=0, le=1)
    manifest_hash: str
    duration_seconds: float
    created_ms: int
    finished_ms: int | None
    error: str | None
    status_url: str
    result_url: str


def dataset_of(job: Job, base_url: str) -> dict[str, Any]:
    """What is told of a finished run."""
    told = job.result
    assert told is not None, "only of a job that is completed"
    names = {kind: path.rpartition("/")[2].rpartition("\\")[2] for kind, path in told["files"].items()}
    urls = {kind: f"{base_url}artifacts/{name}" for kind, name in names.items()}
    manifest = told["manifest"]
    return {
        "status": "completed",
        "download_url": urls["events"],
        "row_count": told["row_count"],
        "storage_backend": LOCAL,
        "content_length_bytes": told["content_length_bytes"],
        "job_id": job.job_id,
        "manifest_hash": told["manifest_hash"],
        "digest": told["digest"],
        "generator_version": told["generator_version"],
        "seed": manifest["seed"],
        "cache_key": told.get("cache_key"),
        "cache_hit": told.get("cache_hit"),
        "files": urls,
    }


def ended(job: Job, base_url: str) -> dict[str, Any]:
    """What came of a job that is over. Raises Problem."""
    if job.status == "completed":
        return dataset_of(job, base_url)
    if job.status == "cancelled":
        raise Problem(409, "the job was cancelled", "job_id")
    raise Problem(job.http_status, f"the job failed: {job.error}", job.field or "job_id")


Gone = Callable[[], Awaitable[bool]]
"""Whether nobody waits any more."""


async def waited(
    service: Service, asked: GenerateRequest, owner: str, base_url: str, gone: Gone | None = None
) -> dict[str, Any]:
    """Make a data set and wait for it. Raises Problem and ConfigError."""
    job, sync_s = submitted(service, asked, owner), service.limits.sync_s_max
    until_ns = service.clock.now_ns() + round(sync_s * NS_PER_S)
    try:
        while not await service.jobs.wait(job, min(LOOK_EACH_S, sync_s)):
            if service.clock.now_ns() >= until_ns:
                right = f"not done within {sync_s:g} s; use POST /v1/jobs/generate, which has no HTTP timeout"
                raise Problem(504, right, "duration_seconds")
            if gone is not None and await gone():
                raise Problem(409, "the client left", "job_id")
    finally:
        if not job.over:
            service.jobs.cancel(job)
    return ended(job, base_url)


def submitted(service: Service, asked: GenerateRequest, owner: str) -> Job:
    """The job of a request. Raises Problem and ConfigError."""
    run = run_of(asked, service.limits)
    if asked.enable_cache and (full := service.full_cache(run.rows_estimated)):
        raise Problem(507, full, "enable_cache")
    return service.jobs.submit(run, owner)


def generate_router(service: Service) -> APIRouter:
    """The endpoints under /data, /v1/data, /v1/jobs and /artifacts."""
    router = APIRouter(tags=["generate"])

    async def generate(asked: GenerateRequest, request: Request) -> Any:
        """Make a data set and wait for it."""
        return await waited(service, asked, request.state.caller.id, service.base_url(request), request.is_disconnected)

    for path in ("/data/generate", "/v1/data/generate"):
        router.post(path, response_model=Dataset, responses=answers(409, 422, 429, 500, 504, 507))(generate)

    def told(job: Job, request: Request) -> dict[str, Any]:
        url = f"{service.base_url(request)}v1/jobs/{job.job_id}"
        return {
            "job_id": job.job_id,
            "status": service.jobs.status(job),
            "progress": service.jobs.progress(job),
            "manifest_hash": job.manifest_hash,
            "duration_seconds": job.duration_seconds,
            "created_ms": job.created_ms,
            "finished_ms": job.finished_ms,
            "error": job.error,
            "status_url": url,
            "result_url": f"{url}/result",
        }

    @router.post("/v1/jobs/generate", status_code=202, response_model=JobTold, responses=answers(422, 429, 507))
    async def submit(asked: GenerateRequest, request: Request) -> Any:
        """Make a data set as a job: answers at once."""
        return told(submitted(service, asked, request.state.caller.id), request)

    @router.get("/v1/jobs/{job_id}", response_model=JobTold, responses=answers(404, 422))
    async def status(job_id: JobId, request: Request) -> Any:
        """Where a job stands."""
        return told(service.jobs.find(job_id, request.state.caller.id), request)

    @router.delete("/v1/jobs/{job_id}", response_model=JobTold, responses=answers(404, 409, 422))
    async def cancel(job_id: JobId, request: Request) -> Any:
        """Stop a job; nothing of it stays."""
        job = service.jobs.find(job_id, request.state.caller.id)
        service.jobs.cancel(job)
        return told(job, request)

    @router.get(
        "/v1/jobs/{job_id}/result",
        response_model=Dataset,
        responses=answers(404, 409, 422, 500, 504, 507) | {202: {"model": JobTold, "description": "Not done yet."}},
    )
    async def result(job_id: JobId, request: Request) -> Any:
        """What came of a job."""
        job = service.jobs.find(job_id, request.state.caller.id)
        return ended(job, service.base_url(request)) if job.over else JSONResponse(told(job, request), 202)

    @router.head("/artifacts/{name}", include_in_schema=False)
    @router.get(
        "/artifacts/{name}",
        response_class=FileAnswer,
        responses=answers(400, 404, 416, 422) | {206: {"description": "The range that was asked for."}},
    )
    async def artifact(name: FileName) -> FileAnswer:
        """A file of a run; ranges are served."""
        return FileAnswer(service.artifacts.path_of(name), media_type=media_type_of(name), filename=name)

    return router
