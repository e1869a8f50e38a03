"""Names: which rows of an economic calendar are tier-1 releases of the United States, and which only sound like one.

A calendar's own importance is no help: it calls PCE medium and auctions high. So a row is known by its name, as
Financial Modeling Prep has spelt them over the years; other countries have a CPI too, and a row must be of this one.
"""

import re

COUNTRY = "US"

TIER_1: tuple[tuple[str, str], ...] = (
    ("CPI", r"(core )?(cpi|inflation rate|consumer price index)( (mom|yoy))?"),
    ("NFP", r"non[- ]?farm payrolls?|nonfarm payroll employment|unemployment rate"),
    ("FOMC", r"fed (interest rate decision|press conference)|federal funds rate"
             r"|fomc (minutes|statement|economic projections|press conference)"),
    ("PCE", r"(core )?pce( price index)?( (mom|yoy))?|personal (income|spending)( (mom|yoy))?"),
    ("PPI", r"(core )?ppi( (mom|yoy))?|producer price index( (mom|yoy))?"),
    ("GDP", r"(gdp growth rate|gross domestic product|gdp)( (qoq|yoy|annualized))?( (adv|2nd est|final|preliminary))?"),
    ("Retail Sales", r"(core )?retail sales( (mom|yoy))?|retail sales ex autos?( (mom|yoy))?"),
    ("Jobless Claims", r"(initial|continuing) jobless claims"),
    ("JOLTS", r"jolts?( job)? openings|jolts"),
)  # fmt: skip
"""Our name and how theirs are spelt, lower case, without the month in brackets. A look-alike does not match as a whole:
Cleveland CPI, CPI n.s.a, GDPNow, GDP Price Index, Nonfarm Payrolls Private, Retail Sales Control Group."""

_PATTERNS = tuple((name, re.compile(pattern)) for name, pattern in TIER_1)
_OF_PERIOD = re.compile(r"\s*\([^)]*\)\s*$")


def release_of(country: str, event: str) -> str | None:
    """Our name of a calendar's row; None: it is no tier-1 release of the United States."""
    if country != COUNTRY:
        return None
    spelt = " ".join(_OF_PERIOD.sub("", event).casefold().split())
    return next((name for name, pattern in _PATTERNS if pattern.fullmatch(spelt)), None)
