"""The bug museum: our code passes every exhibit, the naive way fails every one, and every source has its place."""

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.museum import hall
from daemon.museum.catalogue import catalogue, referred
from daemon.museum.exhibit import Exhibit, visit
from daemon.museum.hall import EXHIBITS, WINGS, table
from daemon.museum.sources import COMMITS, DEFECTS, LIVE, SOURCES

STORY_CHARS_MAX = 120
ALL = pytest.mark.parametrize("exhibit", EXHIBITS.values(), ids=EXHIBITS.keys())


@ALL
def test_ours_passes_the_check_and_the_naive_way_fails_it(exhibit: Exhibit) -> None:
    verdict = visit(exhibit)
    assert verdict.passed, verdict


@ALL
def test_an_exhibit_is_told_in_one_line(exhibit: Exhibit) -> None:
    for text in (exhibit.story, exhibit.stake):
        assert text == " ".join(text.split())
        assert 0 < len(text) <= STORY_CHARS_MAX
    assert exhibit.story.endswith(".")
    assert exhibit.name == exhibit.name.lower()
    assert exhibit.sources


def test_what_happens_is_the_same_each_time() -> None:
    """But for sockets, whose exhibits see only what came, not when."""
    for exhibit in EXHIBITS.values():
        if exhibit not in (*hall.sockets.EXHIBITS, *hall.alpaca_streams.EXHIBITS):
            assert visit(exhibit) == visit(exhibit)


def test_names_are_unique() -> None:
    names = Counter(exhibit.name for rooms in WINGS.values() for room in rooms for exhibit in room.EXHIBITS)
    assert [name for name, times in names.items() if times > 1] == []
    assert len(names) == len(EXHIBITS)


def test_every_source_has_an_exhibit_or_a_reason() -> None:
    assert {source.key for source in LIVE} == {f"L{number}" for number in range(1, 28)}
    assert {source.key for source in DEFECTS} == {f"D{number}" for number in range(1, 18)}
    keys = [source.key for source in SOURCES]
    assert len(keys) == len(set(keys))
    assert {key for exhibit in EXHIBITS.values() for key in exhibit.sources} <= set(keys)
    assert [source.key for source, shown in table() if not shown and not source.left_out] == []


def test_what_is_left_out_for_another_wing_is_not_shown_here() -> None:
    assert [source.key for source, shown in table() if shown and "wing" in source.left_out] == []


# --- the frame --------------------------------------------------------------------------------------------------------


def exhibit(right: object = 1, wrong: object = 2, **more: object) -> Exhibit:
    told = {"name": "toy", "story": "A toy.", "sources": ("L9",), "stake": "nothing", "check": lambda seen: seen == 1}
    return Exhibit(**(told | {"right": lambda: right, "wrong": lambda: wrong} | more))


def test_a_check_that_does_not_bite_is_no_exhibit() -> None:
    assert visit(exhibit()).passed
    assert "does not bite" in visit(exhibit(wrong=1)).why
    assert "ours fails" in visit(exhibit(right=2)).why


def test_what_raises_fails_and_says_so() -> None:
    verdict = visit(exhibit(right=None, check=lambda seen: 1 / 0))
    assert not verdict.passed
    assert "right raised ZeroDivisionError" in verdict.why


# --- the command ------------------------------------------------------------------------------------------------------


def obid(*args: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["scenario", *args], prog_name="obid")
    assert result.exit_code == code, result.output
    return result.stdout if code < 2 else result.stderr


def test_the_list_has_every_name_with_its_story() -> None:
    lines = obid("list").splitlines()
    assert [line.split()[0] for line in lines] == list(EXHIBITS)
    told = json.loads(obid("list", "--json"))
    assert [(one["name"], one["story"]) for one in told] == [(one.name, one.story) for one in EXHIBITS.values()]


def test_one_is_run_by_its_name() -> None:
    lines = obid("run", "l11-ok-with-an-error").splitlines()
    assert lines[0].startswith("pass  l11-ok-with-an-error: ")
    assert "ours: 'refused'" in lines[1]
    assert "naive: 'done'" in lines[2]


def test_all_are_run_and_one_that_fails_is_exit_1(monkeypatch: pytest.MonkeyPatch) -> None:
    toys = {"one": exhibit(name="one"), "two": exhibit(name="two", right=3)}
    monkeypatch.setattr(hall, "EXHIBITS", toys)
    lines = obid("run", "--all", code=1).splitlines()
    assert lines[0] == "pass  one: A toy."
    assert lines[1] == "FAIL  two: A toy."
    assert lines[-1] == "1 of 2 pass"
    told = json.loads(obid("run", "--all", "--json", code=1))
    assert [(one["name"], one["passed"]) for one in told] == [("one", True), ("two", False)]
    assert json.loads(obid("run", "one", "--json"))[0]["passed"] is True


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("run", "l11-ok-with-an-eror"), "did you mean l11-ok-with-an-error"),
        (("run", "???"), "see obid scenario list"),
        (("run",), "name one scenario, or say --all"),
        (("run", "one", "--all"), "name one scenario, or say --all"),
    ],
)
def test_a_name_that_is_none_is_exit_2_with_the_nearest(args: tuple[str, ...], said: str) -> None:
    (line,) = obid(*args, code=2).splitlines()
    assert said in line


# --- the catalogue ----------------------------------------------------------------------------------------------------


def test_the_catalogue_is_what_its_generator_writes() -> None:
    """That each of them passes is for the tests above: `obid scenario run --all --markdown > docs/museum.md`."""
    page = Path(__file__).resolve().parents[2] / "docs" / "museum.md"
    assert page.read_text("utf-8") == catalogue(dict.fromkeys(EXHIBITS, True))


def test_a_failure_is_seen_in_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    text = catalogue(dict.fromkeys(EXHIBITS, True) | {"nt-4736-made-up-fill": False})
    assert f"{len(EXHIBITS)} exhibits, {len(EXHIBITS) - 1} pass" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| `nt-4736-made-up-fill`")]
    assert row.endswith("| **FAIL** |")
    toys = {"one": exhibit(name="one")}
    monkeypatch.setattr(hall, "EXHIBITS", toys)
    assert "--markdown" in obid("run", "one", "--markdown", code=2)


def test_a_source_is_named_as_others_can_look_it_up() -> None:
    assert referred("L12") == "L12 (eda3e6a, 969f40e)"
    assert referred("hb-8457") == "hb-8457"
    assert set(COMMITS) <= {source.key for source in LIVE}
