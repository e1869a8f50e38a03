"""The command line: `obid run`, `replay`, `check`, `graph`, and the doors to `ctl`, `ledger` and `logs`.

Nothing heavy is imported here: a command loads what it needs when it runs, so `obid ctl` answers at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon import options
from daemon.commands_backup import backup
from daemon.commands_deadman import deadman
from daemon.commands_doctor import doctor
from daemon.commands_emulate import emulate
from daemon.commands_fund import fund_perp
from daemon.commands_generate import generate
from daemon.commands_install import install_service
from daemon.commands_ledger import ledger
from daemon.commands_logs import logs
from daemon.commands_report import report
from daemon.commands_scenario import scenario
from daemon.commands_screen import screen
from daemon.commands_serve import keys, mcp, serve
from daemon.commands_soak import soak
from daemon.commands_top import top
from daemon.commands_tune import ctl
from daemon.options import Mode, RunOptions
from daemon.terminal import AsJson, DataDir, finish, json_text

if TYPE_CHECKING:
    from daemon.scenarios import AskedScenario

app = typer.Typer(
    help="A daemon that trades order-book imbalance around the clock on one machine.",
    epilog="Example: obid run --mode synthetic --engine perps --for 60s",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help starts twice as fast and reads well everywhere
    pretty_exceptions_enable=False,  # a traceback with locals could print a secret
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(ctl, name="ctl")
app.add_typer(emulate, name="emulate")
app.add_typer(keys, name="keys")
app.add_typer(ledger, name="ledger")
app.add_typer(scenario, name="scenario")
app.add_typer(screen, name="screen")
app.command(
    name="generate", epilog="Example: obid generate --preset hyperliquid_perp_sol --seconds 3600 --out sol.parquet"
)(generate)
app.command(name="backup", epilog="Example: obid backup backups/2026-01-05 --log")(backup)
app.command(name="deadman", epilog="Example: obid deadman --engine perps --config my.toml")(deadman)
app.command(name="doctor", epilog="Example: obid doctor --mode live --engine perps --config my.toml")(doctor)
app.command(name="fund-perp", epilog="Example: obid fund-perp --usd 100")(fund_perp)
app.command(name="mcp", epilog="Example: obid mcp --data-dir var/aleatoric")(mcp)
app.command(name="install-service", epilog="Example: obid install-service --user --mode shadow")(install_service)
app.command(name="report", epilog="Example: obid report --week --out week.html")(report)
app.command(name="serve", epilog="Example: obid serve --port 8787 --data-dir var/aleatoric")(serve)
app.command(name="soak", epilog="Example: obid soak --hours 24 --seed 1 --faults default")(soak)
app.command(name="top", epilog="Example: obid top --data-dir var/obid --read-only")(top)
app.command(name="logs", epilog="Example: obid logs -f --event fill --symbol BTC")(logs)

ENGINE_NAMES = "|".join(options.ENGINES)
ModeName = Annotated[str, typer.Option(metavar="live|paper|shadow|synthetic", help="Where books come from.")]
Engines = Annotated[list[str] | None, typer.Option(metavar=ENGINE_NAMES, help="Repeatable. Default: perps.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Same seed, same run.")]
For = Annotated[str, typer.Option("--for", metavar="60s|24h", help="Stop after this long on the run's clock.")]
Speed = Annotated[str, typer.Option(metavar="1|60|max", help="Synthetic only; max is virtual time.")]
Config = Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Settings over the defaults.")]
Symbols = Annotated[str, typer.Option(metavar="BTC,ETH", help="Only these, as the venue spells them.")]
BarLength = Annotated[str, typer.Option("--bar", metavar="60s", help="Length of a bar, over the profile's.")]
Plain = Annotated[bool, typer.Option("--plain", help="Lines instead of the live view.")]
Record = Annotated[bool, typer.Option("--record", help="Keep every book, trade and what else was told, to replay.")]
Feed = Annotated[str, typer.Option(metavar="URL", help="Synthetic only: the market of an `obid serve`.")]
Scenarios = Annotated[
    list[str] | None,
    typer.Option("--scenario", metavar="[SYMBOLS:]KIND@TIME", help="Synthetic only, repeatable: BTC:gap@10m,for=2m"),
]
Compare = Annotated[bool, typer.Option("--compare", help="What a recorded run was told, and all that it decided.")]
Recordings = Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER|RECORDING...", help="Played in order.")]


def asked(
    mode: Mode,
    engine: list[str] | None,
    seed: int,
    config: Path | None,
    data_dir: Path | None,
    symbols: str,
    bar: str,
) -> RunOptions:
    """What every kind of run is told, checked; the first thing wrong raises BadInput."""
    return RunOptions(
        mode=mode,
        engines=options.parse_engines(engine),
        seed=options.parse_seed(seed),
        config=options.parse_file(config),
        symbols=options.parse_symbols(symbols),
        bar_s=options.parse_bar_s(bar) if bar else None,
        data_dir=options.parse_data_dir(data_dir, config),
    )


def compared(recordings: list[Path], as_json: bool) -> int:
    """Replay what recorded runs were told, one after the other."""
    from daemon.retrace import compare

    found = [compare(place) for place in recordings]
    typer.echo(json_text(found) if as_json else "\n".join(one.text() for one in found))
    return 1 if any(one.differs for one in found) else 0


def befalling(texts: list[str] | None) -> "tuple[AskedScenario, ...]":
    """What a synthetic market is to be told."""
    if not texts:
        return ()
    from daemon.scenarios import parse_scenarios

    return parse_scenarios(texts)


@app.command(epilog="Example: obid run --mode synthetic --engine perps --seed 7 --for 24h --speed max")
def run(
    mode: ModeName = Mode.SYNTHETIC.value,
    engine: Engines = None,
    seed: Seed = options.SEED_DEFAULT,
    for_: For = "",
    speed: Speed = "1",
    config: Config = None,
    data_dir: DataDir = None,
    symbols: Symbols = "",
    bar: BarLength = "",
    scenario: Scenarios = None,
    feed: Feed = "",
    record: Record = False,
    plain: Plain = False,
    as_json: AsJson = False,
) -> None:
    """Trade until stopped; ends with a summary whose last line is the digest."""

    def work() -> int:
        from dataclasses import replace

        base = asked(options.parse_mode(mode), engine, seed, config, data_dir, symbols, bar)
        for_ns = options.parse_duration_ns(for_) if for_ else None
        pace = options.parse_speed(speed)
        befalls = befalling(scenario)
        base = replace(base, feed=options.parse_feed(feed))
        whole = replace(base, for_ns=for_ns, speed=pace, scenarios=befalls, record=record, plain=plain, json=as_json)
        options.check_together(whole)
        from daemon.run import run as run_daemon

        return run_daemon(whole)

    finish(work)


@app.command(epilog="Example: obid replay BTC.book.parquet ETH.book.parquet --bar 10s")
def replay(
    recordings: Recordings,
    compare: Compare = False,
    engine: Engines = None,
    seed: Seed = options.SEED_DEFAULT,
    config: Config = None,
    data_dir: DataDir = None,
    symbols: Symbols = "",
    bar: BarLength = "",
    plain: Plain = False,
    as_json: AsJson = False,
) -> None:
    """Play recorded books through the same graph in virtual time; ends with a summary and digest.

    With --compare: give the graph of recorded runs what it was told, and hold every decision against what it decided
    then; exit code 1 where one differs. Nothing is traded and no data directory is used.
    """

    def work() -> int:
        from dataclasses import replace

        if compare:
            return compared(recordings, as_json)
        base = asked(Mode.REPLAY, engine, seed, config, data_dir, symbols, bar)
        whole = replace(base, speed=None, plain=plain, json=as_json, recordings=tuple(recordings))
        options.check_together(whole)
        from daemon.run import replay as replay_recordings

        return replay_recordings(whole)

    finish(work)


@app.command(epilog="Example: obid check --mode live --engine perps --config my.toml")
def check(
    mode: ModeName = Mode.SYNTHETIC.value,
    engine: Engines = None,
    config: Config = None,
    data_dir: DataDir = None,
    symbols: Symbols = "",
    bar: BarLength = "",
    scenario: Scenarios = None,
    feed: Feed = "",
    as_json: AsJson = False,
) -> None:
    """Validate the configuration and say, line by line, what would run. Starts nothing."""

    def work() -> int:
        from dataclasses import replace

        base = asked(options.parse_mode(mode), engine, options.SEED_DEFAULT, config, data_dir, symbols, bar)
        base = replace(base, scenarios=befalling(scenario), feed=options.parse_feed(feed))
        whole = options.check_together(base)
        from daemon.check import lines_of

        lines = lines_of(whole)
        typer.echo(json_text(lines) if as_json else "\n".join(lines))
        return 0

    finish(work)


@app.command(epilog="Example: obid graph > graph.mmd")
def graph() -> None:
    """Draw the actor graph as Mermaid, from the table that routes its messages."""

    def work() -> int:
        from daemon.diagram import mermaid

        typer.echo(mermaid())
        return 0

    finish(work)


def show_version(asked_for: bool) -> None:
    """Print the version and leave."""
    if asked_for:
        from importlib.metadata import version

        typer.echo(f"obid {version('obid')}")
        raise typer.Exit()


@app.callback()
def obid(
    _version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A daemon that trades order-book imbalance around the clock on one machine."""
