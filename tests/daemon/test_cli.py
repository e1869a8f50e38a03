"""The command line as a person or a script meets it: help, exit codes, one clear line, never a traceback."""

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import types
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from daemon import snapshot as s
from daemon.cli import app
from daemon.control_client import SOCKET_NAME
from daemon.control_socket import ControlSocket, Verb
from daemon.errors import BadInput
from daemon.lock import DataDirLock
from daemon.logs import open_log
from daemon.options import Mode, RunOptions
from daemon.verbs import ARGS
from supervisor.messages import GaveUp
from venues.market import Fill, Side

ROOT = Path(__file__).resolve().parents[2]
AT_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
FILL = Fill("perps", "f1", "0xabc", "xyz:TSLA", Side.BUY, 12, 640_001, -3, True, AT_NS)


def obid(*args: object, code: int = 0):
    """Run a command in this process."""
    result = CliRunner().invoke(app, [str(arg) for arg in args], prog_name="obid")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def one_line(result) -> str:
    """The one line on stderr."""
    (line,) = result.stderr.splitlines()
    assert line.startswith("obid: ")
    return line


def commands(group=None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command there is, groups included."""
    group = group or get_command(app)
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_has_help_with_an_example(path):
    shown = obid(*path, "--help").stdout
    assert f"Example: obid {' '.join(path)}".rstrip() in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_every_verb_of_the_socket_has_a_command():
    assert {path[1] for path in commands() if len(path) == 2 and path[0] == "ctl"} == set(ARGS)


def test_starting_is_light():
    program = (
        "import sys, daemon.cli; "
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('numpy', 'pydantic', 'polars', 'structlog', 'rich', 'uvloop', 'asyncio', 'msgspec', 'sqlite3')])"
    )
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_module_is_the_console_script(tmp_path: Path):
    command = [sys.executable, "-m", "daemon", "ctl", "status", "--data-dir", str(tmp_path)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("obid: no daemon answers at ")
    assert len(found.stderr.splitlines()) == 1


@pytest.fixture
def told(monkeypatch) -> list[RunOptions]:
    """What daemon.run was told, which is here a stand-in."""
    got: list[RunOptions] = []
    fake = types.ModuleType("daemon.run")
    fake.run = lambda options: got.append(options) or 0
    fake.replay = lambda options: got.append(options) or 1
    monkeypatch.setitem(sys.modules, "daemon.run", fake)
    return got


def test_run_is_told_what_was_typed(told, tmp_path: Path):
    obid(
        *("run", "--mode", "synthetic", "--engine", "equities", "--engine", "perps", "--seed", 7, "--for", "24h"),
        *("--speed", "max", "--data-dir", tmp_path, "--symbols", "BTC,xyz:TSLA", "--bar", "10s", "--plain", "--json"),
    )
    (options,) = told
    assert options == RunOptions(
        mode=Mode.SYNTHETIC,
        engines=("perps", "equities"),
        data_dir=tmp_path,
        seed=7,
        for_ns=86_400 * 10**9,
        speed=None,
        symbols=("BTC", "xyz:TSLA"),
        bar_s=10,
        plain=True,
        json=True,
    )


def test_replay_is_told_what_to_play(told, tmp_path: Path):
    (tmp_path / "a.book.parquet").write_text("")
    obid("replay", tmp_path / "a.book.parquet", tmp_path, "--bar", "10s", "--data-dir", tmp_path, code=1)
    (options,) = told
    assert options.mode is Mode.REPLAY
    assert options.virtual
    assert options.recordings == (tmp_path / "a.book.parquet", tmp_path)
    assert options.bar_s == 10


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("run --mode foo", "--mode 'foo': one of live, paper, shadow, synthetic"),
        ("run --engine prep", "--engine 'prep': one of perps, crypto, equities"),
        ("run --for 1", "--for '1': write a length of time"),
        ("run --speed warp", "--speed 'warp'"),
        ("run --mode shadow --speed max", "--speed 'max': a shadow market keeps its own time"),
        ("run --seed -1", "--seed '-1'"),
        ("run --symbols BTC,BTC", "--symbols 'BTC': is named twice"),
        ("run --config /nowhere.toml", "--config '/nowhere.toml': no such file"),
        ("replay /nowhere.parquet", "no such file or folder"),
        ("logs --level loud", "--level 'loud': one of debug"),
        ("logs -f --last 3", "--last '3'"),
    ],
)
def test_wrong_options_are_one_clear_line_and_start_nothing(told, typed, says):
    assert says in one_line(obid(*typed.split(), code=2))
    assert not told


@pytest.mark.parametrize("typed", ["run --nonsense", "nonsense", "run --seed x", "replay", "ctl", "ctl restart"])
def test_what_cannot_be_parsed_is_exit_2(typed):
    result = obid(*typed.split(), code=2)
    assert "Traceback" not in result.output
    assert "Usage: obid" in result.output


# --- check


def test_check_says_what_would_run(tmp_path: Path):
    (tmp_path / "my.toml").write_text("[perps.risk]\nnet_cap_usd = 777\n")
    shown = obid(
        "check", "--engine", "perps", "--symbols", "BTC", "--bar", "10s", "--config", tmp_path / "my.toml"
    ).stdout
    assert "perps: venue hyperliquid, 1 symbols: BTC" in shown
    assert "perps: bars of 10 s" in shown
    assert "777 net" in shown
    assert shown.endswith("ok: this would run\n")
    assert "simulated account: 100000 USD" in shown
    lines = json.loads(obid("check", "--json").stdout)
    assert lines[0] == "mode: synthetic"


def test_check_speaks_of_a_simulated_account_only_where_there_is_one(monkeypatch):
    monkeypatch.setenv("OBID_ALPACA_PAPER_KEY_ID", "PK" + "A" * 18)
    monkeypatch.setenv("OBID_ALPACA_PAPER_SECRET", "s" * 40)
    paper = obid("check", "--engine", "crypto", "--mode", "paper").stdout
    assert "orders go to: the venue" in paper
    assert "simulated account" not in paper


@pytest.mark.parametrize(
    ("toml", "args", "says"),
    [
        ("", "--mode live", "second switch"),
        ("", "--symbols FOO", "no such symbol"),
        ("[perps.risk]\nnet_cap_usd = nan", "", "net_cap_usd"),
        ("[perps.risk]\nnet_cup_usd = 1", "", "net_cup_usd"),
        ("[prep]", "", "prep"),
        ("[perps", "", "is no TOML"),
    ],
)
def test_check_refuses_what_run_would_refuse(tmp_path: Path, toml, args, says):
    (tmp_path / "my.toml").write_text(toml)
    assert says in one_line(obid("check", "--config", tmp_path / "my.toml", *args.split(), code=2))


def test_the_data_directory_can_come_from_the_environment_or_a_file(told, tmp_path: Path, monkeypatch):
    (tmp_path / "my.toml").write_text(f'[daemon]\ndata_dir = "{tmp_path}/from-file"\n')
    obid("run", "--config", tmp_path / "my.toml")
    monkeypatch.setenv("OBID_DATA_DIR", f"{tmp_path}/from-environment")
    obid("run", "--config", tmp_path / "my.toml")
    obid("run", "--data-dir", tmp_path)
    assert [options.data_dir.name for options in told] == ["from-file", "from-environment", tmp_path.name]
    assert "from-environment" in one_line(obid("ctl", "ps", code=1))


# --- ctl, against a real socket in a thread

STATUS = s.Status(
    version="0.1.0", run_id="r1", mode="synthetic", pid=1, seed=7, speed="1", virtual=False, started_ns=AT_NS,
    at_ns=AT_NS + 65 * 10**9, healthy=True, books=1_234, decisions=5,
)  # fmt: skip
ENGINE = s.EngineRow(
    engine="perps", venue="aleatoric", trading="active", reason="", reconciled=True, symbols=28,
    symbols_fresh=27, symbols_unlearnt=1,
    cash_minor=10**10, equity_minor=10**10, realised_minor=12_000_000, unrealised_minor=0, fees_minor=0,
    funding_minor=0,
)  # fmt: skip
ACTOR = s.ActorRow(
    name="perps.feed", engine="perps", state="running", healthy=True, restarts=1, waiting=2, age_ms=0.25, heard=9,
    conflated=1, high_water=2, size_max=64, error="ValueError: odd",
)  # fmt: skip
POSITION = s.PositionRow(
    engine="perps", symbol="xyz:TSLA", lots=-12, size=Decimal("-0.12"), entry=Decimal("401.25"), mark=None,
    notional_minor=48_012_000, unrealised_minor=138_000, realised_minor=-1_000, opened_ns=AT_NS,
)  # fmt: skip
ORDER = s.OrderRow(
    engine="perps", order_id="0xabc", intent_id="i", symbol="kSHIB", side="buy", state="resting", purpose="entry",
    size=Decimal("100"), size_filled=Decimal("40"), price=Decimal("0.01234"), time_in_force="alo", reason="z_entry",
    at_ns=AT_NS,
)  # fmt: skip
SNAPSHOT = s.Snapshot(
    status=STATUS, engines=(ENGINE,), actors=(ACTOR,), positions=(POSITION,), orders=(ORDER,), decisions=()
)


class Operator:
    """Answers every verb as a daemon would, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, msgspec.Struct]] = []
        self.verbs = {name: Verb(args, self.answer(name)) for name, args in ARGS.items() if name != "subscribe"}

    def answer(self, name: str) -> Callable:
        async def answered(args: msgspec.Struct) -> object:
            self.asked.append((name, args))
            if name == "explain":
                fact = s.Fact("net", "210", "200")
                return s.Explanation(args.id, (s.Step(AT_NS, "refused", "net cap", (fact,)),))
            if name == "restart" and args.actor != "perps.feed":
                raise BadInput("actor", args.actor, "one of perps.feed")
            answers = {
                "status": s.status_of(SNAPSHOT),
                "ps": SNAPSHOT.actors,
                "snapshot": SNAPSHOT,
                "positions": lambda: s.positions_of(SNAPSHOT, args.engine, args.symbol),
                "orders": lambda: s.orders_of(SNAPSHOT, args.engine, args.symbol),
            }
            found = answers.get(name, s.Outcome((f"{name} done",)))
            return found() if callable(found) else found

        return answered


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple[Operator, ControlSocket, Path]]:
    """A control socket that is served from a thread, as the CLI is synchronous."""
    data_dir = tmp_path / "data"
    operator, ready, stop = Operator(), threading.Event(), threading.Event()
    lock = DataDirLock(data_dir)
    lock.acquire()
    server = ControlSocket(lock, operator, lambda verb, error: pytest.fail(f"{verb}: {error}"))

    async def main() -> None:
        task = asyncio.create_task(server.serve(ready.set))
        while not stop.is_set():
            await asyncio.sleep(0.01)
            server.publish("fill", FILL)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(5)
    yield operator, server, data_dir
    stop.set()
    thread.join()
    lock.release()


def test_ctl_reads(daemon):
    _, _, data_dir = daemon
    where = ("--data-dir", data_dir)
    shown = obid("ctl", "status", *where).stdout
    for part in ("synthetic", "run r1", "running 1m 5s", "seed 7", "health ok", "27/28", "12.00"):
        assert part in shown
    shown = obid("ctl", "ps", *where).stdout
    for part in ("perps.feed", "ValueError: odd", "conflated"):
        assert part in shown
    assert "xyz:TSLA" in obid("ctl", "positions", *where).stdout
    assert "flat" in obid("ctl", "positions", "--symbol", "xyz:tsla", *where).stdout
    assert "kSHIB" in obid("ctl", "orders", "--engine", "perps", *where).stdout
    assert "no open orders" in obid("ctl", "orders", "--engine", "crypto", *where).stdout
    assert "210  (bound 200)" in obid("ctl", "explain", "0xabc", *where).stdout
    assert msgspec.json.decode(obid("ctl", "snapshot", *where).stdout, type=s.Snapshot) == SNAPSHOT


@pytest.mark.parametrize("verb", ["status", "ps", "positions", "orders", "snapshot", "explain 0xabc", "halt", "stop"])
def test_ctl_speaks_json(daemon, verb):
    assert json.loads(obid("ctl", *verb.split(), "--json", "--data-dir", daemon[2]).stdout)


def test_ctl_orders(daemon):
    operator, _, data_dir = daemon
    for verb in ("pause", "resume", "reduce", "halt", "flatten"):
        sure = ("--yes",) if verb in ("halt", "flatten") else ()
        typed = ("ctl", verb, *sure, "--engine", "perps", "--symbol", "kSHIB", "--reason", "news")
        assert f"{verb} done" in obid(*typed, "--data-dir", data_dir).stdout
        asked, args = operator.asked[-1]
        assert (asked, args.engine, args.symbol, args.reason) == (verb, "perps", "kSHIB", "news")
    obid("ctl", "cancel", "0xabc", "--data-dir", data_dir)
    assert operator.asked[-1][1].order_id == "0xabc"
    obid("ctl", "stop", "--reason", "upgrade", "--data-dir", data_dir)
    assert operator.asked[-1] == ("stop", ARGS["stop"](reason="upgrade"))


def test_ctl_tells_what_would_be_right(daemon):
    obid("ctl", "restart", "perps.feed", "--data-dir", daemon[2])
    result = obid("ctl", "restart", "feed", "--data-dir", daemon[2], code=2)
    assert one_line(result) == "obid: actor 'feed': one of perps.feed"


def test_ctl_subscribe(daemon):
    result = obid("ctl", "subscribe", "fill", "--count", 2, "--data-dir", daemon[2])
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["fill", "fill"]
    assert lines[0]["data"]["symbol"] == "xyz:TSLA"


def test_ctl_without_a_daemon(tmp_path: Path):
    line = one_line(obid("ctl", "status", "--data-dir", tmp_path, code=1))
    assert str(tmp_path / SOCKET_NAME) in line


# --- logs


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    """A data directory with a log of four lines, ten minutes apart."""
    times = iter(range(AT_NS, AT_NS + 10**13, 600 * 10**9))
    log = open_log(tmp_path, "r1", times.__next__)
    log.info("run_started", mode="synthetic")
    log.log_message(FILL)
    log.log_message(GaveUp("root", "perps.feed", 5, 30.0, AT_NS))
    log.log_message(FILL)
    log.close()
    return tmp_path


@pytest.mark.parametrize(
    ("args", "events"),
    [
        ("", ["run_started", "fill", "gave_up", "fill"]),
        ("--event fill", ["fill", "fill"]),
        ("--symbol xyz:TSLA", ["fill", "fill"]),
        ("--symbol xyz:tsla", []),
        ("--level error", ["gave_up"]),
        ("--since 10m", ["gave_up", "fill"]),
        ("--since 2026-01-01T00:10:00", ["fill", "gave_up", "fill"]),
        ("--since 2026-01-01T01:10:00+01:00", ["fill", "gave_up", "fill"]),
        ("--event fill --event gave_up", ["fill", "gave_up", "fill"]),
        ("--engine perps", ["fill", "fill"]),
        ("--until 10m", ["run_started", "fill"]),
        ("--since 2026-01-01T00:10:00 --until 2026-01-01T00:20:00", ["fill"]),
        ("--run r1 --level error", ["gave_up"]),
        ("--run r2", []),
        ("--last 1", ["fill"]),
        ("--event fill --last 1", ["fill"]),
    ],
)
def test_logs_are_filtered(logged, args, events):
    result = obid("logs", "--json", "--data-dir", logged, *args.split())
    assert [json.loads(line)["event"] for line in result.stdout.splitlines()] == events


def test_logs_for_people(logged):
    first, second, *_ = obid("logs", "--data-dir", logged).stdout.splitlines()
    assert first == "2026-01-01 00:00:00.000  info     run_started  mode=synthetic"
    assert second.startswith(
        "2026-01-01 00:10:00.000  info     fill  engine=perps id=f1 order_id=0xabc symbol=xyz:TSLA"
    )


def test_logs_say_what_is_missing_or_wrong(logged, tmp_path: Path):
    assert "there is no log here" in one_line(obid("logs", "--data-dir", tmp_path / "none", code=1))
    assert "--since 'noon'" in one_line(obid("logs", "--since", "noon", "--data-dir", logged, code=2))


def test_a_torn_line_is_shown_and_not_hidden(logged):
    with (logged / "log" / "obid.jsonl").open("ab") as log:
        log.write(b'{"run":"r1","seq"')
    assert "damaged_line" in obid("logs", "--data-dir", logged).stdout


def sealed(number: int) -> bytes:
    """A line as the log would write it."""
    line = b'{"event":"late","n":%d' % number
    return b'%b,"crc":%d}\n' % (line, zlib.crc32(line))


def test_logs_are_followed_over_a_rotation(logged):
    program = [
        sys.executable,
        "-u",
        "-m",
        "daemon",
        "logs",
        "-f",
        "--json",
        "--event",
        "late",
        "--data-dir",
        str(logged),
    ]
    path = logged / "log" / "obid.jsonl"
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        try:
            with path.open("ab") as log:
                log.write(sealed(1) + sealed(2)[:9])
                log.flush()
                assert json.loads(following.stdout.readline())["n"] == 1
                log.write(sealed(2)[9:])
            assert json.loads(following.stdout.readline())["n"] == 2
            path.rename(path.with_name("obid.jsonl.1"))
            path.write_bytes(sealed(3))
            assert json.loads(following.stdout.readline())["n"] == 3
        finally:
            following.terminate()
