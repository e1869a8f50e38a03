"""`obid generate`: markets as files, as a cached run, as a picture; and what there is to choose from."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.terminal import AsJson, finish

Preset = Annotated[str, typer.Option(metavar="NAME", help="A preset; --list shows them.")]
Manifest = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A manifest as JSON or TOML, or the NAME.json of an earlier run.")
]
Seconds = Annotated[float, typer.Option(metavar="N", help="Seconds of market; closed hours take none.")]
SeedOf = Annotated[int | None, typer.Option(metavar="N", help="Over the manifest's.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Over the manifest's. Repeatable.")]
ScenarioText = Annotated[
    list[str] | None, typer.Option("--scenario", metavar="KIND@TIME,...", help="What befalls it. Repeatable.")
]
Out = Annotated[
    Path | None, typer.Option(metavar="X.parquet", help="Writes X.book.parquet, X.trades.parquet and X.json beside it.")
]
Plot = Annotated[Path | None, typer.Option(metavar="X.png", help="Draw price, depth, spread, OBI and trades.")]
CacheDir = Annotated[Path | None, typer.Option("--cache", metavar="DIR", help="Keep the run there, and find it there.")]
Workers = Annotated[int, typer.Option(metavar="N", help="Processes that make the files; the bytes are the same.")]
Stream = Annotated[str, typer.Option(metavar="wire|venue|pair", help="Print it line by line instead of keeping it.")]
Describe = Annotated[str, typer.Option(metavar="PRESET", help="Show every field of its manifest.")]


def generate(
    preset: Preset = "",
    manifest: Manifest = None,
    seconds: Seconds = 0.0,
    seed: SeedOf = None,
    set_: Set = None,
    scenario: ScenarioText = None,
    out: Out = None,
    plot: Plot = None,
    cache: CacheDir = None,
    workers: Workers = 1,
    stream: Stream = "",
    paced: Annotated[bool, typer.Option("--paced", help="Print the stream at its own pace.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Show presets and scenarios.")] = False,
    describe: Describe = "",
    schema: Annotated[bool, typer.Option("--schema", help="Print the manifest's JSON Schema.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a synthetic market: the same manifest gives the same bytes, everywhere."""

    def work() -> int:
        from daemon import generate as made
        from daemon import generate_shown as shown

        if list_:
            typer.echo(shown.presets(as_json))
            return 0
        if describe:
            typer.echo(shown.described(describe, as_json))
            return 0
        if schema:
            typer.echo(shown.schema())
            return 0
        wanted = made.Wanted(out=out, plot=plot, cache=cache, workers=workers)
        made.refuse_mixed(wanted, stream, paced=paced)
        asked = made.asked(preset, manifest, seconds, seed, set_ or [], scenario or [])
        if stream:
            return made.stream(asked, stream, paced=paced)
        return made.generate(asked, wanted, as_json=as_json)

    finish(work, left=True)
