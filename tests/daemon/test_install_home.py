"""A unit of the machine cannot see a home: one that could never start is not written and called done."""

from pathlib import Path

import pytest

from daemon import install_service as service
from daemon.errors import BadInput
from daemon.options import Mode


def wanted(**more) -> service.Wanted:
    program = ("/opt/obid/.venv/bin/python", "-m", "daemon")
    asked = {
        "user": False,
        "mode": Mode.SHADOW,
        "engines": ("perps",),
        "config": None,
        "data_dir": None,
        "program": program,
    }
    return service.Wanted(**(asked | more))


@pytest.mark.parametrize(
    "more",
    [
        {"program": ("/home/me/obid/.venv/bin/python", "-m", "daemon")},
        {"config": Path("/root/obid.toml")},
        {"data_dir": Path("/home/me/state")},
    ],
    ids=str,
)
def test_what_protect_home_hides_is_refused(tmp_path, monkeypatch, more):
    monkeypatch.setattr(service, "SYSTEM_FOLDER", tmp_path)
    assert "ProtectHome=yes" in service.units(wanted(**more))[service.MAIN]
    with pytest.raises(BadInput, match="--user"):
        service.install(wanted(**more), force=False)
    assert not list(tmp_path.iterdir())


def test_what_it_can_see_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "SYSTEM_FOLDER", tmp_path)
    service.install(wanted(), force=False)
    assert (tmp_path / service.MAIN).is_file()
