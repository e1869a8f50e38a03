"""What is wrong before a start: one clear line, exit 2, and nothing was started or made."""

import os

import pytest

from daemon.lock import DataDirLock
from daemon.modes import ADAPTERS
from daemon.options import JOURNAL_NAME
from tests.daemon.runs import capture, hold, obid


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """An empty folder and an environment that says nothing."""
    for name in list(os.environ):
        if name.upper().startswith(("OBID_", "ALPACA_", "CREDENTIALS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refused(data_dir, *args, code=2):
    """The one line that a run is refused with; nothing of it is in the data directory."""
    result = obid("run", "--data-dir", data_dir, *args, code=code)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert not (data_dir / JOURNAL_NAME).exists()
    assert not (data_dir / "log").exists()
    return line


def file(tmp_path, text):
    path = tmp_path / "my.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--mode", "live"], "second switch"),
        (["--mode", "paper"], "no paper account"),
        (["--mode", "paper", "--engine", "crypto"], "alpaca_paper_key_id: is missing"),
        (["--mode", "shadow", "--engine", "equities"], "alpaca_paper_key_id: is missing"),
        (["--mode", "replay"], "`obid replay`"),
        (["--symbols", "BTC,NOPE"], "'NOPE': no such symbol"),
        (["--symbols", "btc"], "'btc': no such symbol"),
        (["--engine", "futures"], "'futures'"),
        (["--bar", "0s"], "--bar"),
        (["--for", "soon"], "--for"),
        (["--speed", "fast"], "--speed"),
        (["--mode", "live", "--speed", "max"], "keeps its own time"),
        (["--seed", "-1"], "--seed"),
        (["--config", "absent.toml"], "no such file"),
    ],
)
def test_a_wrong_option_gives_one_line(args, said, tmp_path):
    assert said in refused(tmp_path / "data", *args)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[perps.risk]\ndaily_loss_usd = nan", "perps.risk.daily_loss_usd = nan: must be a finite number"),
        ("[perps.signal]\nstop_loss = inf", "perps.signal.stop_loss = inf: must be a finite number"),
        ("[perps.risk]\norders_per_minute = 0", "perps.risk.orders_per_minute = 0"),
        ("[perps.risk]\nmax_orders = 3", "perps.risk.max_orders = 3: no such setting"),
        ("[perp.risk]\ndaily_loss_usd = 5", "perp: no such table; did you mean perps?"),
        ("[daemon]\nfmp_key = 'secret'", "a secret doesn't belong into this file"),
        ("perps = [", "is no TOML"),
    ],
)
def test_a_wrong_file_gives_one_line_with_the_field_and_where_it_stands(text, said, tmp_path):
    line = refused(tmp_path / "data", "--config", file(tmp_path, text))
    assert said in line
    assert "my.toml" in line
    assert "secret'" not in line


def test_live_with_both_switches_and_keys_ends_at_the_missing_adapter(tmp_path, monkeypatch):
    monkeypatch.setenv("OBID_LIVE", "yes-real-money")
    monkeypatch.setenv("OBID_HYPERLIQUID_AGENT_KEY", "0x" + "ab" * 32)
    monkeypatch.setenv("OBID_HYPERLIQUID_MASTER_ADDRESS", "0x" + "cd" * 20)
    monkeypatch.delitem(ADAPTERS, "hyperliquid")
    line = refused(tmp_path / "data", "--mode", "live")
    assert line.startswith("obid: --mode = 'live': perps needs hyperliquid, which this version does not speak yet")


def test_a_venue_that_is_not_there_is_one_line_and_starts_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("OBID_HYPERLIQUID_URL", "http://127.0.0.1:9")  # the port that discards
    monkeypatch.setenv("OBID_HYPERLIQUID_CHAIN", "testnet")
    data = tmp_path / "data"
    (line,) = obid("run", "--mode", "shadow", "--data-dir", data, code=1).stderr.splitlines()
    assert line.startswith("obid: the venue could not be opened: /info: ConnectError")
    assert not (data / JOURNAL_NAME).exists()


@pytest.mark.skipif(os.name != "posix", reason="Windows has access lists instead of modes")
def test_a_key_file_that_others_can_read_is_refused(tmp_path, monkeypatch):
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "fmp_key").write_text("a-secret")
    (keys / "fmp_key").chmod(0o644)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(keys))
    line = refused(tmp_path / "data")
    assert "chmod 600" in line
    assert "a-secret" not in line


def test_a_second_daemon_on_the_same_data_directory_is_refused_and_told_who_is_there(tmp_path):
    with DataDirLock(tmp_path / "data"):
        assert f"another obid (pid {os.getpid()}) runs there" in refused(tmp_path / "data")


@pytest.mark.skipif(os.name != "posix", reason="Windows has access lists instead of modes")
def test_a_data_directory_that_others_can_enter_is_refused(tmp_path):
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o755)
    (data_dir / "something").touch()
    assert "chmod 700" in refused(data_dir)


def test_a_data_directory_of_another_mode_is_refused_and_left_as_it_was(tmp_path):
    data_dir = tmp_path / "data"
    obid("run", "--data-dir", data_dir, "--symbols", "BTC", "--speed", "max", "--for", "5s")
    before = (data_dir / JOURNAL_NAME).read_bytes()
    line = obid("replay", "--data-dir", data_dir, capture(tmp_path / "lob"), code=2).stderr
    assert line.count("\n") == 1
    assert "holds the books of synthetic mode" in line
    assert (data_dir / JOURNAL_NAME).read_bytes() == before


def test_a_journal_that_is_damaged_is_not_traded_on_and_not_touched(tmp_path):
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    (data_dir / JOURNAL_NAME).write_bytes(b"not a journal" * 1000)
    for command in (["run", "--speed", "max"], ["replay", capture(tmp_path / "lob")]):
        result = obid(*command, "--data-dir", data_dir, code=1)
        (line,) = result.stderr.splitlines()
        assert "Nothing was started" in line
    assert (data_dir / JOURNAL_NAME).read_bytes() == b"not a journal" * 1000


def test_a_position_in_a_name_that_is_no_longer_traded_is_said_before_anything_starts(tmp_path):
    data_dir = tmp_path / "data"
    hold(data_dir, "ETH", 5)
    line = obid("run", "--data-dir", data_dir, "--symbols", "BTC", "--speed", "max", code=2).stderr
    assert line.count("\n") == 1
    assert "ETH" in line
