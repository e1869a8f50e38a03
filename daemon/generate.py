"""`obid generate` at work: what was asked becomes a manifest and a length, those become files, a cache, a picture."""

import os
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import typer
from msgspec import Struct
from msgspec.structs import replace

from config.errors import ConfigError
from daemon.errors import BadInput, Failed
from daemon.modes import session_calendar
from daemon.terminal import json_text
from risk.session import SessionCalendar, is_rth
from supervisor.clock import Clock
from supervisor.wall import run_wall
from venues.aleatoric.artifacts.cache import Cache, CacheDamaged, Sidecar, key_of
from venues.aleatoric.artifacts.driver import Heard, Report, Settings, WindowFailed, run_batch
from venues.aleatoric.artifacts.files import whole
from venues.aleatoric.artifacts.plot import Thinned, plot
from venues.aleatoric.artifacts.rows import Rows
from venues.aleatoric.artifacts.stream import lines_of
from venues.aleatoric.artifacts.stream import paced as paced_lines
from venues.aleatoric.batch import Batch
from venues.aleatoric.manifest import SYNONYMS, SimulationManifest, field_types, read_manifest
from venues.aleatoric.model import GENERATOR_VERSION
from venues.aleatoric.presets import get_preset
from venues.aleatoric.scenarios import BadScenario, parse_scenario

SIDECAR = ".json"
BYTES_PER_MB = 1_000_000


INTERRUPTED = 130
"""What a command that Ctrl-C kept from its work exits with, as shells have it: 128 and SIGINT's number."""


class Interrupted(Failed):
    """Ctrl-C came before it was done."""

    exit_code = INTERRUPTED


class Asked(Struct, frozen=True):
    """What to make."""

    batch: Batch
    earlier: str = ""  # the digest that an earlier run of the same file had
    file: Path | None = None  # that file


class Wanted(Struct, frozen=True, kw_only=True):
    """What to make of it."""

    out: Path | None = None
    plot: Path | None = None
    cache: Path | None = None
    workers: int = 1


def refuse_mixed(wanted: Wanted, form: str, *, paced: bool) -> None:
    """A run is printed or kept; say so when both are asked for. Raises BadInput."""
    if paced and not form:
        raise BadInput("--paced", "yes", "is for a --stream; files are made as fast as they can be")
    for name in ("out", "plot", "cache") if form else ():
        if getattr(wanted, name) is not None:
            raise BadInput(f"--{name}", getattr(wanted, name), "a --stream is printed and not kept; make it without")


def asked(
    preset: str, file: Path | None, seconds: float, seed: int | None, sets: Sequence[str], scenarios: Sequence[str]
) -> Asked:
    """The market that is asked for. Raises BadInput and ConfigError for the first thing that is wrong."""
    if bool(preset) == bool(file):
        raise BadInput("--preset", preset, "give a preset (--list shows them) or a --manifest, one of the two")
    told = _read(file) if file else {}
    earlier = "" if seed is not None or sets or scenarios or seconds else str(told.get("digest", ""))
    raw, told_seconds = told.get("manifest", told), told.get("seconds", 0.0) if "manifest" in told else 0.0
    if not isinstance(raw, dict):
        raise ConfigError("manifest", "must be a table of fields", raw, str(file))
    if isinstance(told_seconds, bool) or not isinstance(told_seconds, int | float):
        raise ConfigError("seconds", "must be a number", told_seconds, str(file))
    manifest = get_preset(preset) if preset else read_manifest(raw, str(file))
    manifest = _changed(manifest, seed, sets, scenarios)
    seconds = seconds or float(told_seconds)
    if not seconds:
        raise BadInput("--seconds", seconds, "say how many seconds of market to make, as --seconds 3600")
    for scenario in manifest.scenarios[-len(scenarios) :] if scenarios else ():
        if scenario.at_s >= seconds:
            raise BadInput("--scenario", scenario.text, f"must begin before the run ends, after {seconds:g} s")
    return Asked(batch_of(manifest, seconds), earlier, file)


def batch_of(manifest: SimulationManifest, seconds: float) -> Batch:
    """So many seconds of a market, in the hours of the sessions that ship. Raises ConfigError."""
    calendar = session_calendar()
    return Batch(manifest, seconds, partial(is_rth, calendar=calendar), _name_of(calendar))


def _name_of(calendar: SessionCalendar) -> str:
    """A calendar's digest: a later one must not be given what an earlier one made."""
    said = "\n".join(f"{kind} {day}" for kind in ("holidays", "half_days") for day in sorted(getattr(calendar, kind)))
    return sha256(said.encode()).hexdigest()


def _read(file: Path) -> dict[str, Any]:
    """A manifest, or what an earlier run wrote beside its files."""
    try:
        text = file.read_bytes()
        read = tomllib.loads(text.decode()) if file.suffix == ".toml" else msgspec.json.decode(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.DecodeError) as error:
        raise BadInput("--manifest", str(file), f"cannot be read: {error}") from error
    if not isinstance(read, dict):
        raise BadInput("--manifest", str(file), "must hold one manifest")
    return read


def _changed(
    manifest: SimulationManifest, seed: int | None, sets: Sequence[str], scenarios: Sequence[str]
) -> SimulationManifest:
    """The manifest with what the command line says over it."""
    given: dict[str, Any] = {} if seed is None else {"seed": seed}
    for text in sets:
        name, is_one, value = text.partition("=")
        if not is_one:
            raise BadInput("--set", text, "must be FIELD=VALUE, as --set volatility_annual=0.8")
        # An older client's name is over the manifest's field too.
        field = SYNONYMS.get(name, name)
        if field in given:
            raise BadInput("--set", text, f"{field} is given twice")
        given[field] = _value(value)
    told = {name: getattr(manifest, name) for name in field_types()}
    manifest = read_manifest(told | given)
    befalls = list(manifest.scenarios)
    for text in scenarios:
        try:
            befalls.append(parse_scenario(text))
        except BadScenario as error:
            raise BadInput("--scenario", text, str(error)) from error
    return replace(manifest, scenarios=tuple(befalls))


def _value(text: str) -> Any:
    """A value as typed: JSON where it is JSON, else the text itself."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def generate(asked: Asked, wanted: Wanted, *, as_json: bool) -> int:
    """Make what is wanted and say what was made; 1 when an earlier run of the same manifest was another."""
    batch = asked.batch
    if wanted == Wanted(workers=wanted.workers):
        raise BadInput("--out", "", "say what to make: --out X.parquet, --plot X.png, --cache DIR")
    if wanted.plot is not None and not wanted.plot.parent.is_dir():
        raise BadInput("--plot", str(wanted.plot), f"there is no folder {wanted.plot.parent}")
    beside = wanted.out.with_suffix(SIDECAR).absolute() if wanted.out is not None and wanted.out.exists() else None
    if asked.file is not None and beside == asked.file.absolute():
        raise BadInput("--out", str(wanted.out), "would overwrite the run that --manifest names: give another name")
    said: dict[str, Any] = {}
    try:
        cached = _cached(batch, wanted, said)
        if wanted.out is not None:
            with progress(batch, wanted.out.name) as heard:
                report = run_batch(batch, wanted.out, Settings(workers=wanted.workers), heard)
            said |= made_known(batch, report, wanted.out)
        if wanted.plot is not None:
            with progress(batch, wanted.plot.name) as heard:
                rows = cached[0].rows(cached[1].key) if cached else _heard(batch, heard)
                thinned = Thinned(batch.manifest, rows, batch.steps)
            plot(batch.manifest, thinned, wanted.plot)
            said["plot"] = str(wanted.plot)
    except (WindowFailed, CacheDamaged, OSError) as error:
        raise Failed(f"generate failed: {error}") from error
    except KeyboardInterrupt:
        raise Interrupted("generate was interrupted; what was not done is not there") from None
    differs = bool(asked.earlier) and said.get("digest", asked.earlier) != asked.earlier
    if asked.earlier:
        said["same_as_before"] = not differs
    typer.echo(json_text(said) if as_json else "\n".join(_lines(said)))
    return 1 if differs else 0


def stream(asked: Asked, form: str, *, paced: bool) -> int:
    """Print the run line by line, each at its time if asked; a reader that goes away ends it."""
    lines, out = lines_of(asked.batch, form), sys.stdout.buffer

    def say(line: bytes) -> None:
        out.write(line + b"\n")

    async def pace(clock: Clock) -> None:
        async for _ in paced_lines(lines, clock, say):
            out.flush()

    try:
        if paced:
            run_wall(pace)
        else:
            for _, line in lines:
                say(line)
        out.flush()
    except OSError as error:
        # What is still buffered has nobody to go to, and the interpreter would complain of it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise Failed(f"the stream ends: {error}") from error
    return 0


def _cached(batch: Batch, wanted: Wanted, said: dict[str, Any]) -> tuple[Cache, Sidecar] | None:
    """The run in the cache, made if it is not there."""
    if wanted.cache is None:
        return None
    cache = Cache(wanted.cache)
    found = cache.find(key_of(batch))
    sidecar = found or _kept(cache, batch)
    said |= {"cache_key": sidecar.key, "cache_hit": found is not None, "compression_ratio": round(sidecar.ratio, 2)}
    said |= {"raw_bytes": sidecar.raw_bytes, "cached_bytes": sidecar.cached_bytes, "row_count": sidecar.row_count}
    said |= {"manifest_hash": sidecar.manifest_hash, "digest": sidecar.digest}
    return cache, sidecar


def _kept(cache: Cache, batch: Batch) -> Sidecar:
    with progress(batch, "cache") as heard:
        return cache.keep(batch, _heard(batch, heard))


def _heard(batch: Batch, heard: Heard) -> Iterator[Rows]:
    """The rows of a run, each block told of when it is made."""
    for rows in batch.rows():
        yield rows
        heard(rows.block + 1, batch.blocks)


def made_known(batch: Batch, report: Report, out: Path) -> dict[str, Any]:
    """What was made, as it is also written beside the files: enough to make them again."""
    told = {
        **msgspec.structs.asdict(report),
        "seconds": batch.seconds,
        "generator_version": GENERATOR_VERSION,
        "manifest": batch.manifest,
    }
    beside = out.with_suffix(SIDECAR)
    said = {**told, "files": {kind: Path(file).name for kind, file in report.files.items()}}
    with whole(beside) as half_done:
        half_done.write_text(json_text(said) + "\n")
    told["files"] = {**report.files, "manifest": str(beside)}
    return told


def _lines(said: dict[str, Any]) -> Iterator[str]:
    """What was made, for people."""
    if "books" in said:
        yield f"{said['row_count']:,} rows: {said['books']:,} books, {said['trades']:,} trades"
    for file in said.get("files", {}).values():
        yield f"  {file}  {Path(file).stat().st_size / BYTES_PER_MB:.2f} MB"
    if "cache_key" in said:
        found = "found in the cache" if said["cache_hit"] else "kept in the cache"
        sizes = f"{said['raw_bytes'] / BYTES_PER_MB:.2f} MB of columns in {said['cached_bytes'] / BYTES_PER_MB:.2f} MB"
        yield f"  {found} as {said['cache_key']}: {sizes}, {said['compression_ratio']:g}x"
    if "plot" in said:
        yield f"  {said['plot']}"
    if "manifest_hash" in said:
        yield f"manifest {said['manifest_hash']}"
        yield f"digest {said['digest']}"
    if "same_as_before" in said:
        yield "the same rows as before" if said["same_as_before"] else "NOT the rows that the manifest's file names"


@contextmanager
def progress(batch: Batch, name: str) -> Iterator[Heard]:
    """A bar on a terminal's standard error while it takes long; nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, file=sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("blocks"))
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(name, total=batch.blocks)
        yield lambda done, _: bar.update(task, completed=done)
