"""docs/operating.md does not rot: its commands run, its options exist, its table of alerts is whole.

A block says behind `sh` how it is run here: nothing, as it stands; `daemon`, in the background until it is stopped;
`venue`, `paper`, `live`, at the venue's emulator in place of the venue; `keys`, by a shell; `count`, without what is
behind a pipe. All others (`root`, `make`, `long`) are only looked at. What would run for ever is looked at, too.
"""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from config.settings import PLAY
from daemon import deadman_alerts
from daemon.alerts import rules
from daemon.backup import BY
from daemon.books import recover_from
from daemon.cli import app
from daemon.emulate import address_of
from daemon.options import JOURNAL_NAME
from tests.daemon.runs import ROOT, Daemon, obid
from tests.venues.emulator.alpaca_running import KEY as ALPACA_KEY
from tests.venues.emulator.alpaca_running import SECRET as ALPACA_SECRET
from tests.venues.emulator.alpaca_running import running_alpaca
from tests.venues.emulator.running import ADDRESS, KEY, running

TEXT = (ROOT / "docs" / "operating.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)(?: ([\w.]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LOOKED_AT = ("make", "long", "root")
WATCHES = "0x" + "5a" * 32


class Block(NamedTuple):
    """A block of the document."""

    language: str
    how: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


BLOCKS = [Block(language, how, tuple(body.splitlines())) for language, how, body in BLOCK.findall(TEXT)]


def blocks(how: str, language: str = "sh") -> list[Block]:
    found = [one for one in BLOCKS if (one.language, one.how) == (language, how)]
    assert found, how
    return found


def words(line: str) -> list[str]:
    """An obid command, without what is behind a pipe or a remark."""
    return shlex.split(line.split(" | ", maxsplit=1)[0], comments=True)


def typed(line: str, code: int | None = 0):
    """Run a line: obid's own in this process."""
    if line.startswith("obid "):
        return obid(*words(line)[1:], code=code)
    return subprocess.run(line, shell=True, check=True, capture_output=True, text=True)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(here: Path, name: str, more: str) -> None:
    """A file of the document, with what leads to an emulator."""
    (block,) = blocks(name, "toml")
    tomllib.loads(block.text)
    text = block.text if "[daemon]" in block.text else "[daemon]\n" + block.text
    (here / name).write_text(text.replace("[daemon]\n", f"[daemon]\n{more}\n", 1))


def test_day_0_and_the_backup(here):
    ((start,),) = (one.lines for one in blocks("daemon"))
    asked = words(start)
    data = here / asked[asked.index("--data-dir") + 1]
    rest = [word for word in asked[2:] if word not in ("--plain", "--data-dir", data.name)]
    plain = blocks("")
    with Daemon(data, *rest, "--symbols", "BTC,ETH") as daemon:
        for line in plain[0].lines:
            typed(line)
        assert daemon.process.wait(15) == 0, "the last of them was to stop it"
    for block in plain[1:]:
        for line in block.lines:
            typed(line, code=None if line.startswith("obid doctor") else 0)
    for line in (line for block in blocks("count") for line in block.lines):
        typed(line)
    assert recover_from(here / "fast" / JOURNAL_NAME).trading[""].by == BY, "the restored one has run, halted"
    assert (here / "fast.broken").is_dir() and (here / "fast.html").stat().st_size > 1000


def test_day_2_at_the_emulated_venue(here, monkeypatch):
    with running(("BTC", "ETH"), speed=1.0) as venue:
        config(here, "obid.toml", f'hyperliquid_url = "{venue.url}"\nhyperliquid_chain = "testnet"')
        for line in (line for block in blocks("venue") for line in block.lines if " run " not in line):
            typed(line)


def test_day_3_with_a_paper_key(here, monkeypatch):
    with running_alpaca(("BTC/USD", "ETH/USD"), speed=1.0, start="") as venue:
        monkeypatch.setenv("PAPER_KEY_ID", ALPACA_KEY)
        monkeypatch.setenv("PAPER_SECRET", ALPACA_SECRET)
        (keys,) = blocks("keys")
        subprocess.run(keys.text, shell=True, check=True)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(here / "keys"))
        config(here, "paper.toml", f'alpaca_url = "{venue.url}"')
        for line in (line for block in blocks("paper") for line in block.lines if " run " not in line):
            typed(line)


def test_live_with_play_money(here, monkeypatch):
    """The doctor says there that no dead man watches; all else of it is well."""
    monkeypatch.setenv("OBID_HYPERLIQUID_AGENT_KEY", KEY)
    monkeypatch.setenv("OBID_HYPERLIQUID_DEADMAN_KEY", WATCHES)
    monkeypatch.setenv("OBID_HYPERLIQUID_MASTER_ADDRESS", ADDRESS)
    monkeypatch.setenv("OBID_LIVE", PLAY)
    with running(("BTC", "ETH"), speed=1.0, accounts=[f"{ADDRESS}:100000:{address_of(WATCHES)}"]) as venue:
        config(here, "live.toml", f'hyperliquid_url = "{venue.url}"\nhyperliquid_chain = "testnet"')
        for line in (line for block in blocks("live") for line in block.lines):
            if line.startswith(("obid check", "obid deadman --check")):
                typed(line)
            elif line.startswith("obid doctor"):
                failed = [row for row in typed(line, code=1).stdout.splitlines() if row.startswith("fail")]
                assert len(failed) == 1 and "dead man" in failed[0]


def commands() -> list[str]:
    """Every obid command of the document, in blocks and in running text."""
    shown = [line for one in BLOCKS if one.language == "sh" for line in one.lines if line.startswith("obid ")]
    shown += [line for one in BLOCKS if not one.language for line in one.lines if line.startswith("obid ")]
    said = re.findall(r"`(obid [a-z][^`]*)`", TEXT)
    return [*shown, *(text for text in said if text != "obid gave up")]  # which an alert says


def test_every_command_and_option_exists():
    known = typer.main.get_command(app)
    assert len(commands()) > 60
    for text in commands():
        command, rest = known, words(text.replace("...", ""))[1:]
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        named = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        assert command is not known, f"{text}: no such command"
        unknown = {word for word in rest if word.startswith("-")} - named - {"--help"}
        assert not unknown, f"{text}: {unknown}"


KEYS = (
    *(rf'_alert\(\s*{name}, Level\.\w+, f?"([a-z_]+)' for name in ("message", "window")),
    r'\bkey(?: = |=|, whom = |, title = )f?"([a-z_]+)',
    r'lasting\[f"([a-z_]+)',
    r'"(deadman_(?:sweeps|clear|held_up))"',
)
"""How a key of an alert is written in the sources."""


def test_the_table_of_alerts_is_whole():
    """Whatever is a key in the sources has a row, and whatever has a row is a key there."""
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (?:critical|warning|info) \| .{20,} \|$", TEXT, re.MULTILINE)
    sources = [Path(module.__file__).read_text("utf-8") for module in (rules, deadman_alerts)]
    said = {key for text in sources for pattern in KEYS for key in re.findall(pattern, text)}
    assert len(rows) == len(set(rows)) >= 18
    assert set(rows) == said
    calls = sum(len(re.findall(r"\b_?[Aa]lert\($|\b_?[Aa]lert\(|self\._begun\(", text)) for text in sources)
    assert calls >= len(said) - 2, "or the patterns miss a new way to say one"


def test_the_services_configuration_of_shippers_is_what_it_says():
    (toml,) = [one for one in BLOCKS if one.language == "toml" and "sources.obid" in one.text]
    known = tomllib.loads(toml.text)
    assert known["transforms"]["obid_lines"]["inputs"] == ["obid"]
    assert all(one.how in ("", "daemon", "venue", "paper", "live", "keys", "count", *LOOKED_AT)
               for one in BLOCKS if one.language == "sh")  # fmt: skip
