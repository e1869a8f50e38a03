"""`obid screen`: which perpetuals are worth a look."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.options import SEED_DEFAULT, parse_file, parse_seed
from daemon.terminal import AsJson, finish, json_text

screen = typer.Typer(
    help="Rank perpetuals by how lively and how liquid they are. Changes nothing.",
    epilog="Example: obid screen hip3 --top 20 --export",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Top = Annotated[int, typer.Option(metavar="N", help="How many to choose.")]
Source = Annotated[str, typer.Option(metavar="NAME", help="Whose numbers; synthetic makes them.")]
BaseUrl = Annotated[str, typer.Option("--base-url", metavar="URL", help="Another address of the source.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Of the synthetic market.")]
Config = Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Your tiers and symbols.")]
Export = Annotated[bool, typer.Option("--export", help="Print the choice as TOML for your configuration file.")]

TOP_HIP3, TOP_PERPS = 20, 8
"""As many as the packaged profile trades."""


@screen.command(epilog="Example: obid screen hip3 --top 20 --export > hip3.toml")
def hip3(
    top: Top = TOP_HIP3,
    source: Source = "synthetic",
    base_url: BaseUrl = "",
    seed: Seed = SEED_DEFAULT,
    config: Config = None,
    export: Export = False,
    as_json: AsJson = False,
) -> None:
    """Rank builder perpetuals: RMSD x liquidity, spread over stocks, indices, commodities, funds."""
    _show("hip3", (top, source, base_url, seed, config), export=export, as_json=as_json)


@screen.command(epilog="Example: obid screen perps --top 8 --json")
def perps(
    top: Top = TOP_PERPS,
    source: Source = "synthetic",
    base_url: BaseUrl = "",
    seed: Seed = SEED_DEFAULT,
    config: Config = None,
    export: Export = False,
    as_json: AsJson = False,
) -> None:
    """Rank native coins: RMSD x liquidity, BTC and ETH first."""
    _show("perps", (top, source, base_url, seed, config), export=export, as_json=as_json)


def _show(kind: str, told: tuple[int, str, str, int, Path | None], *, export: bool, as_json: bool) -> None:
    top, source, base_url, seed, config = told

    def work() -> int:
        from daemon import screen_text
        from daemon.screen import Asked, screen

        file = parse_file(config)
        files = (file,) if file else ()
        asked = Asked(kind=kind, top=top, source=source, base_url=base_url, seed=parse_seed(seed), files=files)
        found, profile = screen(asked)
        if export:
            typer.echo(screen_text.export(found, profile))
        else:
            typer.echo(json_text(found) if as_json else screen_text.text(found))
        return 0 if found.ranked else 1

    finish(work)
