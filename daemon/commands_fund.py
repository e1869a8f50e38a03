"""`obid fund-perp`: money from the spot pocket of the Hyperliquid account into the perpetuals' one, once."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from daemon.terminal import DataDir, finish

Usd = Annotated[str, typer.Option(metavar="N", help="How many USDC, up to 6 decimals.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Config = Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Settings over the defaults.")]


def fund_perp(usd: Usd, yes: Yes = False, config: Config = None, data_dir: DataDir = None) -> None:
    """Transfer USDC from spot to perpetuals within the account; signed by the account's own key."""

    def work() -> int:
        from daemon import fund
        from daemon.errors import BadInput

        planned = fund.plan(usd, config, data_dir)
        if not yes:
            if not sys.stdin.isatty():
                raise BadInput("--yes", "not given", "nobody is at a terminal to be asked; say --yes")
            if not typer.confirm(f"{planned.text}?"):
                return 1
        fund.transfer(planned)
        typer.echo(f"done: {planned.text}")
        return 0

    finish(work)
