"""Damaged frames and answers: refused by name or read as what they still say, 20,000 here, a million by `make fuzz`."""

import itertools
from collections import Counter

import pytest

from tests.soak.frames import DAMAGES, NotRefused, judge, one, seeds
from venues.hyperliquid.wire import decode

FRAMES = 20_000
TASKS = 8


@pytest.mark.parametrize("part", range(TASKS))
def test_damage_raises_nothing_but_misspoke(part):
    came = Counter(one(number) for number in range(part, FRAMES, TASKS))
    assert came.total() == FRAMES // TASKS
    assert min(came["refused"], came["read"]) > FRAMES // TASKS // 10, "both must happen, or nothing was damaged"


def test_whole_seeds_are_read():
    """What is damaged was whole before, so a refusal is of the damage."""
    assert all(len(side) >= most for side, most in zip(seeds(), (47, 41, 14), strict=True))
    for _name, said, reader in itertools.chain(*seeds()):
        judge(reader(said))


def test_the_judge_sees_what_is_wrong(monkeypatch):
    with pytest.raises(ValueError, match="nan was read as a number"):
        judge((1.0, {"price": float("nan")}))
    broken = (("broken", b'{"channel":"pong"}', lambda said: decode(said, 1) and said.undefined),)
    monkeypatch.setattr("tests.soak.frames.seeds", lambda: (broken,))
    with pytest.raises(NotRefused, match=r"frame \d+, (flip|cut|splice|digits|meaning|nest) of broken: AttributeError"):
        for number in range(200):
            one(number)
    assert len(set(DAMAGES)) == 6
