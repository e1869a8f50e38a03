"""Day trades: what FINRA counts, over which days, and the entry that would be one too many."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from actors.gate import Gate
from actors.ledger import LedgerMind
from actors.messages import RunStarted
from config.load import load_profile
from risk.circuit_breaker import Breaker
from risk.day_trades import DayTraded
from risk.gate_state import UnderWay
from risk.session import local_date, sessions_back
from supervisor.messages import ChildStarted
from tests.risk.given import BTC, COST, calendar, fill
from tests.risk.test_gate import COST_TICKS, USD, entry, leave, open_state, passes, refusal

NEW_YORK = ZoneInfo("America/New_York")
NVDA = replace(COST, symbol="NVDA", sector="")
LIMITS = load_profile("equities").risk


def ns(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * 1_000_000_000


FRIDAY = ns("2026-11-20 11:00")


def ledger():
    mind = LedgerMind()
    mind.fold(
        RunStarted(
            number=1,
            run_id="r1",
            mode="paper",
            seed=1,
            version="0",
            engines=("equities", "perps"),
            instruments=(COST, NVDA, BTC),
            at_ns=1,
        )
    )
    return mind


def deal(mind, instrument, *steps):
    """Fills of signed lots at times; the day trades that were said."""
    said = []
    for lots, at in steps:
        _, news = mind.hear(fill(instrument, lots, COST_TICKS, at_ns=ns(at)))
        said += [one for one in news if isinstance(one, DayTraded)]
    return said


@pytest.mark.parametrize(
    ("steps", "count"),
    [
        ([(3, "2026-11-20 10:00"), (-3, "2026-11-20 15:55")], 1),
        ([(-3, "2026-11-20 10:00"), (3, "2026-11-20 15:55")], 1),
        ([(3, "2026-11-20 10:00"), (-3, "2026-11-23 09:30")], 0),  # held over the weekend
        ([(2, "2026-11-20 10:00"), (1, "2026-11-20 10:01"), (-1, "2026-11-20 11:00"), (-2, "2026-11-20 11:01")], 1),
        ([(s, f"2026-11-20 1{h}:00") for h, s in enumerate((1, -1, 1, -1))], 2),
        ([(1, "2026-11-20 10:00"), (-2, "2026-11-20 10:05"), (1, "2026-11-20 10:06")], 2),  # turned over, and back
        ([(3, "2026-11-19 10:00"), (-1, "2026-11-20 10:00"), (-2, "2026-11-20 11:00")], 0),
        ([(3, "2026-11-20 22:00"), (-3, "2026-11-20 23:30")], 1),  # UTC has turned the day, New York has not
    ],
)
def test_what_is_a_day_trade(steps, count):
    mind = ledger()
    said = deal(mind, COST, *steps)
    assert len(said) == count
    assert mind.day_trades.of("equities") == tuple(said)


def test_coins_are_not_counted():
    mind = ledger()
    mind.hear(fill(BTC, 3, 700_000, at_ns=FRIDAY))
    mind.hear(fill(BTC, -3, 700_000, at_ns=FRIDAY + 1))
    assert mind.day_trades.by_engine == {}


def test_a_restart_remembers_them_and_tells_a_new_gate():
    mind, again = ledger(), ledger()
    for lots, at_ns in ((3, FRIDAY), (-3, FRIDAY + 60_000_000_000)):
        records, _ = mind.hear(fill(COST, lots, COST_TICKS, at_ns=at_ns))
        for record in records:
            again.fold(record)
    assert again.day_trades.of("equities") == mind.day_trades.of("equities") != ()
    _, said = again.hear(ChildStarted("gate", "equities", 1, FRIDAY))
    gate = Gate(open_state("equities"))
    for one in (one for one in said if isinstance(one, DayTraded)):
        gate.hear(one)
        gate.hear(one)  # the ledger may say it twice
    assert gate.state.day_trades == {("COST", FRIDAY + 60_000_000_000)}


def test_those_of_last_month_are_forgotten():
    mind = ledger()
    deal(mind, COST, (3, "2026-10-01 10:00"), (-3, "2026-10-01 11:00"))
    deal(mind, COST, (3, "2026-11-20 10:00"), (-3, "2026-11-20 11:00"))
    assert [local_date(one.at_ns).month for one in mind.day_trades.of("equities")] == [11]


@pytest.mark.parametrize(
    ("now", "first"),
    [
        ("2026-11-20 11:00", "2026-11-16"),
        ("2026-11-21 11:00", "2026-11-16"),  # on a Saturday Friday is the last session
        ("2026-11-30 11:00", "2026-11-23"),  # Thanksgiving does not count, the half day after it does
        ("2026-03-09 09:31", "2026-03-03"),
    ],
)
def test_five_sessions_are_counted(now, first):
    assert sessions_back(ns(now), 5, calendar()).isoformat() == first
    assert sessions_back(ns("2025-01-03 10:00"), 5, calendar()) is None


def small(equity_usd=10_000, opening_usd=None, **changes):
    """The gate of an account with little money."""
    state = open_state("equities")
    limits = state.limits.model_copy(
        update={"day_trades_max": 3, "day_trades_equity_usd_min": LIMITS.day_trades_equity_usd_min}
    )
    opening = (equity_usd if opening_usd is None else opening_usd) * USD
    breaker = Breaker(settled=True, opening_minor=opening, high_water_minor=opening, readings=(equity_usd * USD,) * 3)
    return replace(state, limits=limits, breaker=breaker, **changes)


def done(*days):
    return frozenset(("NVDA", ns(day)) for day in days)


WISH = entry(1, 20_000, "COST", engine="equities", at_ns=FRIDAY)
THREE = done("2026-11-16 10:00", "2026-11-18 10:00", "2026-11-20 10:00")


def test_the_fourth_in_five_sessions_is_not_begun():
    assert passes(WISH, small(day_trades=done("2026-11-18 10:00", "2026-11-20 10:00")), FRIDAY)
    assert refusal(WISH, small(day_trades=THREE), FRIDAY) == "day_trades"
    assert passes(WISH, small(day_trades=THREE), ns("2026-11-23 11:00")), "Monday's is six sessions ago"


def test_what_is_open_or_under_way_is_as_good_as_done():
    state = small(day_trades=done("2026-11-18 10:00", "2026-11-20 10:00"))
    assert refusal(WISH, replace(state, positions={"NVDA": 2}), FRIDAY) == "day_trades"
    assert refusal(WISH, replace(state, under_way={"i7": UnderWay("NVDA", 2, True, "o7")}), FRIDAY) == "day_trades"
    assert passes(WISH, replace(state, under_way={"i7": UnderWay("NVDA", -2, False, "o7")}), FRIDAY)


def test_an_exit_is_never_kept_back():
    state = small(day_trades=THREE, positions={"COST": 3})
    assert passes(leave(-3, 20_000, "COST", engine="equities"), state, FRIDAY)


@pytest.mark.parametrize(
    ("equity_usd", "opening_usd", "free"), [(25_000, 25_000, True), (25_000, 24_999, False), (24_999, 25_000, False)]
)
def test_from_25000_dollars_any_number_is_allowed(equity_usd, opening_usd, free):
    """Alpaca looks at the equity of the last close too."""
    state = small(equity_usd, opening_usd, day_trades=THREE)
    assert passes(WISH, state, FRIDAY) if free else refusal(WISH, state, FRIDAY) == "day_trades"


def test_policies():
    assert (LIMITS.day_trades_max, LIMITS.day_trades_equity_usd_min) == (3, 25_000)
    assert load_profile("crypto").risk.day_trades_max is None
    none = small(day_trades=frozenset())
    none = replace(none, limits=none.limits.model_copy(update={"day_trades_max": 0}))
    assert refusal(WISH, none, FRIDAY) == "day_trades"
    off = replace(none, limits=none.limits.model_copy(update={"day_trades_max": None}))
    assert passes(WISH, replace(off, day_trades=THREE), FRIDAY)
