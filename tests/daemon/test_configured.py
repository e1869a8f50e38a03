"""What is refused before a run touches anything."""

import pytest

from actors.feed import Feed
from config.errors import ConfigError
from config.settings import load_settings
from daemon import graph
from daemon.configured import refuse_short


def test_a_secret_too_short_to_be_one_is_refused_by_its_name_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBID_FRED_KEY", "hunter2")
    with pytest.raises(ConfigError, match="fred_key: has fewer than 8 characters") as caught:
        refuse_short(load_settings({"mode": "synthetic"}))
    assert "hunter2" not in str(caught.value)


def test_longer_ones_and_none_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBID_FRED_KEY", "hunter22")
    refuse_short(load_settings({"mode": "synthetic"}))


def test_a_setting_that_turns_out_wrong_in_a_run_is_not_tried_again() -> None:
    """As Alpaca's 402 to a key that never was let in: the next try would be refused too, and lock it."""
    assert ConfigError in graph.child("feed", Feed, lambda: None).fatal  # type: ignore[arg-type, return-value]
