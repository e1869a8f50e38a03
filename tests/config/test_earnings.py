"""The operator's file of earnings days."""

from datetime import UTC, datetime

import pytest

from config.earnings import read_earnings, span_of
from config.errors import ConfigError

GOOD = """
first = 2026-11-20
last = 2026-12-31
[reports]
NKE = ["2026-12-18 amc"]
HRL = ["2026-12-03 bmo", 2026-12-04]
TSLA = []
"""


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "earnings.toml"
        path.write_text(text)
        return path

    return write


def test_days_become_spans(written):
    known = read_earnings(written(GOOD))
    assert known.reports["TSLA"] == ()
    assert known.reports["NKE"] == ((at("2026-12-18 21:00"), at("2026-12-21 15:00")),), "a Friday's close to Monday"
    assert known.reports["HRL"] == (
        (at("2026-12-03 09:00"), at("2026-12-03 15:00")),
        (at("2026-12-04 09:00"), at("2026-12-07 15:00")),
    )
    assert (known.from_ns, known.until_ns) == (at("2026-11-20 05:00"), at("2027-01-01 05:00"))


def test_a_holiday_is_no_session():
    day = datetime(2026, 11, 25, tzinfo=UTC).date()  # Thanksgiving follows
    assert span_of(day).until_ns == at("2026-11-27 15:00")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("first = 2026-11-20", "", "first: must be a day"),
        ("first = 2026-11-20", 'first = "2026-11-20"', "first = '2026-11-20': must be a day"),
        ("last = 2026-12-31", "last = 2026-11-01", "last = 2026-11-01: must not be before first"),
        ('["2026-12-18 amc"]', '"2026-12-18"', "reports.NKE = '2026-12-18': must be a list"),
        ("2026-12-18 amc", "2026-12-18 noon", "reports.NKE = '2026-12-18 noon': must be a day"),
        ("2026-12-18 amc", "18.12.2026", "reports.NKE = '18.12.2026': must be a day"),
        ("2026-12-18 amc", "2027-01-18", "reports.NKE = '2027-01-18': must be in the span"),
        ("[reports]", "[report]", "report: no such setting"),
    ],
)
def test_what_is_wrong_is_one_line(written, old, new, said):
    with pytest.raises(ConfigError) as refused:
        read_earnings(written(GOOD.replace(old, new)))
    assert str(refused.value).startswith(said)
    assert "earnings.toml" in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="can't be read"):
        read_earnings(tmp_path / "none.toml")
