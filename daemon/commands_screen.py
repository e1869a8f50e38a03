"""`obid screen`: which perpetuals and which shares are worth a look."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.options import SEED_DEFAULT, parse_file, parse_seed
from daemon.terminal import AsJson, finish, json_text

screen = typer.Typer(
    help="Rank perpetuals by how lively and how liquid they are, shares by how far they strayed. Changes nothing.",
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


@screen.command(epilog="Example: obid screen equities --new-only --sector Financials --min-z 1.5 --json")
def equities(
    new_only: Annotated[bool, typer.Option("--new-only", help="Only names that the universe lacks.")] = False,
    sector: Annotated[str, typer.Option(metavar="NAME", help="Only this one.")] = "",
    min_z: Annotated[float, typer.Option("--min-z", metavar="X", help="Only as far from the mean, either way.")] = 0.0,
    source: Source = "synthetic",
    seed: Seed = SEED_DEFAULT,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Rank shares over 20 USD and a million shares a day by z of their last 60 daily closes."""

    def work() -> int:
        from daemon import screen_text
        from daemon.screen_stocks import AskedStocks, screen_stocks

        file = parse_file(config)
        asked = AskedStocks(
            new_only=new_only,
            sector=sector,
            min_z=min_z,
            source=source,
            seed=parse_seed(seed),
            files=(file,) if file else (),
        )
        found = screen_stocks(asked)
        typer.echo(json_text(found) if as_json else screen_text.stocks_text(found))
        return 0 if found.ranked else 1

    finish(work)


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
