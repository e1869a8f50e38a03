"""`obid install-service`: a systemd unit that works."""

from pathlib import Path
from typing import Annotated

import typer

from daemon import options
from daemon.terminal import DataDir, finish

User = Annotated[bool, typer.Option("--user", help="For this user, without root; else for the machine, hardened.")]
Print = Annotated[bool, typer.Option("--print", help="Print the units and write nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Write over units that say something else.")]
ModeName = Annotated[str, typer.Option(metavar="live|paper|shadow|synthetic", help="What the service runs.")]
Engines = Annotated[list[str] | None, typer.Option(metavar="perps|crypto|equities", help="Repeatable. Default: perps.")]
Config = Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Settings over the defaults.")]


def install_service(
    user: User = False,
    mode: ModeName = "synthetic",
    engine: Engines = None,
    config: Config = None,
    data_dir: DataDir = None,
    print_: Print = False,
    force: Force = False,
) -> None:
    """Write a systemd unit that starts this obid, and the dead man's where orders leave the machine."""

    def work() -> int:
        from daemon import install_service as service

        file = options.parse_file(config)
        wanted = service.Wanted(
            user=user,
            mode=options.parse_mode(mode),
            engines=options.parse_engines(engine),
            config=file.absolute() if file else None,
            data_dir=data_dir.expanduser().absolute() if data_dir else None,
        )
        if print_:
            typer.echo("\n".join(f"# {name}\n{text}" for name, text in service.units(wanted).items()), nl=False)
        else:
            typer.echo("\n".join(service.install(wanted, force=force)))
        return 0

    finish(work)
