"""The short form of `make storms`: an actor that keeps crashing ends the process, halted and with nothing resting."""

import pytest

from tests.soak.storms import STORM, storm

CASES = [("perps", "perps.executor"), ("perps", "ledger"), ("crypto", "crypto.account")]


@pytest.mark.parametrize(("engine", "actor"), CASES, ids=[actor for _, actor in CASES])
def test_an_actor_that_keeps_crashing_ends_it(engine: str, actor: str):
    about, ended = storm(engine, actor, STORM)
    assert about.wrong(ended) == []
    assert about.resting and about.ended_s is not None and about.ended_s < 15


def test_one_crash_fewer_ends_nothing_and_is_found_out():
    about, ended = storm("perps", "perps.signal", STORM - 1)
    about.crashes = STORM  # what the judge would say had it been five
    wrong = about.wrong(ended)
    assert any("crashed 4 times of 5" in one for one in wrong)
    assert any("did not give up" in one for one in wrong)
    assert any("was not halted" in one for one in wrong)
