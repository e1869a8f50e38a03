"""When funding is settled: the escalation walk, what a market's perpetuals pay, and what an account gets."""

import asyncio
from decimal import Decimal
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from supervisor.virtual import run_virtual
from tests.venues.builders import BUY, CASH_MINOR, FEES, IOC, PERP, SELL, book, order
from venues.aleatoric.funding.figures import rule_of
from venues.aleatoric.funding.payments import funding, last_settled, period_at, predicted
from venues.aleatoric.funding.premium import PremiumPath
from venues.aleatoric.funding.rules import Contract, average_of, rate_of
from venues.aleatoric.funding.schedule import next_funding_ns, periods, settlement_ns, shortened_h
from venues.aleatoric.market import AleatoricMarket
from venues.aleatoric.shapes import MODELS
from venues.latency import ZERO, LatencyModel
from venues.market import FundingPaid
from venues.matching import MatchingEngine
from venues.simulated import SimulatedVenue

D = Decimal
HOUR_NS = 3_600 * 10**9
DAY_NS = 24 * HOUR_NS
MIDNIGHT_NS = 20_376 * DAY_NS
BTC = MODELS["hyperliquid_perp_btc"]
ON = {venue: replace(BTC, funding_venue=venue) for venue in ("hyperliquid", "binance", "okx", "bybit", "cme", "sgx")}
GOLDEN = {
    ("BTC", "hyperliquid"): [("0.0000125000", "0.0004604864")],
    ("BTC", "binance"): [("0.00010000", "-0.0000089077")],
    ("BTC", "okx"): [("0.0001000000000000", "-0.0003532713")],
    ("BTC", "bybit"): [("0.00010000", "-0.0000068012")],
    ("BTC", "cme"): [],
    ("BTC", "sgx"): [("0.00014755", "0.0001902031")],
    ("xyz:TSLA", "hyperliquid"): [("0.0000539248", "0.0009313985")],
}
WILD = 400.0  # premiums of 4 %, so that caps are reached


# --- times ------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**19), st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=100)
def test_the_next_settlement_is_on_an_hour_that_the_interval_divides(at_ns, hours):
    at_or_after, after = settlement_ns(at_ns, hours), next_funding_ns(at_ns, hours)
    assert at_ns <= at_or_after < at_ns + hours * HOUR_NS
    assert at_ns < after <= at_ns + hours * HOUR_NS
    assert not at_or_after % (hours * HOUR_NS)
    assert (after == at_or_after) == (at_ns != at_or_after)


@pytest.mark.parametrize(
    ("exchange", "walk"), [("okx", [8, 4, 2, 1, 1]), ("bybit", [8, 1, 1, 1, 1]), ("binance", [8] * 5)]
)
def test_a_rate_at_its_cap_shortens_the_interval(exchange, walk):
    rule = rule_of(exchange)
    hours = [rule.interval_h]
    while len(hours) < len(walk):
        hours.append(shortened_h(rule, hours[-1]))
    assert hours == walk
    found = list(islice(periods(rule, lambda start_ns, end_ns: D("-0.1"), MIDNIGHT_NS), 20))
    # 8 h, then 4, 2, 1 ... until midnight, when the contract's own interval is back
    first_day = [one for one in found if one.end_ns <= MIDNIGHT_NS + DAY_NS]
    assert [one.interval_h for one in first_day][: len(walk)] == walk[: len(first_day)]
    assert next(one for one in found if one.start_ns == MIDNIGHT_NS + DAY_NS).interval_h == 8
    assert all(one.end_ns == two.start_ns for one, two in pairwise(found))
    assert all(one.end_ns - one.start_ns == one.interval_h * HOUR_NS for one in found)


def test_an_interval_stays_where_the_rate_is_below_its_cap():
    premiums = iter([D("0.1"), D("0.0001"), D("-0.1"), D("0.1"), D(0), D(0), D(0), D(0)])
    found = list(islice(periods(rule_of("okx"), lambda start_ns, end_ns: next(premiums), MIDNIGHT_NS), 8))
    assert [one.interval_h for one in found] == [8, 4, 4, 2, 1, 1, 1, 1]
    assert [one.rate for one in found[:4]] == [D("0.00375"), D("0.00005"), D("-0.00375"), D("0.00375")]


def test_a_contract_may_have_an_interval_of_its_own():
    found = list(islice(periods(rule_of("binance"), lambda *_: D(0), MIDNIGHT_NS, Contract(interval_h=4)), 3))
    assert [(one.interval_h, one.rate) for one in found] == [(4, D("0.00005"))] * 3


# --- a market's perpetuals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("venue", "hours"),
    [
        ("hyperliquid", range(24)),
        *((venue, (0, 8, 16)) for venue in ("binance", "okx", "bybit")),
        ("sgx", range(0, 24, 4)),
        ("cme", ()),
    ],
)
def test_a_perpetual_pays_at_its_venues_hours_and_then_only(venue, hours):
    paid = [hour for hour in range(24) if funding([ON[venue]], 7, MIDNIGHT_NS + hour * HOUR_NS + 5)]
    assert paid == list(hours)
    for hour in hours:
        assert funding([ON[venue]], 7, MIDNIGHT_NS + hour * HOUR_NS)[0].at_ns == MIDNIGHT_NS + hour * HOUR_NS


@pytest.mark.parametrize("profile", ["venue", "aleatoric"])
@pytest.mark.parametrize("venue", ["hyperliquid", "binance", "okx", "bybit", "sgx"])
def test_what_is_paid_is_the_rule_of_the_average_premium(venue, profile):
    rule, model = rule_of(venue, profile), replace(ON[venue], funding_profile=profile)
    (paid,) = funding([model], 7, MIDNIGHT_NS)
    samples = PremiumPath(7, "BTC").samples(MIDNIGHT_NS - rule.interval_h * HOUR_NS, MIDNIGHT_NS, rule.sample_s)
    assert len(samples) == rule.interval_h * 3600 // rule.sample_s
    assert paid.premium == average_of(samples, rule.weights)
    assert paid.rate == rate_of(rule, paid.premium)


def test_golden_rates():
    models = [replace(model, premium_std_bps=20.0) for model in (*ON.values(), replace(BTC, symbol="xyz:TSLA"))]
    rates = {(model.symbol, model.funding_venue): funding([model], 7, MIDNIGHT_NS) for model in models}
    assert {key: [(str(one.rate), str(one.premium)) for one in paid] for key, paid in rates.items()} == GOLDEN


@pytest.mark.parametrize("venue", ["okx", "bybit"])
def test_a_wild_day_escalates_and_its_settlements_are_the_same_in_any_order(venue):
    model = replace(ON[venue], premium_std_bps=WILD)
    hours = range(MIDNIGHT_NS + HOUR_NS, MIDNIGHT_NS + 3 * DAY_NS + 1, HOUR_NS)
    forwards = {hour: funding([model], 7, hour) for hour in hours}
    assert forwards == {hour: funding([model], 7, hour) for hour in reversed(hours)}
    paid = [hour for hour, rates in forwards.items() if rates]
    assert 9 < len(paid) < 72  # more than three a day
    assert {(two - one) // HOUR_NS for one, two in pairwise(paid)} >= {8, 1}
    for at_ns in range(MIDNIGHT_NS + 1, MIDNIGHT_NS + DAY_NS, HOUR_NS // 3):
        period = period_at(model, 7, at_ns)
        assert period.start_ns <= at_ns < period.end_ns
        assert period.end_ns == next(hour for hour in paid if hour > at_ns)
        before = last_settled(model, 7, at_ns)
        assert before.end_ns == period.start_ns
        assert before.end_ns == MIDNIGHT_NS or before.rate == forwards[before.end_ns][0].rate


@pytest.mark.parametrize("venue", ["hyperliquid", "binance", "okx", "bybit", "sgx"])
def test_a_predicted_rate_becomes_the_one_that_is_paid(venue):
    model, rule = replace(ON[venue], premium_std_bps=20.0), rule_of(venue)
    end_ns = MIDNIGHT_NS + rule.interval_h * HOUR_NS
    (paid,) = funding([model], 7, end_ns)
    first, last = predicted(model, 7, MIDNIGHT_NS), predicted(model, 7, end_ns - 1)
    assert {first.end_ns, last.end_ns} == {end_ns}
    gaps = [abs(one.premium - paid.premium) for one in (first, last)]
    assert gaps[1] < D("0.00001") < gaps[0]
    assert abs(last.rate - paid.rate) < D("0.00001")
    newest = PremiumPath(7, "BTC", 20.0).at(MIDNIGHT_NS)
    assert (first.premium == newest) == (venue != "okx")  # OKX looks back over the interval before


def test_the_models_premium_is_the_one_that_is_averaged():
    (calm,), (wild,) = (funding([replace(BTC, premium_std_bps=std)], 7, MIDNIGHT_NS) for std in (0.0, WILD))
    assert (calm.premium, calm.rate) == (0, D("0.0000125"))
    assert abs(wild.rate) > D("0.0001")


def test_an_unknown_venue_is_refused():
    with pytest.raises(ValueError, match="exchange is 'ftx'"):
        funding([replace(BTC, funding_venue="ftx")], 7, MIDNIGHT_NS)


# --- the account ------------------------------------------------------------------------------------------------------


class Quarters:
    """A quiet book each quarter of an hour, with the funding of a market."""

    def __init__(self, model, start_ns, hours):
        self.market = AleatoricMarket([model], 7, start_ns)
        self.times = [start_ns + n * HOUR_NS // 4 for n in range(4 * hours + 1)]
        self.funding = self.market.funding

    def next_batch(self):
        if not self.times:
            return None
        at_ns = self.times.pop(0)
        return at_ns, [book([(1000, 500)], [(1001, 300)], at_ns)]


def paid_for(source, start_ns, lots):
    """What an account gets that trades so many lots after the first book, and holds them."""

    async def main(clock):
        engine = MatchingEngine("perps", [PERP], FEES, CASH_MINOR)
        venue = SimulatedVenue("quarters", source, engine, LatencyModel(ZERO, 7), clock)
        account = []

        async def hear_market():
            async for _ in venue.market():
                pass
            await venue.close()

        async def hear_account():
            account.extend([event async for event in venue.account()])

        async def trade():
            await clock.sleep(60)
            side, ticks = (BUY, 1001) if lots > 0 else (SELL, 1000)
            await venue.submit(order("a", side, abs(lots), ticks, IOC))

        async with asyncio.TaskGroup() as group:
            for task in (hear_market, hear_account, trade):
                group.create_task(task())
        return [event for event in account if isinstance(event, FundingPaid)]

    return run_virtual(main, start_ns)


@pytest.mark.parametrize("lots", [200, -300])
@pytest.mark.parametrize(
    ("venue", "hours"),
    [("hyperliquid", range(1, 10)), ("binance", (8,)), ("okx", (8,)), ("bybit", (8,)), ("sgx", (4, 8)), ("cme", ())],
)
def test_a_position_is_paid_by_the_rule_at_the_rules_hours(venue, hours, lots):
    model, start_ns = ON[venue], MIDNIGHT_NS + HOUR_NS // 2
    events = paid_for(Quarters(model, start_ns, 9), start_ns, lots)
    assert [event.at_ns for event in events] == [MIDNIGHT_NS + hour * HOUR_NS for hour in hours]
    for event in events:
        (due,) = funding([model], 7, event.at_ns)
        mark_ticks = 1000  # the mid of 1000 and 1001, rounded to the even tick: 100 USD, so a lot is worth 0.1 USD
        assert event.rate == due.rate
        assert event.amount_minor == -round(due.rate * lots * mark_ticks * 100)
