"""Secrets through every mode and every way to fail: nothing the program leaves behind may hold one.

    python -m tests.soak.canary            all cases, a table, and 1 as the exit code if a secret was found

Each case is a process of its own with canaries for keys, against an emulated venue or one that answers with all that
it was sent (headers, query and body), which is the worst a venue can do. What is searched afterwards: standard output
and error, every file of its folders (log, journal with its side files, caches, sockets' tokens), its command line in
/proc. A control prints a secret on purpose, past everything that hides one, and must be found.
"""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from daemon.control_client import SOCKET_NAME
from tests.venues.emulator.alpaca_running import KEY as ALPACA_KEY
from tests.venues.emulator.alpaca_running import SECRET as ALPACA_SECRET
from tests.venues.emulator.alpaca_running import running_alpaca
from tests.venues.emulator.running import ADDRESS, KEY, running

UP_S = 20.0
"""How long a daemon may take to come up."""

ROOT = Path(__file__).resolve().parents[2]
CANARY = "c4n4ry/Sing+{}!Ünseen"
"""Characters that URLs, JSON and shells write in other ways."""

EVERY = {name: CANARY.format(name) for name in ("FRED_KEY", "FMP_KEY", "ALEATORIC_KEY")} | {
    "ALPACA_DATA_KEY_ID": ALPACA_KEY,
    "ALPACA_DATA_SECRET": ALPACA_SECRET,
    "ALPACA_PAPER_KEY_ID": ALPACA_KEY,
    "ALPACA_PAPER_SECRET": ALPACA_SECRET,
    "ALPACA_LIVE_KEY_ID": CANARY.format("live-id"),
    "ALPACA_LIVE_SECRET": CANARY.format("live"),
    "HYPERLIQUID_AGENT_KEY": KEY,
    "HYPERLIQUID_MASTER_KEY": KEY,
}
"""Every secret that there is a setting for."""

CALENDARS_AT = """
from venues.calendars import sources
for made in (sources.fmp_releases, sources.fmp_reports, sources.fred_releases):
    made.__defaults__ = (URL,)
"""
"""Sends questions about calendars to the server that answers with what it was asked."""

CRASHES = """
from supervisor.clock import Clock
from actors import reconciler, obi_pump
def crashes(*_):
    raise RuntimeError("what a library says: " + KEY)
{where}
"""
"""A library that puts a secret into its error."""

LEAKS = """
import atexit, os
atexit.register(os.write, 2, KEY.encode())
"""


CAPTURE = """
from pathlib import Path
from tests.daemon.runs import capture
capture(Path("captures"), books=200)
"""

SHOWS = """
from supervisor.secrets import Secrets
Secrets.mask = lambda self, text: text
"""


class Case(NamedTuple):
    """One way to run, or to fail."""

    name: str
    args: tuple[str, ...]
    venue: str = ""  # hyperliquid, alpaca, or how the answering server answers: echo:401, mute, ...
    before: str = ""  # Python that runs first
    config: str = ""
    seconds: float = 0.0  # until it is told to stop; 0: it ends by itself
    codes: tuple[int, ...] = (0,)
    env: tuple[tuple[str, str], ...] = ()
    leaks: bool = False


DEAD_CHECK = ("--mode", "paper", "--engine", "crypto", "--check")


def run_at(engine: str, mode: str, *more: str) -> tuple[str, ...]:
    """The command of a run."""
    return ("run", "--plain", "--mode", mode, "--engine", engine, "--bar", "1s", *more)


def cases() -> list[Case]:
    """All of them."""
    made = ("run", "--plain", "--symbols", "BTC,ETH")
    perps, coins = ("--symbols", "BTC"), ("--symbols", "BTC/USD")
    real = [
        Case("live, Hyperliquid", run_at("perps", "live", *perps), "hyperliquid", seconds=4),
        Case("shadow, Hyperliquid", run_at("perps", "shadow", *perps), "hyperliquid", seconds=3),
        Case("paper, Alpaca", run_at("crypto", "paper", *coins), "alpaca", seconds=4),
        Case("shadow, Alpaca", run_at("crypto", "shadow", *coins), "alpaca", seconds=3),
        Case("calendars that refuse", run_at("perps", "shadow", *perps), "hyperliquid", CALENDARS_AT, seconds=3),
    ]
    failing = [
        Case(f"{kind}, {engine}", run_at(engine, mode, *symbols), kind, codes=(1, 2), seconds=seconds)
        for kind, seconds in (
            ("echo:401", 0.0),
            ("echo:403", 0.0),
            ("echo:429", 3.0),
            ("echo:500", 3.0),
            ("echo:200", 0.0),
            ("echo:307", 0.0),
            ("mute", 3.0),
        )
        for engine, mode, symbols in (("perps", "live", perps), ("crypto", "paper", coins))
    ]
    crash = CRASHES.format(where="obi_pump.ObiPump.hear_stream = obi_pump.ObiPump.hear = crashes")
    broken = CRASHES.format(where="import daemon.session; daemon.session.Session._open = crashes")
    return [
        Case("synthetic", (*made, "--speed", "max", "--for", "20s")),
        Case("synthetic, live view", (*made[:1], *made[2:], "--for", "2s")),
        *real,
        *(one._replace(codes=(*one.codes, 0)) if one.seconds else one for one in failing),
        Case("an actor dies of it", (*made, "--speed", "max", "--for", "20s"), before=crash, codes=(1,)),
        Case("nobody catches it", (*made, "--speed", "max", "--for", "20s"), before=broken, codes=(1,)),
        Case("a wrong key", run_at("perps", "live", *perps), env=(("HYPERLIQUID_AGENT_KEY", KEY + "0"),), codes=(2,)),
        Case("no mode", ("run", "--mode", "nonsense"), codes=(2,)),
        Case("a key in the file", ("check",), config=f"[daemon]\nfred_key = '{EVERY['FRED_KEY']}'\n", codes=(2,)),
        Case("a key as a number", ("check",), config=f"[perps.risk]\ndaily_loss_usd = '{KEY}'\n", codes=(2,)),
        Case("check", ("check", "--mode", "shadow")),
        Case("a transfer that is refused", ("fund-perp", "--usd", "1", "--yes"), "echo:401", codes=(1, 2)),
        Case("a screen that is refused", ("screen", "equities", "--source", "alpaca"), "echo:403", codes=(1, 2)),
        *(
            Case(f"a dead man, {how}", ("deadman", *options), how, codes=(0, 1, 2), seconds=seconds)
            for how in ("echo:401", "echo:200", "mute")
            for options, seconds in ((("--mode", "live", "--engine", "perps"), 3.0), (DEAD_CHECK, 0.0))
        ),
        Case("serve", ("serve", "--port", "0"), seconds=3),
        Case("keys", ("keys", "list")),
        Case("mcp, nobody there", ("mcp",)),
        Case("replay", ("replay", "captures", "--plain"), before=CAPTURE),
        Case(
            "control: nothing is hidden", run_at("crypto", "paper", *coins), "echo:401", SHOWS, codes=(2,), leaks=True
        ),
        Case("control: printed on purpose", (*made, "--speed", "max", "--for", "5s"), before=LEAKS, leaks=True),
    ]


@contextmanager
def answering(how: str) -> Iterator[str]:
    """A server that answers with all that it was sent, or with nothing; gives its URL."""
    status = int(how.partition(":")[2] or 200)
    silent = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if how == "mute":
                silent.wait(60)
                return
            said = f"{self.path} {dict(self.headers.items())} {body.decode(errors='replace')} {json.dumps(EVERY)}"
            told = json.dumps({"message": said, "status": "err", "response": said, "code": 40310000}).encode()
            self.send_response(status)
            if status == 307:
                self.send_header("Location", f"http://127.0.0.1:9{self.path}")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        silent.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def venue_of(case: Case) -> Iterator[str]:
    """The URL of whom a case speaks to; empty: nobody."""
    if case.venue == "hyperliquid":
        with running(("BTC", "ETH"), speed=1.0) as venue:
            yield venue.url
    elif case.venue == "alpaca":
        with running_alpaca(("BTC/USD", "ETH/USD"), speed=1.0, start="") as venue:
            yield venue.url
    elif case.venue:
        with answering(case.venue) as url:
            yield url
    else:
        yield ""


def forms(secret: str) -> set[bytes]:
    """How a secret may look in a file."""
    plain = secret.removeprefix("0x")
    shapes = {secret, plain, plain.upper(), quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1]}
    raw = {shape.encode() for shape in shapes} | {base64.b64encode(secret.encode()), plain.encode("utf-16-le")}
    with contextlib.suppress(ValueError):
        raw.add(bytes.fromhex(plain))
    return raw


def search(folder: Path, *texts: bytes) -> list[str]:
    """Where a secret is: files, or places in the texts."""
    found = []
    places = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    places |= {f"text {number}": text for number, text in enumerate(texts)}
    for name, content in places.items():
        for setting, secret in EVERY.items():
            found += [f"{setting} in {name}" for form in forms(secret) if form in content]
    return found


def start(case: Case, folder: Path, url: str, out: Path, err: Path) -> "subprocess.Popen[bytes]":
    """The process of a case. What goes in by the environment is no finding; what comes out is."""
    config = folder.parent / "given.toml"
    config.write_text(case.config + settings_for(case, url))
    args = [*case.args]
    if case.args[0] in ("run", "replay", "check", "fund-perp", "screen", "deadman"):
        args += ["--config", str(config)]
    if case.args[0] not in ("check", "screen"):
        args += ["--data-dir", str(folder / "data")]
    code = "import os; KEY = os.environ['OBID_HYPERLIQUID_AGENT_KEY']\n"
    code += f"URL = {url!r}\n{case.before}\nimport sys\nfrom daemon.__main__ import main\n"
    code += f"sys.argv = {['obid', *args]!r}\nmain()\n"
    env = {name: value for name, value in os.environ.items() if not name.startswith("OBID_")}
    env |= {f"OBID_{name}": value for name, value in EVERY.items()} | {f"OBID_{k}": v for k, v in case.env}
    env |= {"OBID_LIVE": "yes-play-money", "OBID_HYPERLIQUID_MASTER_ADDRESS": ADDRESS, "PYTHONPATH": str(ROOT)}
    program = folder.parent / "program.py"
    program.write_text(code)
    with out.open("wb") as stdout, err.open("wb") as stderr:
        return subprocess.Popen(
            [sys.executable, str(program)], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )


def settings_for(case: Case, url: str) -> str:
    """The table that says where the venues are."""
    if not url:
        return ""
    lines = [f'hyperliquid_url = "{url}"', 'hyperliquid_chain = "testnet"']
    return "\n".join(["[daemon]", *lines, f'alpaca_url = "{url}"', ""])


def tried(case: Case) -> tuple[list[str], int, str]:
    """Run a case; gives what was found, its exit code and the end of what it said."""
    with tempfile.TemporaryDirectory(prefix="canary") as temporary, venue_of(case) as url:
        folder = Path(temporary) / "work"
        folder.mkdir()
        out, err = Path(temporary) / "out", Path(temporary) / "err"
        process = start(case, folder, url, out, err)
        try:
            line = Path(f"/proc/{process.pid}/cmdline")
            up = folder / "data" / SOCKET_NAME
            deadline = time.monotonic() + UP_S
            while case.venue in ("hyperliquid", "alpaca") and not up.exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(case.seconds)
            command = line.read_bytes() if line.exists() else b""
            if case.seconds and process.poll() is None:
                process.send_signal(signal.SIGTERM)
            code = process.wait(60)
        finally:
            process.kill()
            process.wait()
        said = err.read_bytes() or out.read_bytes()
        return search(folder, out.read_bytes(), err.read_bytes(), command), code, said.decode(errors="replace")[-200:]


def judged(case: Case, tell: Callable[[str], None]) -> bool:
    """Try a case; whether it came out as it must."""
    started = time.monotonic()
    found, code, said = tried(case)
    right = bool(found) == case.leaks and code in case.codes
    last = " ".join(said.split())[-90:]
    tell(f"{case.name:32} exit {code:3}  {len(found):3} found  {time.monotonic() - started:5.1f} s  {last}")
    for one in found[:3] if not case.leaks else []:
        tell(f"    {one}")
    if code not in case.codes:
        tell(f"    exit code {code}, {case.codes} would be right")
    return right


def main() -> int:
    """All cases."""
    every = cases()
    wrong = [case.name for case in every if not judged(case, print)]
    print(f"{len(every)} cases, {len(wrong)} wrong{': ' + ', '.join(wrong) if wrong else ''}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
