"""Fees that a venue takes in coins (Alpaca's crypto) in a report: whose they are, and that they end no trip."""

from decimal import Decimal

from actors.ledger import LedgerMind
from actors.messages import OrderPlanned, RunStarted
from actors.records import written
from daemon.report.booked import Filled, booked
from daemon.report.figures import report
from daemon.report.told import Told
from daemon.report.trips import round_trips
from daemon.report.window import days
from risk.ledger.postings import Deposit
from supervisor.journal import Journal
from tests.risk.given import fill, request
from venues.market import Instrument

BTC = Instrument(
    symbol="BTC/USD",
    engine="crypto",
    tick=Decimal("0.01"),
    lot=Decimal("0.00000001"),
    notional_min_usd=Decimal(10),
    shortable=False,
    asset_class="spot",
)
USD = 1_000_000
PRICE = 50_000_00  # ticks
FEE = 25  # of 10,000


def journal(path, steps) -> list[Filled]:
    """What the ledger books of orders and fills: (name, order, signed lots, ticks); a buy's fee is taken in coins."""
    mind = LedgerMind()
    mind.fold(
        started := RunStarted(
            number=1,
            run_id="r",
            mode="paper",
            seed=1,
            version="0",
            engines=("crypto",),
            instruments=(BTC,),
            at_ns=1,
        )
    )
    records = [started, *mind.hear(Deposit("crypto", "opening", 1_000 * USD, 1))[0]]
    for order, entry, lots in (("o1", True, 100_000), ("o2", False, -99_000)):
        records += mind.hear(
            OrderPlanned("crypto", request(BTC, lots, PRICE, id=order, intent_id=f"i-{order}"), entry, 2)
        )[0]
    for number, (name, order, lots) in enumerate(steps, 1):
        at_ns = number * 1_000_000_000
        money = 0 if lots > 0 else BTC.notional_minor(PRICE, -lots) * FEE // 10_000
        records += mind.hear(fill(BTC, lots, PRICE, id=name, order_id=order, fee_minor=money, at_ns=at_ns))[0]
        if lots > 0:
            coins = lots * FEE // 10_000
            worth = BTC.notional_minor(PRICE, coins)
            fee = fill(BTC, -coins, PRICE, id=f"{name}:fee", order_id="", fee_minor=worth, at_ns=at_ns)
            records += mind.hear(fee)[0]
    book = Journal.open(path / "journal.sqlite")
    book.append([written(one) for one in records])
    return booked(book.read())


def test_an_entry_whose_fee_is_taken_in_coins_is_not_free(tmp_path):
    story = journal(tmp_path, [("f1", "o1", 100_000), ("f2", "o2", -99_750)])
    told = report(story, Told(), days(10**9, "", 1))
    rows = {(row.purpose, row.liquidity): (row.fills, row.fee_bps) for row in told.executions}
    assert rows == {("entry", "taker"): (1, Decimal("25.00")), ("exit", "taker"): (1, Decimal("25.00"))}
    assert (told.engines[0].fills, told.engines[0].traded_minor) == (2, 50 * USD + 49_875_000)
    assert sum(row.fees_minor for row in told.executions) == told.engines[0].fees_minor


def test_the_fee_of_a_small_first_part_ends_no_trip(tmp_path):
    """Five dollars of fifty come first: less than an order may be, until the rest comes."""
    story = journal(tmp_path, [("f1", "o1", 10_000), ("f2", "o1", 90_000), ("f3", "o2", -99_750)])
    (trip,) = round_trips(story.booked)
    assert trip.closed_ns and (trip.entry_lots, trip.exit_lots) == (100_000, 100_000)
    assert (trip.entry_intents, trip.exit_intents) == (["i-o1"], ["i-o2"])
