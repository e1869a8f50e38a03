"""The matching engine rule by rule. Prices are ticks, sizes lots; a lot at 1000 ticks is worth 0.10 USD."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.venues.builders import (
    ALO,
    BUY,
    CASH_MINOR,
    FEES,
    GTC,
    IOC,
    PERP,
    SELL,
    SPOT,
    book,
    order,
    perps,
    trade,
    words,
)
from venues.market import Cancelled, OpenOrder, Rejected, VenuePosition
from venues.matching import MatchingEngine

BIDS = [(1000, 500), (999, 800), (998, 900)]
ASKS = [(1001, 300), (1002, 400), (1003, 5000)]


@pytest.fixture
def engine():
    engine = perps()
    engine.on_book(book(BIDS, ASKS))
    return engine


def long(engine, lots=200):
    """Hold a position, taken from the asks; the book is fresh again afterwards."""
    engine.submit(order("open", BUY, lots, 1003, IOC), 0)
    engine.on_book(book(BIDS, ASKS))
    return engine


# --- taking -------------------------------------------------------------------------------------------------


def test_a_taker_walks_the_levels_and_pays_each_its_price(engine):
    assert words(engine.submit(order("a", BUY, 800, 1003, IOC), 5)) == [
        "Accepted a",
        "Fill a 300@1001 taker",
        "Fill a 400@1002 taker",
        "Fill a 100@1003 taker",
    ]
    assert engine.find("a") == Cancelled("perps", "a", "BTC", 800, "filled", 5)


def test_what_an_ioc_order_cannot_take_is_cancelled(engine):
    assert words(engine.submit(order("a", BUY, 800, 1002, IOC), 0)) == [
        "Accepted a",
        "Fill a 300@1001 taker",
        "Fill a 400@1002 taker",
        "Cancelled a ioc",
    ]


def test_what_a_gtc_order_cannot_take_rests(engine):
    assert words(engine.submit(order("a", BUY, 500, 1001), 0)) == ["Accepted a", "Fill a 300@1001 taker"]
    assert engine.open_orders() == [OpenOrder("a", "BTC", BUY, 500, 300, 1001)]


def test_an_ioc_order_that_reaches_nothing_is_refused(engine):
    refused = "Rejected a Order could not immediately match against any resting orders."
    assert words(engine.submit(order("a", BUY, 200, 1000, IOC), 0)) == [refused]
    assert words(perps().submit(order("a", BUY, 200, 1000, IOC), 0)) == [refused]


def test_what_was_taken_is_gone_until_the_next_book(engine):
    engine.submit(order("a", BUY, 200, 1001, IOC), 0)
    assert words(engine.submit(order("b", BUY, 300, 1001, IOC), 0))[1:] == ["Fill b 100@1001 taker", "Cancelled b ioc"]
    assert words(engine.submit(order("c", BUY, 300, 1001, IOC), 0))[0].startswith("Rejected c Order could not")
    engine.on_book(book(BIDS, ASKS))
    assert words(engine.submit(order("d", BUY, 300, 1001, IOC), 0))[1:] == ["Fill d 300@1001 taker"]


def test_a_seller_takes_bids_from_the_top_down(engine):
    assert words(engine.submit(order("a", SELL, 700, 999, IOC), 0)) == [
        "Accepted a",
        "Fill a 500@1000 taker",
        "Fill a 200@999 taker",
    ]


def test_a_damaged_book_is_not_traded_on(engine):
    engine.on_book(book([(1002, 500)], [(1001, 500)]))
    assert words(engine.submit(order("a", BUY, 200, 1010, IOC), 0))[0].startswith("Rejected a Order could not")


# --- resting ------------------------------------------------------------------------------------------------


def test_a_post_only_order_that_would_take_is_refused_with_the_touch(engine):
    refused = "Rejected a Post only order would have immediately matched, bbo was 100@100.1."
    assert words(engine.submit(order("a", BUY, 200, 1001, ALO), 0)) == [refused]
    assert words(engine.submit(order("b", BUY, 200, 1000, ALO), 0)) == ["Accepted b"]


def test_trades_eat_the_queue_ahead_and_then_fill_us_as_maker(engine):
    engine.submit(order("a", BUY, 200, 1000, ALO), 0)
    assert engine.on_trade(trade(1000, 450, SELL, 1)) == []
    assert words(engine.on_trade(trade(1000, 150, SELL, 2))) == ["Fill a 100@1000 maker"]
    assert words(engine.on_trade(trade(1000, 900, SELL, 3))) == ["Fill a 100@1000 maker"]
    assert engine.open_orders() == []


def test_a_buyer_who_pays_our_bid_price_does_not_fill_our_bid(engine):
    engine.submit(order("a", BUY, 200, 1000, ALO), 0)
    assert engine.on_trade(trade(1000, 9000, BUY, 1)) == []


def test_a_trade_through_our_price_fills_us_at_our_price_up_to_its_size(engine):
    engine.submit(order("a", BUY, 200, 1000, ALO), 0)
    assert words(engine.on_trade(trade(999, 120, SELL, 1))) == ["Fill a 120@1000 maker"]
    assert words(engine.on_trade(trade(1000, 30, SELL, 2))) == ["Fill a 30@1000 maker"]  # nobody is ahead any more


def test_a_book_that_crosses_our_price_fills_us_at_our_price_up_to_what_it_offers(engine):
    engine.submit(order("a", BUY, 200, 1000, ALO), 0)
    crossed = book([(997, 900)], [(999, 70), (1000, 50), (1001, 900)], 9)
    fills = engine.on_book(crossed)
    assert words(fills) == ["Fill a 120@1000 maker"]
    assert fills[0].at_ns == 9


def test_a_sell_order_mirrors_a_buy_order(engine):
    engine.submit(order("a", SELL, 200, 1001, ALO), 0)
    assert engine.on_trade(trade(1001, 300, BUY, 1)) == []
    assert words(engine.on_trade(trade(1001, 50, BUY, 2))) == ["Fill a 50@1001 maker"]
    assert words(engine.on_book(book([(1001, 60)], [(1003, 100)]))) == ["Fill a 60@1001 maker"]


def test_a_shrinking_level_moves_us_up_in_proportion(engine):
    engine.submit(order("a", BUY, 200, 1000, ALO), 0)
    engine.on_book(book([(1000, 1000)], ASKS))  # 500 joined behind us
    engine.on_book(book([(1000, 400)], ASKS))  # 600 of 1000 cancelled, half of them ahead
    assert engine.on_trade(trade(1000, 200, SELL, 1)) == []
    assert words(engine.on_trade(trade(1000, 10, SELL, 2))) == ["Fill a 10@1000 maker"]


def test_a_better_price_than_the_touch_has_no_queue():
    engine = perps()
    engine.on_book(book([(998, 500)], ASKS))
    engine.submit(order("a", BUY, 200, 999, ALO), 0)
    assert words(engine.on_trade(trade(999, 40, SELL, 1))) == ["Fill a 40@999 maker"]


def test_an_order_below_the_last_level_waits_until_its_price_is_shown(engine):
    engine.submit(order("a", BUY, 200, 990, ALO), 0)
    assert engine.on_trade(trade(990, 5000, SELL, 1)) == []
    engine.on_book(book([(990, 60)], [(992, 100)], 2))
    assert words(engine.on_trade(trade(990, 100, SELL, 3))) == ["Fill a 40@990 maker"]


def test_a_trade_that_is_older_than_the_order_cannot_fill_it(engine):
    engine.submit(order("a", BUY, 200, 1000, ALO), 50)
    assert engine.on_trade(trade(900, 5000, SELL, 49)) == []
    assert engine.on_trade(trade(900, 5000, SELL, 50)) != []


def test_our_better_price_is_served_first_then_our_earlier_order(engine):
    engine.on_book(book([], ASKS))
    engine.submit(order("late", BUY, 110, 998, ALO), 0)
    engine.submit(order("better", BUY, 110, 999, ALO), 0)
    engine.submit(order("last", BUY, 110, 998, ALO), 0)
    assert words(engine.on_trade(trade(997, 250, SELL, 1))) == [
        "Fill better 110@999 maker",
        "Fill late 110@998 maker",
        "Fill last 30@998 maker",
    ]


def test_one_trade_never_fills_two_of_our_orders_with_the_same_lots(engine):
    engine.submit(order("a", BUY, 100, 1000, ALO), 0)
    engine.submit(order("b", BUY, 100, 1000, ALO), 0)
    assert words(engine.on_trade(trade(1000, 620, SELL, 1))) == ["Fill a 100@1000 maker", "Fill b 20@1000 maker"]


# --- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"lots": 0}, "Order has zero size."),
        ({"lots": -5}, "Order has zero size."),
        ({"ticks": 0}, "Order has invalid price."),
        ({"ticks": 100_001}, "Price must be divisible by tick size."),
        ({"lots": 99}, "Order must have minimum value of $10."),
        ({"lots": 600_000}, "Insufficient margin to place order."),
        ({"symbol": "ETH"}, "Unknown asset ETH."),
        ({"expires_ns": 99}, "Action already expired"),
        ({"reduce_only": True}, "Reduce only order would increase position."),
    ],
)
def test_what_is_wrong_is_said_in_the_venues_words(engine, asked, reason):
    wanted = replace(order("a", BUY, 100, 1000), **asked)
    rejected = engine.submit(wanted, 100)
    assert rejected == [Rejected("perps", "a", wanted.symbol, reason, 100)]
    assert engine.find("a") == rejected[0]


def test_whole_prices_may_have_any_number_of_figures(engine):
    assert words(engine.submit(order("a", SELL, 100, 1_234_560, ALO), 0)) == ["Accepted a"]


def test_an_id_is_used_once(engine):
    engine.submit(order("a", BUY, 100, 1000), 0)
    assert words(engine.submit(order("a", BUY, 100, 999), 0)) == ["Rejected a client_order_id must be unique"]
    assert isinstance(engine.find("a"), OpenOrder)
    engine.cancel("a", 0)
    assert words(engine.submit(order("a", BUY, 100, 999), 0)) == ["Rejected a client_order_id must be unique"]


def test_an_order_that_arrives_in_time_does_not_expire_later(engine):
    assert words(engine.submit(order("a", BUY, 100, 1000, expires_ns=100), 100)) == ["Accepted a"]
    engine.on_book(book(BIDS, ASKS, 200))
    assert len(engine.open_orders()) == 1


def test_another_engines_order_is_a_mistake_of_ours(engine):
    with pytest.raises(ValueError, match="is for engine crypto"):
        engine.submit(order("a", BUY, 100, 1000, engine="crypto"), 0)


def test_resting_orders_tie_up_margin(engine):
    """10,000 USD at leverage 5 carry 500,000 lots of 0.10 USD, less fees."""
    assert words(engine.submit(order("a", BUY, 400_000, 1000), 0)) == ["Accepted a"]
    assert words(engine.submit(order("b", BUY, 100_000, 999), 0)) == ["Rejected b Insufficient margin to place order."]
    assert words(engine.submit(order("c", SELL, 400_000, 1003), 0)) == ["Accepted c"]  # makes the worse side no worse


def test_an_exit_needs_no_margin():
    engine = perps()
    engine.on_book(book(BIDS, ASKS))
    long(engine, 200).account.cash_minor = -1_000_000
    assert words(engine.submit(order("b", BUY, 100, 1000), 0)) == ["Rejected b Insufficient margin to place order."]
    assert words(engine.submit(order("a", SELL, 200, 1000, IOC, reduce_only=True), 0))[0] == "Accepted a"


# --- spot ---------------------------------------------------------------------------------------------------


@pytest.fixture
def spot():
    engine = MatchingEngine("crypto", [SPOT], FEES, 100_000_000)
    engine.on_book(book(BIDS, ASKS, symbol="BTC/USD"))
    return engine


def coin(id, side, lots, ticks, time_in_force=GTC, **more):
    return order(id, side, lots, ticks, time_in_force, engine="crypto", symbol="BTC/USD", **more)


def test_cash_must_cover_a_purchase_and_its_fee(spot):
    refused = "insufficient balance for USD (requested: 100.25, available: 100)"
    assert words(spot.submit(coin("a", BUY, 1000, 1000), 0)) == [f"Rejected a {refused}"]
    assert words(spot.submit(coin("b", BUY, 900, 1000), 0)) == ["Accepted b"]
    assert words(spot.submit(coin("c", BUY, 110, 999), 0))[0].startswith("Rejected c insufficient balance for USD")


def test_only_what_is_held_and_not_on_offer_can_be_sold(spot):
    none = "insufficient balance for BTC (requested: 0.2, available: 0)"
    assert words(spot.submit(coin("a", SELL, 200, 1000), 0)) == [f"Rejected a {none}"]
    spot.submit(coin("b", BUY, 300, 1001, IOC), 0)
    assert words(spot.submit(coin("c", SELL, 200, 1005), 0)) == ["Accepted c"]
    some = "insufficient balance for BTC (requested: 0.2, available: 0.1)"
    assert words(spot.submit(coin("d", SELL, 200, 1005), 0)) == [f"Rejected d {some}"]


def test_a_coin_that_is_on_offer_cannot_be_sold_again_even_to_reduce(spot):
    spot.submit(coin("a", BUY, 300, 1001, IOC), 0)
    spot.submit(coin("b", SELL, 300, 1005), 0)
    some = "insufficient balance for BTC (requested: 0.3, available: 0)"
    assert words(spot.submit(coin("c", SELL, 300, 1000, IOC, reduce_only=True), 0)) == [f"Rejected c {some}"]


def test_a_purchase_costs_its_price_and_fee_and_a_sale_brings_them_back(spot):
    spot.submit(coin("a", BUY, 300, 1001, IOC), 0)
    assert spot.account.cash_minor == 100_000_000 - 30_030_000 - 75_075
    spot.submit(coin("b", SELL, 300, 1000, IOC), 0)
    assert spot.account.cash_minor == 100_000_000 - 30_030_000 - 75_075 + 30_000_000 - 75_000
    assert spot.positions() == []


def test_a_smaller_purchase_than_the_venue_takes(spot):
    assert words(spot.submit(coin("a", BUY, 99, 1000), 0)) == [
        "Rejected a cost basis must be >= minimal amount of order 10"
    ]


def test_a_name_that_cannot_be_shorted():
    stock = replace(PERP, symbol="COST", engine="equities", shortable=False, asset_class="equity", leverage=1)
    engine = MatchingEngine("equities", [stock], FEES, CASH_MINOR)
    asked = order("a", SELL, 200, 1000, engine="equities", symbol="COST")
    assert words(engine.submit(asked, 0)) == ['Rejected a asset "COST" cannot be sold short']
    asked = order("b", BUY, 200_000, 1000, engine="equities", symbol="COST")
    assert words(engine.submit(asked, 0)) == ["Rejected b insufficient buying power"]


# --- reduce-only --------------------------------------------------------------------------------------------


def test_a_reduce_only_order_on_the_wrong_side_or_without_a_position(engine):
    refused = "Reduce only order would increase position."
    assert words(engine.submit(order("a", SELL, 200, 1000, IOC, reduce_only=True), 0)) == [f"Rejected a {refused}"]
    long(engine)
    assert words(engine.submit(order("b", BUY, 200, 1001, IOC, reduce_only=True), 0)) == [f"Rejected b {refused}"]


def test_a_reduce_only_order_that_is_too_large_stops_at_flat(engine):
    long(engine, 200)
    assert words(engine.submit(order("a", SELL, 300, 1000, IOC, reduce_only=True), 0)) == [
        "Accepted a",
        "Fill a 200@1000 taker",
        "Cancelled a reduceOnlyCanceled",
    ]
    assert engine.positions() == []


def test_an_exit_may_be_smaller_than_the_smallest_order(engine):
    long(engine, 200)
    engine.submit(order("a", SELL, 150, 1000, IOC, reduce_only=True), 0)
    assert words(engine.submit(order("b", SELL, 50, 1000, IOC, reduce_only=True), 0))[1] == "Fill b 50@1000 taker"


def test_a_resting_exit_goes_when_the_position_does(engine):
    long(engine, 200)
    engine.submit(order("exit", SELL, 200, 1002, ALO, reduce_only=True), 0)
    assert words(engine.submit(order("a", SELL, 200, 1000, IOC), 0)) == [
        "Accepted a",
        "Fill a 200@1000 taker",
        "Cancelled exit reduceOnlyCanceled",
    ]


def test_a_newer_exit_takes_the_place_of_an_older_one(engine):
    long(engine, 200)
    engine.submit(order("old", SELL, 200, 1002, ALO, reduce_only=True), 0)
    assert words(engine.submit(order("new", SELL, 150, 1003, ALO, reduce_only=True), 0)) == [
        "Accepted new",
        "Cancelled old reduceOnlyCanceled",
    ]


def test_a_resting_exit_fills_no_further_than_flat(engine):
    long(engine, 200)
    engine.submit(order("exit", SELL, 500, 1002, ALO, reduce_only=True), 0)
    assert words(engine.on_trade(trade(1003, 900, BUY, 1))) == [
        "Fill exit 200@1002 maker",
        "Cancelled exit reduceOnlyCanceled",
    ]


# --- self-trade ---------------------------------------------------------------------------------------------


def test_our_orders_never_trade_with_each_other_the_newer_one_goes(engine):
    engine.submit(order("old", SELL, 200, 1002, ALO), 0)
    assert words(engine.submit(order("new", BUY, 900, 1003), 0)) == [
        "Accepted new",
        "Fill new 300@1001 taker",
        "Cancelled new selfTradeCanceled",
    ]
    assert [found.order_id for found in engine.open_orders()] == ["old"]


def test_an_order_that_is_done_before_it_reaches_our_own_is_fine(engine):
    engine.submit(order("old", SELL, 200, 1002, ALO), 0)
    assert words(engine.submit(order("new", BUY, 300, 1003), 0)) == ["Accepted new", "Fill new 300@1001 taker"]


def test_our_own_order_counts_in_the_touch_of_a_post_only_refusal(engine):
    engine.on_book(book(BIDS, [(1005, 100)]))
    engine.submit(order("old", SELL, 200, 1002, ALO), 0)
    assert words(engine.submit(order("new", BUY, 200, 1003, ALO), 0)) == [
        "Rejected new Post only order would have immediately matched, bbo was 100@100.2."
    ]


# --- cancel and replace -------------------------------------------------------------------------------------


def test_cancel_tells_how_much_was_filled(engine):
    engine.submit(order("a", BUY, 500, 1001), 0)
    assert engine.cancel("a", 7) == [Cancelled("perps", "a", "BTC", 300, "asked", 7)]
    refused = "CancelRefused a Order was never placed, already canceled, or filled."
    assert words(engine.cancel("a", 8)) == [refused]
    assert words(engine.cancel("nobody", 8))[0].startswith("CancelRefused nobody")


def test_replace_counts_what_the_chain_has_filled(engine):
    engine.submit(order("a", BUY, 500, 1001), 0)
    assert words(engine.replace(order("b", BUY, 500, 1002, replaces="a"), 0)) == [
        "Cancelled a replaced",
        "Accepted b",
        "Fill b 200@1002 taker",
    ]
    assert engine.positions()[0].lots == 500
    assert engine.open_orders() == []


def test_a_smaller_order_at_the_same_price_keeps_its_place(engine):
    engine.submit(order("a", BUY, 300, 1000, ALO), 0)
    engine.on_trade(trade(1000, 450, SELL, 1))
    assert words(engine.replace(order("b", BUY, 200, 1000, ALO, replaces="a"), 2)) == [
        "Cancelled a replaced",
        "Accepted b",
    ]
    assert words(engine.on_trade(trade(1000, 100, SELL, 3))) == ["Fill b 50@1000 maker"]


@pytest.mark.parametrize(("lots", "ticks"), [(301, 1000), (300, 999)])
def test_a_larger_or_moved_order_joins_the_end(engine, lots, ticks):
    engine.submit(order("a", BUY, 300, 1000, ALO), 0)
    engine.on_trade(trade(1000, 450, SELL, 1))
    engine.replace(order("b", BUY, lots, ticks, ALO, replaces="a"), 2)
    assert engine.on_trade(trade(ticks, 450, SELL, 3)) == []


def test_replacing_what_is_over_does_nothing(engine):
    engine.submit(order("a", BUY, 300, 1001, IOC), 0)
    refused = "CancelRefused b Order was never placed, already canceled, or filled."
    assert words(engine.replace(order("b", BUY, 300, 1000, replaces="a"), 0)) == [refused]
    assert isinstance(engine.find("b"), Rejected)
    assert engine.positions()[0].lots == 300


def test_a_replacement_that_is_nonsense_leaves_the_old_order(engine):
    engine.submit(order("a", BUY, 500, 1001), 0)
    assert words(engine.replace(order("b", BUY, 300, 1000, replaces="a"), 0)) == [
        "Rejected b Order has zero size.",
        "CancelRefused a Order has zero size.",
    ]
    assert [found.order_id for found in engine.open_orders()] == ["a"]


def test_a_replacement_that_would_take_costs_the_old_order_as_at_hyperliquid(engine):
    engine.submit(order("a", BUY, 300, 999, ALO), 0)
    touch = "Post only order would have immediately matched, bbo was 100@100.1."
    assert words(engine.replace(order("b", BUY, 300, 1001, ALO, replaces="a"), 0)) == [
        "Cancelled a replaced",
        f"Rejected b Error placing new order during modify: {touch}",
    ]
    assert engine.open_orders() == []


def test_a_resting_order_may_escalate_across_the_spread(engine):
    engine.submit(order("a", BUY, 300, 1000, ALO), 0)
    assert words(engine.replace(order("b", BUY, 300, 1001, IOC, replaces="a"), 0)) == [
        "Cancelled a replaced",
        "Accepted b",
        "Fill b 300@1001 taker",
    ]


def test_a_replacement_must_be_of_the_same_kind(engine):
    engine.submit(order("a", BUY, 300, 1000, ALO), 0)
    with pytest.raises(ValueError, match="another symbol or side"):
        engine.replace(order("b", SELL, 300, 1002, ALO, replaces="a"), 0)


# --- money --------------------------------------------------------------------------------------------------


def test_fees_are_data_and_round_half_to_even():
    engine = MatchingEngine("perps", [PERP], {"native": (-0.5, 0.05)}, CASH_MINOR)
    engine.on_book(book([(1000, 0)], [(1001, 1000)]))
    taken = engine.submit(order("a", BUY, 100, 1001, IOC), 0)[1]
    assert taken.fee_minor == 50  # 10,010,000 x 0.05 bps = 50.05
    engine.submit(order("b", SELL, 100, 1002, ALO), 0)
    made = engine.on_trade(trade(1003, 100, BUY))[0]
    assert made.fee_minor == -501  # 10,020,000 x -0.5 bps
    assert engine.account.fees_minor == -451


def test_a_fee_of_exactly_half_a_unit_goes_to_the_even_one():
    engine = MatchingEngine("perps", [PERP], {"native": (0, 0.0005)}, CASH_MINOR)
    engine.on_book(book([], [(1000, 1000), (3000, 1000)]))
    fees = [event.fee_minor for event in engine.submit(order("a", BUY, 1100, 3000, IOC), 0)[1:]]
    assert fees == [5, 2]  # 100 USD: 5; 30 USD: 1.5


def test_a_perpetual_changes_cash_by_what_it_realises(engine):
    engine.submit(order("a", BUY, 700, 1002, IOC), 0)  # 300@1001, 400@1002
    paid = CASH_MINOR - engine.account.cash_minor
    assert paid == engine.account.fees_minor == 31_550
    assert engine.positions() == [VenuePosition("BTC", 700, pytest.approx(1001.5714285))]
    engine.submit(order("b", SELL, 1000, 999, IOC), 0)  # 500@1000, 500@999: through flat to short 300
    assert engine.positions() == [VenuePosition("BTC", -300, 999.0)]
    bought, sold = 300 * 1001 + 400 * 1002, 500 * 1000 + 200 * 999
    assert engine.account.cash_minor == CASH_MINOR - engine.account.fees_minor + (sold - bought) * 100


def test_longs_pay_a_positive_funding_rate(engine):
    assert engine.fund("BTC", Decimal("0.0001"), 1000, 5) == []
    long(engine, 200)
    cash = engine.account.cash_minor
    paid = engine.fund("BTC", Decimal("0.0001"), 1000, 5)[0]
    assert (paid.amount_minor, paid.id, paid.at_ns) == (-2000, "perps-funding-BTC-5", 5)
    assert engine.account.cash_minor == cash - 2000


def test_fills_are_numbered_and_can_be_asked_for(engine):
    engine.submit(order("a", BUY, 400, 1002, IOC), 10)
    engine.submit(order("b", SELL, 100, 1000, IOC), 20)
    assert [fill.id for fill in engine.fills_since(0)] == ["perps-1", "perps-2", "perps-3"]
    assert [fill.order_id for fill in engine.fills_since(11)] == ["b"]


def test_a_later_run_goes_on_where_the_ledger_stands():
    held = [VenuePosition("BTC", -200, 1000.0)]
    engine = MatchingEngine("perps", [PERP], FEES, 5_000_000, held, sequence=41)
    engine.on_book(book(BIDS, ASKS))
    filled = engine.submit(order("a", BUY, 200, 1001, IOC, reduce_only=True), 0)[1]
    assert filled.id == "perps-42"
    assert engine.positions() == []
    assert engine.account.cash_minor == 5_000_000 - 20_000 - filled.fee_minor


def test_a_position_in_a_name_that_is_not_listed_is_not_forgotten():
    with pytest.raises(ValueError, match="3 lots of ETH are held, but it is not listed here"):
        MatchingEngine("perps", [PERP], FEES, CASH_MINOR, [VenuePosition("ETH", 3, 1.0)])


def test_a_fill_is_never_older_than_its_order(engine):
    engine.submit(order("a", BUY, 200, 1000, ALO), 50)
    assert engine.on_book(book([(997, 900)], [(999, 70)], 40))[0].at_ns == 50


def test_a_name_without_fees_is_not_listed():
    with pytest.raises(ValueError, match=r"fees of native are missing \(BTC\); given: spot"):
        MatchingEngine("perps", [PERP], {"spot": (0, 0)}, CASH_MINOR)


def test_the_latest_of_many_ended_orders_are_remembered(engine, monkeypatch):
    monkeypatch.setattr("venues.matching.OVER_KEPT_MAX", 2)
    for id in "abc":
        engine.submit(order(id, BUY, 0, 1000), 0)
    assert [bool(engine.find(id)) for id in "abc"] == [False, True, True]
