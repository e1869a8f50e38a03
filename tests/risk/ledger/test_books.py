"""The books: what each event does to each ledger, and what no sequence of events can break."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from risk.ledger.accounts import Ledger, UnknownAccount, account, ledger_of
from risk.ledger.books import Books, UnknownInstrument, load
from risk.ledger.postings import (
    Deposit,
    Entry,
    LedgerUnbalanced,
    Phase,
    Release,
    Reserve,
    Transfer,
    check_balanced,
    legs,
)
from risk.ledger.seen import Seen
from risk.ledger.statement import equity_minor, statement, trial_balance
from risk.money import notional_minor
from risk.position import Position
from tests.risk.given import ALL, BTC, COST, PEPE, SOL, fill, request
from venues.market import FundingPaid

USD = 1_000_000


def opened(*events, instruments=ALL, **dust):
    books = Books(instruments, dust)
    book(books, *events)
    return books


def book(books, *events):
    entries = []
    for event in events:
        entry = books.post(event)
        if entry is not None:
            books.fold(entry)
            entries.append(entry)
    return entries


def funding(amount_minor, number=0, engine="perps"):
    return FundingPaid(engine, f"f{number}", "BTC", amount_minor, Decimal("0.0001"), 5)


def deposit(amount_usd, number=0, engine="perps"):
    return Deposit(engine, f"d{number}", amount_usd * USD, 1)


# --- one event at a time


def test_a_deposit_is_cash_and_capital():
    books = opened(deposit(10_000), deposit(-500, 1))
    assert (books.posted("cash", "perps"), books.posted("capital", "perps")) == (9_500 * USD, -9_500 * USD)
    assert books.money("perps").capital_minor == 9_500 * USD


def test_a_perpetual_moves_no_cash_until_it_is_closed():
    books = opened(deposit(1_000), fill(BTC, 100, 750_000))
    assert books.money("perps").cash_minor == 1_000 * USD
    assert books.position("perps", "BTC") == Position(lots=100, cost_minor=75 * USD, opened_ns=1)
    book(books, fill(BTC, -100, 760_000))
    money = books.money("perps")
    assert (money.cash_minor, money.realised_minor, money.inventory_minor) == (1_001 * USD, 1 * USD, 0)
    assert books.position("perps", "BTC") == Position()


def test_spot_exchanges_cash_for_inventory_at_cost():
    books = opened(deposit(1_000, engine="equities"), fill(COST, 2, 10_000))
    money = books.money("equities")
    assert (money.cash_minor, money.inventory_minor) == (800 * USD, 200 * USD)
    book(books, fill(COST, -1, 10_500))
    money = books.money("equities")
    assert (money.cash_minor, money.inventory_minor, money.realised_minor) == (905 * USD, 100 * USD, 5 * USD)


def test_shares_sold_short_are_negative_inventory():
    books = opened(deposit(1_000, engine="equities"), fill(COST, -2, 10_000))
    money = books.money("equities")
    assert (money.cash_minor, money.inventory_minor) == (1_200 * USD, -200 * USD)
    book(books, fill(COST, 3, 9_000))
    money = books.money("equities")
    assert (money.cash_minor, money.inventory_minor, money.realised_minor) == (930 * USD, 90 * USD, 20 * USD)


@pytest.mark.parametrize("fee", [37_500, -12_500])
def test_fees_and_rebates(fee):
    books = opened(deposit(100), fill(BTC, 100, 750_000, fee_minor=fee))
    money = books.money("perps")
    assert (money.fees_minor, money.cash_minor) == (fee, 100 * USD - fee)
    assert books.posted("fees_clearing", "perps") == -fee


@pytest.mark.parametrize("amount", [2_000, -2_000])
def test_funding_is_received_or_paid(amount):
    books = opened(deposit(100), funding(amount))
    money = books.money("perps")
    assert (money.funding_minor, money.cash_minor) == (amount, 100 * USD + amount)


def test_the_position_ledger_counts_lots_against_the_market():
    books = opened(fill(BTC, 100, 750_000), fill(BTC, -130, 750_000))
    assert (books.posted("position", "perps", "BTC"), books.posted("market", "BTC")) == (-30, 30)


@pytest.mark.parametrize("event", [fill(BTC, 5, 10), funding(7), deposit(9)], ids=["fill", "funding", "deposit"])
def test_a_repeated_event_is_booked_once(event):
    books = opened(event)
    before = trial_balance(books)
    assert books.post(event) is None
    assert trial_balance(books) == before


def test_nothing_to_book_is_no_entry():
    books = opened()
    assert books.post(funding(0)) is None
    assert books.post(deposit(0)) is None
    assert books.post(Release("perps", "o1", 1)) is None
    assert books.post(Reserve(request(BTC, 5, reduce_only=True), 5, 1)) is None
    assert books.post(Reserve(request(BTC, 5), 0, 1)) is None


def test_an_unknown_name_cannot_be_booked():
    with pytest.raises(UnknownInstrument, match="perps has no instrument 'DOGE'"):
        opened().post(fill(replace(BTC, symbol="DOGE"), 5, 10))


def test_dust_is_told_by_engine():
    books = opened(fill(BTC, 5, 10, at_ns=3), fill(BTC, -4, 10, at_ns=4), perps=1.5)
    assert books.position("perps", "BTC").opened_ns == 0


# --- margin


def margin(books, symbol="BTC"):
    balance = books.balances.get(account("margin", "perps", symbol))
    return (balance.posted, balance.pending) if balance else (0, 0)


ORDER = request(BTC, 100, 750_000)  # 75 dollars at 10x: 7.5 dollars of margin


def test_an_order_reserves_its_fills_lock_and_its_end_releases():
    books = opened(Reserve(ORDER, 100, 1))
    assert margin(books) == (0, 7_500_000)
    assert books.post(Reserve(ORDER, 100, 1)) is None
    book(books, fill(BTC, 40, 749_000))
    assert margin(books) == (3_000_000, 4_500_000)
    book(books, Release("perps", "o1", 2))
    assert margin(books) == (3_000_000, 0)
    assert books.reservations == {}
    book(books, fill(BTC, -10, 751_000, order_id="o2"))
    assert margin(books) == (2_250_000, 0)
    book(books, fill(BTC, -30, 751_000, order_id="o2"))
    assert margin(books) == (0, 0)
    books.check()


def test_a_full_fill_uses_up_the_reservation():
    books = opened(Reserve(ORDER, 100, 1), fill(BTC, 100, 750_000))
    assert margin(books) == (7_500_000, 0)
    assert books.reservations == {}
    assert books.post(Release("perps", "o1", 2)) is None


def test_lots_nobody_reserved_lock_their_margin_directly():
    late = opened(Reserve(ORDER, 100, 1), Release("perps", "o1", 2), fill(BTC, 10, 750_000))
    by_hand = opened(fill(BTC, 10, 750_000, order_id=""))
    more = opened(Reserve(ORDER, 4, 1), fill(BTC, 10, 750_000))
    assert margin(late) == margin(by_hand) == margin(more) == (750_000, 0)


def test_a_fill_that_closes_instead_of_opening_voids_what_was_reserved_for_it():
    books = opened(fill(BTC, -30, 750_000, order_id="x"), Reserve(ORDER, 100, 1), fill(BTC, 50, 750_000))
    assert books.position("perps", "BTC").lots == 20
    assert margin(books) == (1_500_000, 3_750_000)
    books.check()


def test_margin_is_rounded_up():
    books = opened(Reserve(request(BTC, 1, 750_001), 1, 1))
    assert margin(books) == (0, 75_001)


# --- sums and identities


def transfer(**more):
    said = {"id": "t/0", "ledger": Ledger.CASH, "debit": "cash:perps", "credit": "capital:perps", "amount": 5}
    return Transfer(**(said | more))


def made(*transfers, **more):
    return Entry(id="e", engine="perps", symbol="BTC", at_ns=1, transfers=transfers, **more)


@pytest.mark.parametrize(
    ("broken", "ledger", "amount"),
    [
        ({"amount": 0}, Ledger.CASH, 0),
        ({"amount": -5}, Ledger.CASH, -5),
        ({"credit": "fees:perps"}, Ledger.FEES, -5),
        ({"debit": "fees:perps"}, Ledger.FEES, 5),
        ({"ledger": Ledger.FEES}, Ledger.CASH, 5),
    ],
)
def test_a_transfer_that_does_not_balance_is_refused_and_changes_nothing(broken, ledger, amount):
    books = opened(deposit(5))
    before = trial_balance(books)
    with pytest.raises(LedgerUnbalanced) as raised:
        books.fold(made(transfer(), transfer(id="t/1", **broken)))
    assert (raised.value.ledger, raised.value.amount) == (ledger, amount)
    assert f"ledger {ledger.name.lower()} ({ledger.value}) is off by {amount}" in str(raised.value)
    assert trial_balance(books) == before


def test_an_account_of_no_ledger_is_refused():
    with pytest.raises(UnknownAccount, match="'loans:perps' has kind 'loans'"):
        check_balanced(made(transfer(debit="loans:perps")))


def test_symbols_with_a_colon_keep_their_ledger():
    name = account("position", "perps", "xyz:TSLA")
    assert (name, ledger_of(name)) == ("position:perps:xyz:TSLA", Ledger.POSITION)
    books = opened(fill(replace(BTC, symbol="xyz:TSLA"), 3, 10), instruments=(replace(BTC, symbol="xyz:TSLA"),))
    books.check()


def test_six_ledgers_with_their_numbers():
    assert [(one.value, one.name, one.unit) for one in Ledger] == [
        (1, "CASH", "USD"), (2, "POSITION", "lots"), (3, "FEES", "USD"),
        (4, "REALISED_PNL", "USD"), (5, "MARGIN", "USD"), (6, "FUNDING_PNL", "USD"),
    ]  # fmt: skip


LOST = made(transfer(debit="cash:perps", credit="cash_clearing:perps"))


@pytest.mark.parametrize(
    ("tampered", "ledger"),
    [
        (LOST, Ledger.CASH),  # cash that nothing earned
        (made(transfer(debit="inventory:perps", credit="cash:perps")), Ledger.CASH),  # inventory of nothing
        (made(transfer(ledger=Ledger.POSITION, debit="position:perps:BTC", credit="market:BTC")), Ledger.POSITION),
        (
            made(transfer(ledger=Ledger.REALISED_PNL, debit="realised_clearing:perps", credit="realised:perps")),
            Ledger.CASH,
        ),
        (made(transfer(ledger=Ledger.MARGIN, debit="margin:perps:SOL", credit="margin_clearing:perps")), Ledger.MARGIN),
        (
            made(transfer(ledger=Ledger.MARGIN, debit="margin:perps:SOL", credit="margin_clearing:perps",
                          phase=Phase.PENDING)),
            Ledger.MARGIN,
        ),
        (made(position=Position(lots=7, cost_minor=70, opened_ns=1)), Ledger.POSITION),
    ],
)  # fmt: skip
def test_books_that_were_tampered_with_do_not_load(tampered, ledger):
    journal = book(Books(ALL), deposit(10), fill(BTC, 5, 10, fee_minor=1), Reserve(ORDER, 100, 1))
    assert load(ALL, journal)
    with pytest.raises(LedgerUnbalanced) as raised:
        load(ALL, [*journal, tampered])
    assert raised.value.ledger is ledger


def test_a_lost_entry_does_not_load():
    """The release of an order whose reservation is missing gives back what nobody set aside."""
    journal = book(Books(ALL), deposit(10), Reserve(ORDER, 100, 1), Release("perps", "o1", 2))
    with pytest.raises(LedgerUnbalanced):
        load(ALL, [journal[0], journal[2]])


def test_a_ledger_whose_balances_were_changed_is_named():
    books = opened(deposit(10), fill(BTC, 5, 10, fee_minor=3))
    books.balances["fees:perps"].debits += 1
    with pytest.raises(LedgerUnbalanced, match=r"ledger fees \(3\) is off by 1 USD: posted"):
        books.check()


def test_a_reservation_without_its_account_is_named():
    books = opened(Reserve(ORDER, 100, 1))
    del books.balances["margin:perps:BTC"], books.balances["margin_clearing:perps"]
    with pytest.raises(LedgerUnbalanced, match="margin:perps:BTC is not what orders reserved"):
        books.check()


def test_entries_survive_the_wire():
    journal = book(Books(ALL), deposit(10), Reserve(ORDER, 100, 1), fill(BTC, 50, 749_000, fee_minor=-3), funding(4))
    again = [msgspec.json.decode(msgspec.json.encode(entry), type=Entry) for entry in journal]
    assert again == journal
    assert trial_balance(load(ALL, again)) == trial_balance(load(ALL, journal))


# --- memory


def test_what_was_seen_is_bounded_and_what_is_older_counts_as_seen():
    seen = Seen(size_max=3)
    for number in range(5):
        seen.remember(f"f{number}", 100 + number)
    assert list(seen.ids) == ["f2", "f3", "f4"]
    assert seen.knows("f4", 104)
    assert seen.knows("f0", 100)
    assert not seen.knows("new", 101)
    assert seen.knows("ancient", 100)
    assert not seen.knows("f9", 200)


# --- rows and equity


def test_the_trial_balance_has_six_rows_of_zero():
    rows = trial_balance(opened(deposit(10), Reserve(ORDER, 100, 1), fill(BTC, 50, 749_000, fee_minor=3), funding(4)))
    assert [row.ledger for row in rows] == [1, 2, 3, 4, 5, 6]
    assert {(row.balance, row.pending) for row in rows} == {("0", "0")}
    assert [row.debits for row in rows] == ["10.000007", "50", "0.000003", "0", "3.75", "0.000004"]
    assert [row.accounts for row in rows] == [3, 2, 2, 0, 2, 2]
    assert trial_balance(Books(ALL))[0].accounts == 0


def test_the_statement_has_a_row_for_each_account():
    rows = {row.account: row for row in statement(opened(deposit(10), Reserve(ORDER, 100, 1), fill(BTC, 50, 749_000)))}
    assert list(rows) == [
        "capital:perps", "cash:perps", "market:BTC", "position:perps:BTC", "margin:perps:BTC", "margin_clearing:perps",
    ]  # fmt: skip
    assert (rows["position:perps:BTC"].balance, rows["position:perps:BTC"].unit) == ("50", "lots")
    assert (rows["margin:perps:BTC"].balance, rows["margin:perps:BTC"].pending) == ("3.75", "3.75")
    assert rows["capital:perps"].balance == "-10"


def test_equity_is_cash_and_what_is_held_at_the_mark():
    perps = opened(deposit(100), fill(BTC, 100, 750_000), fill(SOL, -10, 2_000_000))
    assert equity_minor(perps, "perps", {"BTC": 760_000.0, "SOL": 1_990_000.0}) == 101_100_000
    spot = opened(deposit(100, engine="crypto"), fill(PEPE, 10**7, 10_000))
    assert spot.money("crypto").cash_minor == 90 * USD
    assert equity_minor(spot, "crypto", {"PEPE/USD": 11_000.4}) == 101 * USD
    assert equity_minor(spot, "equities", {}) == 0


@pytest.mark.parametrize("mark", [float("nan"), float("inf"), 0.0, -1.0, None])
def test_equity_without_a_price_is_no_reading(mark):
    books = opened(deposit(100), fill(BTC, 100, 750_000))
    assert equity_minor(books, "perps", {} if mark is None else {"BTC": mark}) is None


# --- no sequence of events breaks it

TRADED = (BTC, SOL, PEPE, COST)
NUMBERS = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(
        st.just("fill"), st.sampled_from(TRADED), st.integers(-60, 60).filter(bool), st.integers(1, 10**6),
        st.integers(-500, 500), NUMBERS,
    ),
    st.tuples(st.just("reserve"), st.sampled_from(TRADED), st.integers(1, 60), st.integers(1, 10**6), NUMBERS),
    st.tuples(st.just("release"), NUMBERS),
    st.tuples(st.just("funding"), st.integers(-10**6, 10**6), NUMBERS),
    st.tuples(st.just("deposit"), st.integers(-10**3, 10**6), NUMBERS),
)  # fmt: skip


def event_of(step, index):
    match step:
        case "fill", instrument, lots, ticks, fee, number:
            return fill(
                instrument, lots, ticks, fee_minor=fee, id=f"fill{index}", order_id=f"{instrument.symbol}{number}"
            )
        case "reserve", instrument, lots, ticks, number:
            return Reserve(request(instrument, lots, ticks, id=f"{instrument.symbol}{number}"), lots, index)
        case "release", number:
            return Release("perps", f"BTC{number}", index)
        case "funding", amount, number:
            return funding(amount, number)
        case _, amount, number:
            return deposit(amount, number)


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=30))
def test_every_ledger_stays_at_zero_and_positions_are_the_sum_of_fills(steps):
    books, journal, lots, cash = Books(ALL), [], {}, {}
    for index, step in enumerate(steps):
        event = event_of(step, index)
        entry = books.post(event)
        if entry is None:
            continue
        assert all(sum(amount for _, amount in legs(one)) == 0 for one in entry.transfers)
        books.fold(entry)
        books.check()
        journal.append(entry)
        assert books.post(event) is None, "told again"
        if step[0] == "fill":
            key = (entry.engine, entry.symbol)
            lots[key] = lots.get(key, 0) + step[2]
            paid = notional_minor(step[1], step[3], step[2])
            cash[entry.engine] = cash.get(entry.engine, 0) - paid - step[4]
        elif step[0] in ("funding", "deposit"):
            cash["perps"] = cash.get("perps", 0) + step[1] * (USD if step[0] == "deposit" else 1)
    assert all(row.balance == row.pending == "0" for row in trial_balance(books))
    for (engine, symbol), held in lots.items():
        assert books.position(engine, symbol).lots == held
    for engine, flowed in cash.items():
        money = books.money(engine)
        costs = sum(position.cost_minor for position in books.positions.get(engine, {}).values())
        perpetual = costs if engine == "perps" else 0
        assert money.cash_minor + money.inventory_minor == flowed + costs
        assert money.cash_minor == flowed + perpetual, "cash is what flowed; a perpetual's cost never did"
    again = load(ALL, journal)
    assert again.balances == books.balances
    assert (again.positions, again.reservations, again.seen) == (books.positions, books.reservations, books.seen)
