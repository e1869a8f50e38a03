"""Units: what ships is what the command writes, systemd finds them sound and tight, and a user's works by itself."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon.install_service import Wanted, units
from daemon.options import Mode
from daemon.service_units import quoted
from tests.daemon.runs import ROOT, obid

SHIPPED = Wanted(
    user=False,
    mode=Mode.LIVE,
    engines=("perps",),
    config=Path("/etc/obid/obid.toml"),
    data_dir=None,
    program=("/opt/obid/.venv/bin/obid",),
)
EXPOSURE_MAX = 1.5
analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "text"), units(SHIPPED).items())
def test_the_units_that_ship_are_what_the_command_writes(name, text):
    assert (ROOT / "deploy" / name).read_text("utf-8") == text


@analyze
@pytest.mark.parametrize("name", units(SHIPPED))
def test_systemd_rates_them(name):
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", ROOT / "deploy" / name],
        capture_output=True,
        text=True,
        check=False,
    )
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", told.stdout)
    assert float(exposure) <= EXPOSURE_MAX
    assert "Unknown" not in told.stderr and "nvalid" not in told.stderr, told.stderr


@analyze
def test_systemd_reads_what_is_written_for_a_user(home, tmp_path):
    wanted = ("--user", "--mode", "live", "--engine", "crypto", "--engine", "perps", "--data-dir", tmp_path / "my data")
    shown = obid("install-service", *wanted).stdout
    folder = home / ".config" / "systemd" / "user"
    assert sorted(path.name for path in folder.iterdir()) == ["obid-deadman.service", "obid.service"]
    assert "systemctl --user daemon-reload && systemctl --user enable --now obid.service obid-deadman.service" in shown
    told = subprocess.run(
        ["systemd-analyze", "--user", "verify", *folder.iterdir()], capture_output=True, text=True, check=False
    )
    assert not [line for line in told.stderr.splitlines() if "obid" in line], told.stderr
    text = (folder / "obid.service").read_text("utf-8")
    assert f'--engine perps --engine crypto --data-dir "{tmp_path / "my data"}"' in text


def test_a_unit_that_somebody_changed_is_left_alone(home):
    obid("install-service", "--user")
    obid("install-service", "--user")
    path = home / ".config" / "systemd" / "user" / "obid.service"
    path.write_text(path.read_text("utf-8") + "# mine\n")
    assert "--force writes over it" in obid("install-service", "--user", code=2).stderr
    assert path.read_text("utf-8").endswith("# mine\n")
    obid("install-service", "--user", "--force")
    assert not path.read_text("utf-8").endswith("# mine\n")


def test_secrets_are_named_only_where_they_are(home):
    keys = home / ".config" / "obid" / "keys"
    keys.mkdir(parents=True)
    (keys / "fred_key").write_text("canary-0xdeadbeef")
    text = obid("install-service", "--user", "--print").stdout
    assert f"\nLoadCredential=fred_key:{keys / 'fred_key'}\n" in text
    assert "\n#LoadCredential=hyperliquid_agent_key:" in text
    assert "canary" not in text
    assert "obid-deadman" not in text, "no order leaves the machine in synthetic mode"


def test_words_are_quoted_as_systemd_reads_them():
    assert quoted("/a b/100%") == '"/a b/100%%"'
    assert quoted('say "x"') == '"say \\"x\\""'
    assert quoted("--plain") == "--plain"
