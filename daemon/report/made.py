"""A report from a data directory, beside a running daemon or without one."""

from pathlib import Path

from daemon.errors import Failed
from daemon.ledger_text import damage_told
from daemon.log_reader import LogFilter, read
from daemon.options import JOURNAL_NAME
from daemon.report.booked import Booked, booked
from daemon.report.figures import report
from daemon.report.rows import Report
from daemon.report.told import Told, told
from daemon.report.window import DAYS_OF_WEEK, Window, days, of_run
from supervisor.journal import Journal


def made(data_dir: Path, *, week: bool, on: str, run: str) -> Report:
    """Read journal and log. Raises Failed for a journal that is missing or damaged, BadInput for a wrong window."""
    story = _story(data_dir)
    mind = story.mind
    count = DAYS_OF_WEEK if week else 1
    window = of_run(mind.runs, run, mind.last_ns) if run else days(mind.last_ns, on, count)
    return report(story, _told(data_dir, window), window)


def _story(data_dir: Path) -> Booked:
    with damage_told():
        journal = Journal.read_only(data_dir / JOURNAL_NAME)
        try:
            return booked(journal.read())
        finally:
            journal.close()


def _told(data_dir: Path, window: Window) -> Told:
    try:
        return told(read(data_dir, LogFilter()), window)
    except Failed:  # no log: the report says what it does not know
        return Told()
