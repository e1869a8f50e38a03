"""`make torn` in small: damaged journals and logs, and plain ones as the control."""

from pathlib import Path

import pytest

from daemon import run
from tests.soak import torn, torn_journal, torn_lives, torn_log


@pytest.mark.parametrize(("name", "tear"), [("journal", torn_journal.tear), ("log", torn_log.tear)])
def test_a_torn_file_never_tells_what_was_not_written(name, tear, capsys):
    assert torn.torn(name, tear, 120, seed=5) == []
    assert "plain, without checksums" in capsys.readouterr().out


def test_a_page_of_nothing_under_a_snapshot_is_damage_and_no_traceback(tmp_path: Path):
    """Looking for the snapshot's place read through it: `make torn`, seed 1."""
    (tmp_path / "made").mkdir()
    material = torn_journal.Material(tmp_path / "made", 1)
    book = material.closed[""]
    for at in range(0, len(book), torn_journal.PAGE):
        files = {**material.closed, "": book[:at] + bytes(torn_journal.PAGE) + book[at + torn_journal.PAGE :]}
        outcome = torn_journal.start(torn_journal.put(files, tmp_path / "torn"), material, len(material.entries))
        assert outcome in torn_journal.GOOD


def test_an_end_that_is_lost_between_two_lives_is_adopted_and_nothing_is_doubled(tmp_path: Path):
    found = torn_lives.live("crypto", 1, tmp_path, minutes=3.0)
    assert found.failures == []
    assert found.torn == found.told > 1
    assert found.again + found.adopted, "fills that the venue told again, and drifts with a name"


def test_the_control_a_start_that_does_not_look_for_the_mark_says_nothing(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(run, "lost_end", lambda _: "")
    found = torn_lives.live("crypto", 1, tmp_path, minutes=1.5)
    assert f"{found.torn} ends were lost and 0 starts said so" in found.failures
