"""`obid soak`: the daemon under faults for hours, and a certificate of what came of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon import options
from daemon.terminal import AsJson, finish, json_text

if TYPE_CHECKING:
    from daemon.soak.evidence import Evidence

HOURS_MAX = 24 * 366.0
HOURS_DEFAULT = 24.0
OUT_DEFAULT = Path("var/soak")

Hours = Annotated[float, typer.Option(metavar="H", help="Of the soak's own time; virtual hours take a minute or less.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Same seed, same market, same faults, same digest.")]
FaultsName = Annotated[str, typer.Option("--faults", metavar="default|none|FILE.toml", help="What befalls it.")]
Engines = Annotated[
    list[str] | None, typer.Option(metavar="|".join(options.ENGINES), help="Repeatable. Default: perps.")
]
Symbols = Annotated[str, typer.Option(metavar="BTC,ETH", help="Default: all that the engines' profiles have.")]
DataDir = Annotated[Path | None, typer.Option(metavar="DIR", help="Keep journal and log here; it must be empty.")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Where the certificate goes: Markdown, JSON and a picture.")]
Lively = Annotated[bool, typer.Option("--lively", help="Trade some times a minute instead of as packaged.")]
Real = Annotated[bool, typer.Option("--real", help="In real time: an emulator and a daemon in processes of their own.")]


def soak(
    hours: Hours = HOURS_DEFAULT,
    seed: Seed = options.SEED_DEFAULT,
    faults: FaultsName = "default",
    engine: Engines = None,
    symbols: Symbols = "",
    data_dir: DataDir = None,
    out: Out = OUT_DEFAULT,
    real: Real = False,
    lively: Lively = False,
    as_json: AsJson = False,
) -> None:
    """Soak the daemon against emulated venues; exit 0 if it passed, 1 if not. Ends with a certificate."""

    def work() -> int:
        from daemon.soak.asked import Asked, empty_folder

        asked = Asked(
            hours=parse_hours(hours),
            seed=options.parse_seed(seed),
            faults=faults,
            engines=options.parse_engines(engine),
            symbols=options.parse_symbols(symbols),
            real=real,
            lively=lively,
        )
        with empty_folder(data_dir) as folder:
            return hand_over(asked.soak(folder, quiet=as_json), out, as_json=as_json)

    finish(work)


def parse_hours(hours: float) -> float:
    """A length in hours. Raises BadInput."""
    from daemon.errors import BadInput

    if not 0 < hours <= HOURS_MAX:
        raise BadInput("--hours", hours, f"more than 0 and at most {HOURS_MAX:g}")
    return hours


def hand_over(seen: "Evidence", out: Path, *, as_json: bool) -> int:
    """Write the certificate and say the verdict; the exit code."""
    from daemon.soak.certificate import certify
    from daemon.soak.certificate_plot import plot
    from daemon.soak.certificate_text import PLOT, markdown, verdict

    told = certify(seen)
    out.mkdir(parents=True, exist_ok=True)
    text = markdown(told)
    (out / "certificate.md").write_text(text, "utf-8")
    (out / "certificate.json").write_text(json_text(told) + "\n", "utf-8")
    plot(told, out / PLOT)
    typer.echo(json_text(told) if as_json else f"{text}\n{verdict(told)}\n{out / 'certificate.md'}")
    typer.echo(f"digest {told.digest}")
    return 0 if told.passed else 1
