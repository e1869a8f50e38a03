"""Which rows of a calendar are tier-1 releases."""

import pytest

from venues.calendars.names import release_of


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ("Fed Interest Rate Decision", "FOMC"),
        ("FOMC Minutes", "FOMC"),
        ("Inflation Rate MoM (Mar)", "CPI"),
        ("Inflation Rate YoY (Mar)", "CPI"),
        ("Core Inflation Rate MoM (Mar)", "CPI"),
        ("CPI MoM", "CPI"),
        ("CPI (Mar)", "CPI"),
        ("Non Farm Payrolls (Nov)", "NFP"),
        ("Non-Farm Payrolls", "NFP"),
        ("Nonfarm Payrolls", "NFP"),
        ("GDP Growth Rate QoQ (Q4)", "GDP"),
        ("GDP Growth Rate QoQ Adv (Q1)", "GDP"),
        ("Gross Domestic Product QoQ", "GDP"),
        ("PCE Price Index MoM (Feb)", "PCE"),
        ("Core PCE Price Index", "PCE"),
        ("PPI MoM", "PPI"),
        ("Retail Sales MoM (Jan)", "Retail Sales"),
        ("JOLTs Job Openings", "JOLTS"),
        ("Initial Jobless Claims", "Jobless Claims"),
    ],
)
def test_spellings_of_a_release_are_one(event, name):
    assert release_of("US", event) == name


@pytest.mark.parametrize(
    "event",
    [
        "Cleveland CPI MoM",
        "CPI n.s.a (Mar)",
        "GDPNow",
        "Atlanta Fed GDPNow (Q1)",
        "GDP Price Index QoQ",
        "Nonfarm Payrolls Private",
        "ADP Nonfarm Employment Change",
        "Wholesale Inventories MoM",
        "Jobless Claims 4-week Average",
        "CFTC Gold Speculative net positions",
        "3-Month Bill Auction",
        "",
    ],
)
def test_look_alikes_are_none(event):
    assert release_of("US", event) is None


@pytest.mark.parametrize("country", ["KE", "PL", "FR", "", "us "])
def test_other_countries_have_a_cpi_too(country):
    assert release_of(country, "CPI (Mar)") is None
