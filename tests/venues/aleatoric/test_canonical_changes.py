"""The law of books built from changes: whatever is damaged, a book that is told is the true one.

Feeds are drawn at random around a book that the test keeps itself; then rows are lost, repeated or damaged. Every book
that is still told must be the one that stood there.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.aleatoric.canonical_rows import put
from venues.aleatoric.canonical.events import BadRow, BookEvent
from venues.aleatoric.canonical.normalise import normalise

MS = 1_750_000_000_000
ROW_COUNT = 40
GARBAGE = [None, "x", -1, [], {}, True, "nan"]
BIDS, ASKS = (90, 99), (100, 109)


def shown(sides):
    """(price, size) of a book kept as {price: size} a side, best first."""
    bids, asks = sides
    return tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items()))


def binance_feed(random):
    """A snapshot, changes, and another snapshot in the middle."""
    sides, last = ({95: 1}, {105: 1}), 10
    rows, truth = [], []
    for i in range(ROW_COUNT):
        if i in {0, ROW_COUNT // 2}:
            bids, asks = ([[str(p), str(s)] for p, s in side] for side in shown(sides))
            rows.append({"lastUpdateId": last, "bids": bids, "asks": asks})
        else:
            row = {"e": "depthUpdate", "E": MS + i, "s": "BTC", "U": last + 1, "u": last + 2, "b": [], "a": []}
            for side, key, (low, high) in ((sides[0], "b", BIDS), (sides[1], "a", ASKS)):
                price, size = random.randint(low, high), random.choice([0, 1, 2, 3])
                side.update({price: size}) if size else side.pop(price, None)
                row[key].append([f"{price}.0", str(size)])
            last += 2
            rows.append(row)
        truth.append(shown(sides))
    return rows, truth


def cme_feed(random):
    """Levels that come, change and go, counted, and a snapshot in the middle."""
    sides = ({}, {})
    rows, truth = [], []
    for i in range(ROW_COUNT):
        at = {"SecurityID": 7, "Symbol": "BTC", "TransactTime": (MS + i) * 10**6, "RptSeq": i + 1}
        if i == ROW_COUNT // 2:
            entries = [
                {"MDEntryType": kind, "MDEntryPx": price, "MDEntrySize": size, "MDPriceLevel": level}
                for kind, side in zip("01", shown(sides), strict=True)
                for level, (price, size) in enumerate(side, start=1)
            ]
            if not entries:
                entries = [{"MDEntryType": "J"}]
            rows.append({**at, "MsgType": "W", "NoMDEntries": entries})
        else:
            which = random.randint(0, 1)
            price, size = random.randint(*(BIDS, ASKS)[which]), random.randint(1, 5)
            side = sides[which]
            action = 0 if price not in side else random.choice([1, 2, 5])
            if action != 2:
                side[price] = size
            level = 1 + [known for known, _ in shown(sides)[which]].index(price)
            if action == 2:
                del side[price]
            entry = {"MDEntryType": str(which), "MDEntryPx": price, "MDEntrySize": size}
            rows.append({**at, **entry, "MDPriceLevel": level, "MDUpdateAction": action})
        truth.append(shown(sides))
    return rows, truth


def sgx_feed(random):
    """Orders that come, change, trade and go."""
    orders, rows, truth = {}, [], []
    for i in range(ROW_COUNT):
        row = {"OrderBookID": 5, "Timestamp": (MS + i) * 10**6}
        kind = random.choice("AAUDEC") if orders else "A"
        key = (i, random.choice("BS")) if kind == "A" else random.choice(sorted(orders))
        row |= {"MessageType": kind, "OrderID": key[0], "Side": key[1]}
        if kind in "AU":
            orders[key] = random.randint(*(BIDS if key[1] == "B" else ASKS)), random.randint(1, 9)
            row |= dict(zip(("Price", "Quantity"), orders[key], strict=True))
        elif kind == "D":
            del orders[key]
        else:
            price, size = orders.pop(key)
            taken = random.randint(1, size)
            if taken < size:
                orders[key] = price, size - taken
            row |= {"ExecutedQuantity": taken, "MatchID": f"m{i}"} | ({"TradePrice": price} if kind == "C" else {})
        sides = {}, {}
        for (_, side), (price, size) in orders.items():
            levels = sides["BS".index(side)]
            levels[price] = levels.get(price, 0) + size
        rows.append(row)
        truth.append(shown(sides))
    return rows, truth


FEEDS = {"binance": binance_feed, "cme": cme_feed, "sgx": sgx_feed}
feeds = pytest.mark.parametrize("source", FEEDS)


def told(source, rows):
    return list(normalise(source, rows, "BTC"))


def book_of(event):
    return tuple(tuple((int(price), int(size)) for price, size in side) for side in (event.bids, event.asks))


def damaged(row, data):
    """The row with garbage in one field that it has, or garbage in its place."""
    name = data.draw(st.sampled_from([None, *row]))
    listed = name is not None and isinstance(row[name], list)  # an empty list of changes is none that one could see
    named = name == "Symbol"  # a name damaged into another name is another's row, which nobody can tell
    unseen = [each for each in GARBAGE if (listed and each == []) or (named and isinstance(each, str | int))]
    garbage = data.draw(st.sampled_from([each for each in GARBAGE if each not in unseen]))
    return garbage if name is None else put(row, [name], garbage)


@feeds
@settings(max_examples=40)
@given(random=st.randoms(use_true_random=False))
def test_an_undamaged_feed_is_told_book_by_book(source, random):
    rows, truth = FEEDS[source](random)
    outcomes = told(source, rows)
    assert not [outcome for outcome in outcomes if isinstance(outcome, BadRow)]
    books = {outcome.position: book_of(outcome) for outcome in outcomes if isinstance(outcome, BookEvent)}
    untimed = {0, ROW_COUNT // 2} if source == "binance" else set()
    assert books == {i: book for i, book in enumerate(truth) if i not in untimed}


@feeds
@settings(max_examples=80)
@given(random=st.randoms(use_true_random=False), data=st.data())
def test_after_any_damage_every_book_that_is_told_is_true(source, random, data):
    rows, truth = FEEDS[source](random)
    hurt = set()
    for place in data.draw(st.lists(st.integers(0, ROW_COUNT - 1), min_size=1, max_size=3, unique=True)):
        rows[place] = damaged(rows[place], data)
        hurt.add(place)
    outcomes = told(source, rows)
    assert {outcome.position for outcome in outcomes} == set(range(ROW_COUNT))
    for outcome in outcomes:
        if isinstance(outcome, BookEvent) and outcome.position not in hurt:
            assert book_of(outcome) == truth[outcome.position]


@pytest.mark.parametrize("source", ["binance", "cme"])  # SGX's orders have no count: a lost one can't show
@settings(max_examples=40)
@given(random=st.randoms(use_true_random=False), data=st.data())
def test_after_lost_rows_every_book_that_is_told_is_true(source, random, data):
    rows, truth = FEEDS[source](random)
    lost = data.draw(st.sets(st.integers(1, ROW_COUNT - 1), min_size=1, max_size=3))
    kept = [i for i in range(ROW_COUNT) if i not in lost]
    for outcome in told(source, [rows[i] for i in kept]):
        if isinstance(outcome, BookEvent):
            assert book_of(outcome) == truth[kept[outcome.position]]


@feeds
@settings(max_examples=40)
@given(random=st.randoms(use_true_random=False), place=st.integers(0, ROW_COUNT - 1))
def test_a_change_that_comes_twice_changes_nothing(source, random, place):
    rows, truth = FEEDS[source](random)
    places = [*range(place + 1), *range(place, ROW_COUNT)]
    twice = [rows[i] for i in places]
    for outcome in told(source, twice):
        if isinstance(outcome, BookEvent):
            assert book_of(outcome) == truth[places[outcome.position]]
