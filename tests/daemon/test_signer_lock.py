"""One process at a time signs with a key, whatever its data directory; and nothing shows what a URL hides."""

from pathlib import Path

import pytest

from config.errors import ConfigError
from config.settings import PLAY, load_settings, without_password
from daemon import modes, venue_places
from daemon.configured import Configured, configure
from daemon.emulate import address_of
from daemon.options import Mode, RunOptions
from daemon.signer_lock import signers_dir
from tests.daemon.runs import obid
from tests.venues.emulator.running import ADDRESS, KEY

URL = "https://someone:correct-horse@gateway.example/prefix"


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("OBID_HYPERLIQUID_AGENT_KEY", KEY)
    monkeypatch.setenv("OBID_HYPERLIQUID_MASTER_ADDRESS", ADDRESS)
    monkeypatch.setenv("OBID_HYPERLIQUID_CHAIN", "testnet")
    monkeypatch.setenv("OBID_LIVE", PLAY)


def configured(tmp_path: Path, mode: Mode = Mode.LIVE) -> Configured:
    return configure(RunOptions(mode=mode, engines=("perps",), data_dir=tmp_path))


def lock(tmp_path: Path, mode: Mode = Mode.LIVE):
    known = configured(tmp_path, mode)
    return modes.signer_lock(mode, known.profiles, known.settings, tmp_path)


def test_a_second_run_with_the_key_is_refused_though_its_data_is_elsewhere(tmp_path: Path):
    with lock(tmp_path / "one"):
        with pytest.raises(ConfigError, match=f"signs with {address_of(KEY)} and would use the same nonces"):
            lock(tmp_path / "two").__enter__()
        with lock(tmp_path / "three", Mode.SHADOW):
            pass  # nothing is signed there
    with lock(tmp_path / "two"):
        pass
    assert [path.name for path in signers_dir().iterdir()] == [f"Testnet-{address_of(KEY)}.lock"]


def test_a_run_and_a_transfer_refuse_each_other(tmp_path: Path, monkeypatch):
    """The account's own key may be the run's: they count nonces for themselves."""
    monkeypatch.setenv("OBID_HYPERLIQUID_MASTER_KEY", KEY)
    monkeypatch.setenv("OBID_HYPERLIQUID_URL", "https://gateway.invalid")
    with lock(tmp_path / "one"):
        said = obid("fund-perp", "--usd", "1", "--yes", "--data-dir", tmp_path / "two", code=2).stderr
    assert said.startswith("obid: hyperliquid_master_key: another obid (pid ")
    assert KEY not in said


def test_an_emulator_on_this_machine_is_locked_by_nobody(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("OBID_HYPERLIQUID_URL", "http://127.0.0.1:8000")
    with lock(tmp_path / "one"), lock(tmp_path / "two"):
        assert not signers_dir().exists()


def test_no_place_for_the_lock_is_one_clear_error(tmp_path: Path):
    (tmp_path / "state").write_text("no folder")
    with pytest.raises(ConfigError, match=r"^hyperliquid_agent_key: there is no place for its lock"):
        lock(tmp_path / "one").__enter__()


def test_what_a_url_hides_is_in_no_error_and_is_known_to_the_log(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("OBID_HYPERLIQUID_URL", URL)
    known = configured(tmp_path)
    assert "correct-horse" in known.secrets()
    assert venue_places.hyperliquid_url(known.settings) == URL
    monkeypatch.setenv("OBID_HYPERLIQUID_CHAIN", "mainnet")
    with pytest.raises(ConfigError) as caught:
        load_settings({"hyperliquid_url": URL.replace("https", "http"), "mode": "shadow"}, env_file=None)
    assert "correct-horse" not in str(caught.value)
    assert "gateway.example" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (URL, "https://***@gateway.example/prefix"),
        ("someone:pass/word@host:1", "***@host:1"),
        ("http://a:b@c@host", "http://***@host"),
        ("https://host/path", "https://host/path"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_who_logs_in(url, shown):
    assert without_password(url) == shown
