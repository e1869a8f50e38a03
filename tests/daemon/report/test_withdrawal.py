"""What is taken out of an account is no drawdown of it."""

from decimal import Decimal

from actors.ledger import LedgerMind
from actors.messages import BreakerChanged, RunStarted
from actors.records import written
from daemon.report.booked import booked
from daemon.report.figures import report
from daemon.report.told import Told
from daemon.report.window import days
from risk.circuit_breaker import Breaker
from risk.ledger.postings import Deposit
from supervisor.journal import Journal
from tests.risk.given import BTC

USD = 1_000_000


def drawdown(path, *steps: int | tuple[int]) -> tuple[Decimal, int]:
    """Of readings of equity and, in brackets, what was paid in; with what the report says was moved."""
    mind = LedgerMind()
    who = {"number": 1, "run_id": "r", "mode": "live", "seed": 1, "version": "0", "engines": ("perps",)}
    mind.fold(started := RunStarted(**who, instruments=(BTC,), at_ns=1))
    records = [started, *mind.hear(Deposit("perps", "opening", 1_000 * USD, 1))[0]]
    for number, step in enumerate(steps, 2):
        if isinstance(step, tuple):
            records += mind.hear(Deposit("perps", f"d{number}", step[0] * USD, number))[0]
        else:
            breaker = Breaker(engines=("perps",), readings=(step * USD,))
            records += mind.hear(BreakerChanged("perps", breaker, number))[0]
    journal = Journal.open(path / "journal.sqlite")
    journal.append([written(one) for one in records])
    (row,) = report(booked(journal.read()), Told(), days(1, "", 1)).equity
    return row.drawdown_share, row.moved_minor


def test_a_withdrawal_is_no_drawdown(tmp_path):
    assert drawdown(tmp_path, 1_000, (-500,), 500, 490) == (Decimal("0.0200"), -500 * USD)


def test_a_deposit_hides_none(tmp_path):
    assert drawdown(tmp_path, 1_000, (1_000,), 1_900, 2_000) == (Decimal("0.0500"), 1_000 * USD)


def test_without_either_it_is_the_most_below_a_high(tmp_path):
    assert drawdown(tmp_path, 1_000, 1_100, 990, 1_200, 1_150) == (Decimal("0.1000"), 0)
