"""`obid report` on a real run: its figures are the ledger's, and each way of writing them says the same."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from daemon.books import recover_from
from daemon.options import JOURNAL_NAME
from daemon.report.booked import booked
from daemon.report.figures import report
from daemon.report.made import made
from daemon.report.markdown import markdown
from daemon.report.rows import Report
from daemon.report.told import Told, told
from daemon.report.window import days
from supervisor.journal import Journal
from tests.daemon.runs import eager, obid

DAY = "2026-01-05"


@pytest.fixture(scope="module")
def traded(tmp_path_factory) -> Path:
    """Two runs of a strategy without patience, one after the other on one data directory."""
    folder = tmp_path_factory.mktemp("report")
    config, data = eager(folder), folder / "data"
    for seconds, seed in (("10m", 7), ("5m", 8)):
        asked = ("--seed", seed, "--for", seconds, "--speed", "max", "--config", config, "--bar", "5s", "--plain")
        obid("run", "--symbols", "BTC,ETH,SOL", "--data-dir", data, *asked)
    return data


def test_the_figures_are_the_ledgers(traded):
    mind = recover_from(traded / JOURNAL_NAME)
    money = mind.books.money("perps")
    told = made(traded, week=True, on="", run="")
    (row,) = told.engines
    assert row.fills == mind.fills["perps"] > 20
    assert (row.realised_minor, row.fees_minor) == (money.realised_minor, money.fees_minor)
    assert row.funding_minor == money.funding_minor
    assert row.pnl_minor == money.realised_minor - money.fees_minor + money.funding_minor
    assert sum(one.pnl_minor for one in told.symbols) == row.pnl_minor
    assert sum(one.traded_minor for one in told.executions) == row.traded_minor
    assert sum(one.fills for one in told.executions) == row.fills
    assert sum(one.trips for one in told.reasons) == len(told.trips) > 5
    assert sum(one.pnl_minor for one in told.reasons) == sum(one.pnl_minor for one in told.trips)
    held = {one.symbol for one in told.held}
    assert held == {symbol for symbol, position in mind.books.positions["perps"].items() if position.lots}
    assert all(one.measured_share == 1 for one in told.executions if one.purpose != "other")
    assert {one.left_by for one in told.trips} <= {"z_revert", "stop_loss", "time_stop"}
    wanted = sum(one.intents for one in told.wants)
    assert wanted == sum(one.whole + one.partly + one.unfilled for one in told.wants) > 10


def test_runs_are_told_apart_and_add_up(traded):
    whole = made(traded, week=False, on=DAY, run="")
    first, second = (made(traded, week=False, on="", run=number) for number in ("1", "last"))
    assert first.engines[0].fills + second.engines[0].fills == whole.engines[0].fills
    assert first.engines[0].pnl_minor + second.engines[0].pnl_minor == whole.engines[0].pnl_minor
    assert len(first.trips) + len(second.trips) == len(whole.trips)
    run_id = recover_from(traded / JOURNAL_NAME).runs[0].run_id
    assert made(traded, week=False, on="", run=run_id).engines == first.engines


def test_another_day_is_empty(traded):
    told = made(traded, week=False, on="2026-01-04", run="")
    assert (told.engines, told.trips, told.equity, told.wants) == ((), (), (), ())
    assert "none" in markdown(told, "1")


class Page(HTMLParser):
    """What an HTML page is made of; raises for tags that do not close."""

    VOID = frozenset({"meta", "line", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onclick"}, "it fetches nothing"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["td"]:
            self.cells.append(data)


def test_html_markdown_and_json_say_the_same(traded, tmp_path):
    page, text = tmp_path / "day.html", tmp_path / "day.md"
    shown = obid("report", "--day", "--data-dir", traded, "--out", page, "--out", text, "--json")
    data = json.loads(shown.stdout)
    reader = Page()
    reader.feed(page.read_text("utf-8"))
    assert reader.open == [] and "script" not in reader.tags and "link" not in reader.tags and "svg" in reader.tags
    assert "url(" not in page.read_text("utf-8")
    rows = [line for line in text.read_text("utf-8").splitlines() if line.startswith("| perps")]
    trips = [row for row in rows if re.search(r"\| (z_revert|stop_loss|time_stop) +\|$", row) and row.count("|") > 15]
    assert len(trips) == len(data["trips"])
    shown_cells = {cell.strip().replace("\\|", "|") for row in rows for cell in row.strip("|").split("|")}
    assert set(reader.cells) - shown_cells <= {""}
    assert obid("report", "--day", "--data-dir", traded).stdout.strip() == text.read_text("utf-8").strip()


def test_without_a_log_it_says_what_it_does_not_know(traded, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(traded / JOURNAL_NAME, data / JOURNAL_NAME)
    shown = obid("report", "--data-dir", data).stdout
    assert "There is no log: reasons, refusals, slippage and incidents are not known." in shown
    assert "not in the log" in shown


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        (("--on", "yesterday"), "--on 'yesterday': a day, as 2026-11-20"),
        (("--run", "9"), "--run '9': the id or number of a run"),
        (("--run", "1", "--week"), "one of --day, --week and --run"),
        (("--run", "1", "--on", DAY), "a run has its own times"),
        (("--out", "report.pdf"), "a file that ends in .html or .md"),
    ],
)
def test_what_cannot_be_reported_is_one_line(traded, asked, complaint):
    result = obid("report", "--data-dir", traded, *asked, code=2)
    assert complaint in result.stderr and result.stderr.count("\n") == 1


def test_no_journal_is_one_line(tmp_path):
    assert "there is no journal here" in obid("report", "--data-dir", tmp_path, code=1).stderr


def line(event: str, seconds: int, **more: object) -> dict[str, object]:
    return {"run": "r", "seq": 1, "at": f"{DAY}T00:00:{seconds:02}.000000000Z", "level": "info", "event": event, **more}


def test_the_log_tells_of_halts_windows_and_incidents():
    window = days(0, DAY, 1)
    lines = [
        line("refused", 1, engine="perps", rule="stale"),
        line("refused", 2, engine="perps", rule="stale"),
        line("refused", 3, engine="crypto", rule="macro_window"),
        line("macro_window", 4, shut=True, event_="CPI"),
        line("macro_window", 5, shut=True, event_="CPI"),
        line("macro_window", 9, shut=False, event_=""),
        line("stream_state", 9, engine="perps", fresh=False),
        line("child_crashed", 10, level="error", error="boom | bang\nlast"),
        line("child_crashed", 11, level="error", error="again"),
        {"event": "damaged_line", "file": "obid.jsonl", "line": 3, "why": "its checksum does not hold"},
        {**line("refused", 3, engine="perps", rule="stale"), "at": "2026-01-06T00:00:00.000000000Z"},
    ]
    story = told(lines, window)
    assert story.refusals == {("perps", "stale"): 2, ("crypto", "macro_window"): 1}
    (shut,) = story.macro
    assert shut.event == "CPI" and shut.until_ns - shut.from_ns == 5_000_000_000
    assert story.stale == {"perps": 1}
    assert {name: one.times for name, one in story.incidents.items()} == {"child_crashed": 2, "damaged_line": 1}
    assert story.incidents["child_crashed"].example.startswith("boom")


def test_what_stands_in_a_reason_breaks_no_table(traded):
    window = days(0, DAY, 1)
    journal = Journal.read_only(traded / JOURNAL_NAME)
    story = booked(journal.read())
    journal.close()
    lines = [line("child_crashed", 10, level="error", error="<b>boom</b> | bang\nlast")]
    made_of: Report = report(story, told(lines, window), window)
    text = markdown(made_of, "1")
    assert "<b>boom</b> \\| bang last" in text
    from daemon.report.html import html

    assert "&lt;b&gt;boom&lt;/b&gt;" in html(made_of, "1") and "<b>" not in html(made_of, "1")
    assert report(story, Told(), window).refusals == ()
