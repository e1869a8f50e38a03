"""An engine or a symbol that is none is never "flat": who mistypes one must not believe that nothing is held."""

import pytest

from tests.daemon.runs import Daemon, obid

WRONG = [("--engine", "perp"), ("--symbol", "btc"), ("--engine", "perps", "--symbol", "BTCC")]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    data = tmp_path_factory.mktemp("flat") / "data"
    with Daemon(data, "--mode", "synthetic", "--engine", "perps", "--symbols", "BTC,ETH") as daemon:
        yield daemon


@pytest.mark.parametrize("verb", ["positions", "orders"])
@pytest.mark.parametrize("wrong", WRONG, ids=" ".join)
def test_an_unknown_name_is_exit_2(daemon, verb, wrong):
    asked = obid("ctl", verb, *wrong, "--data-dir", daemon.data_dir, code=2)
    assert "one of perps" in asked.output or "traded here" in asked.output


def test_a_known_one_is_answered(daemon):
    assert obid("ctl", "positions", "--engine", "perps", "--symbol", "BTC", "--data-dir", daemon.data_dir).output


def test_a_halt_is_taken_whatever_its_reason_is_written_in(daemon):
    """A terminal in Latin-1: the halt was refused for its reason, and trading went on."""
    obid("ctl", "halt", "--yes", "--reason", "caf\udce9", "--data-dir", daemon.data_dir)
    latched, *_ = daemon.wait_for(lambda: daemon.log("trading_state"))
    assert latched["reason"] == "caf?"
