"""What real frames become, and the rules by which each venue's books are built from changes."""

import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from venues.aleatoric.canonical.events import BookEvent
from venues.aleatoric.canonical.normalise import normalise, normalise_all
from venues.market import Side

WIRE = Path(__file__).resolve().parents[4] / "shared" / "data" / "wire"
MS = 1_750_000_000_000
NS = MS * 1_000_000

recorded = pytest.mark.skipif(not WIRE.is_dir(), reason=f"no recorded frames at {WIRE}")


def captured(path, lines_max=None):
    """Lines '<time of receipt in ns> <frame>' as wrapped rows."""
    with gzip.open(WIRE / path, "rb") as lines:
        for at, line in enumerate(lines):
            if at == lines_max:
                return
            received, frame = line.rstrip(b"\n").split(b" ", 1)
            yield {"payload": frame, "received_ns": int(received)}


def decimals(levels):
    return [(float(price), float(size)) for price, size in levels]


# --- Hyperliquid ----------------------------------------------------------------------------------------------------


@recorded
def test_hyperliquids_recorded_frames_are_canonicalised_as_they_are_written():
    rows = list(captured("hftbacktest/hyperliquid/btcusd_20250126_first20.shared.gz"))
    canonical = normalise_all("hyperliquid", rows, "BTC")
    frames = [json.loads(row["payload"]) for row in rows]
    assert len(canonical.trades) == sum(len(f["data"]) for f in frames if f["channel"] == "trades") == 31
    for event in canonical.events:
        assert event.received_ns == rows[event.position]["received_ns"]
        data = frames[event.position]["data"]
        if isinstance(event, BookEvent):
            sides = [[(Decimal(x["px"]), Decimal(x["sz"])) for x in side] for side in data["levels"]]
            assert [list(event.bids), list(event.asks)] == sides and event.at_ns == data["time"] * 1_000_000
            assert event.venue_data == {"n": [[x["n"] for x in side] for side in data["levels"]]}
        else:
            [said] = [trade for trade in data if str(trade["tid"]) == event.trade_id]
            assert (str(event.price), str(event.size)) == (said["px"], said["sz"])
            assert event.venue_data == {"hash": said["hash"], "users": said["users"]}
            assert event.side is {"B": Side.BUY, "A": Side.SELL}[said["side"]]
    [twin] = canonical.bad  # the venue's first book came twice
    assert (twin.position, twin.reason) == (1, "a duplicate of row 0") and frames[0] == frames[1]


@recorded
def test_every_hyperliquid_channel_is_an_event_or_passed_by():
    lines = (WIRE / "tardis_node/hyperliquid/hyperliquid.jsonl").read_text().splitlines()
    lines = [json.loads(line)["message"] for line in lines]
    canonical = normalise_all("hyperliquid", lines)
    assert not canonical.bad
    assert Counter(x.kind for x in canonical.unread) == {"activeAssetCtx": 1, "activeSpotAssetCtx": 1}
    assert {(book.symbol, len(book.bids), len(book.asks)) for book in canonical.books} == {
        ("SHIA", 0, 0),
        ("BANANA", 2, 2),
        ("@162", 1, 1),
        ("BTC", 1, 0),
    }


def hl_trade(**fields):
    row = {"coin": "BTC", "side": "B", "px": "105056.0", "sz": "0.1", "time": MS, "hash": "0x1", "tid": 7, "users": []}
    return row | fields


def test_one_bad_trade_of_a_hyperliquid_frame_spoils_no_other():
    trades = [hl_trade(tid=1), hl_trade(tid=2, px="-1"), hl_trade(tid=3, side="X"), hl_trade(tid=4)]
    canonical = normalise_all("hyperliquid", [{"channel": "trades", "data": trades}, trades[0], [hl_trade(tid=5)]])
    assert [trade.trade_id for trade in canonical.trades] == ["1", "4", "5"]
    assert [(bad.position, bad.field, bad.value) for bad in canonical.bad] == [
        (0, "data[1].px", "-1"),
        (0, "data[2].side", "X"),
        (1, "", "trade 1"),
    ]


def test_answers_of_hyperliquids_rest_side_are_read_as_well():
    book = {"coin": "DYDX", "time": MS, "levels": [[{"px": "2.1", "sz": "5.0", "n": 1}], []]}
    canonical = normalise_all("hyperliquid", [book, {"channel": "trades", "data": []}])
    [event] = canonical.events
    assert event.bids == ((Decimal("2.1"), Decimal("5.0")),) and event.asks == () and len(canonical.unread) == 1


@pytest.mark.parametrize(
    ("bids", "asks", "field", "reason"),
    [
        (["10", "11"], ["12"], "", "levels are out of order: bids show it after 10"),
        (["10"], ["12", "12"], "", "levels are out of order: asks show it after 12"),
        (["12"], ["12"], "", "the best bid is at or above the best ask, 12"),
        (["10", "0"], ["12"], "data.levels[0][1].px", "it must be positive and below 1e+12"),
    ],
)
def test_a_book_that_can_be_none_is_refused(bids, asks, field, reason):
    levels = [[{"px": price, "sz": "1", "n": 1} for price in side] for side in (bids, asks)]
    row = {"channel": "l2Book", "data": {"coin": "BTC", "time": MS, "levels": levels}}
    [bad] = normalise_all("hyperliquid", [row]).bad
    assert (bad.field, bad.reason) == (field, reason)


# --- Binance --------------------------------------------------------------------------------------------------------


@recorded
@pytest.mark.parametrize(
    ("file", "applied", "stale", "trades", "top"),
    [
        ("binance/btcusdt_20240808.gz", 3449, 2, 9757, ("61685.99", "61686.0")),
        ("binance_futures/btcusdt_20240808.gz", 6547, 4, 21313, ("61659.7", "61659.8")),
    ],
)
def test_binances_recorded_changes_build_the_book_that_an_independent_replay_built(file, applied, stale, trades, top):
    counts, last = Counter(), None
    rows = (row for row in captured(f"hftbacktest/{file}") if b"@bookTicker" not in row["payload"])  # most rows
    for outcome in normalise("binance", rows, "BTCUSDT"):
        if isinstance(outcome, BookEvent) and "U" in outcome.venue_data:
            last = outcome
            counts["applied"] += 1
        else:
            counts[getattr(outcome, "kind", type(outcome).__name__)] += 1
    assert (counts["applied"], counts["depthUpdate that the snapshot holds"]) == (applied, stale)
    assert counts["TradeEvent"] == trades and counts["BadRow"] == 0
    assert (last.bids[0][0], last.asks[0][0]) == tuple(map(Decimal, top)) and len(last.bids) == 20


@recorded
def test_several_symbols_of_one_recorded_socket_keep_their_own_books():
    folder = WIRE / "cryptofeed" / "binance_futures"
    rows = []
    for line in (folder / "BINANCE_FUTURES.ws.1.0").read_text().splitlines():
        at, _, frame = line.partition(": ")
        if frame.startswith("{"):
            rows.append((float(at), {"payload": frame}))
    for line in (folder / "BINANCE_FUTURES.http.0.0").read_text().splitlines():
        url, _, answer = line.partition(" -> ")
        at, _, body = answer.partition(": ")
        if "/depth?symbol=" in url:
            rows.append((float(at), {"payload": body, "symbol": url.split("symbol=")[1].split("&")[0]}))
    rows = [row for _, row in sorted(rows, key=lambda each: each[0])]
    canonical = normalise_all("binance", rows)
    kinds = Counter(json.loads(row["payload"]).get("data", {}).get("e", "snapshot") for row in rows)
    assert Counter(x.kind for x in canonical.unread)["kline"] == kinds["kline"] == 67
    assert len(canonical.trades) == kinds["aggTrade"] == 91
    assert {book.symbol for book in canonical.books} == {"SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"}
    assert len(canonical.books) + len(canonical.unread) == len(rows) - 91 and not canonical.bad


def diff(first, last, bids=(), asks=(), at=0, **more):
    levels = {"b": [list(x) for x in bids], "a": [list(x) for x in asks]}
    return {"e": "depthUpdate", "E": MS + 100 * at, "s": "BTCUSDT", "U": first, "u": last, **levels, **more}


SNAPSHOT = {"lastUpdateId": 100, "bids": [["10.0", "1"], ["9.0", "2"]], "asks": [["11.0", "3"]]}


def binance(*rows):
    return normalise_all("binance", rows, "BTCUSDT")


def test_binances_changes_wait_for_a_snapshot_and_then_follow_one_another():
    rows = [
        diff(90, 95, [("8.0", "1")]),  # the snapshot holds it
        diff(99, 102, [("10.0", "0"), ("9.5", "4")], at=1),
        SNAPSHOT,
        diff(103, 103, [("1.0", "0")], [("11.0", "3.50")], at=2),  # takes away what is not there: nothing wrong
    ]
    canonical = binance(*rows)
    assert not canonical.bad and [x.position for x in canonical.unread] == [2, 0]
    first, second = canonical.books
    assert decimals(first.bids) == [(9.5, 4), (9, 2)] and decimals(second.asks) == [(11, 3.5)]
    assert (first.position, second.position, first.id, second.id) == (1, 3, 1, 2)
    assert first.venue_data == {"e": "depthUpdate", "U": 99, "u": 102} and first.at_ns == NS + 100_000_000


def test_a_missing_change_makes_binances_book_unknown_until_a_snapshot():
    later = SNAPSHOT | {"lastUpdateId": 300}
    rows = [SNAPSHOT, diff(101, 101), diff(103, 104, at=1), diff(105, 106, at=2), later, diff(301, 301, at=3)]
    canonical = binance(*rows)
    assert [book.position for book in canonical.books] == [1, 5]
    [gap] = canonical.bad
    assert (gap.position, gap.field, gap.value) == (2, "U", "103") and "changes are missing" in gap.reason
    assert [x.position for x in canonical.unread] == [0, 4, 3]  # row 3 waited, and the later snapshot holds it


def test_futures_changes_name_the_one_before():
    rows = [SNAPSHOT | {"E": MS, "T": MS}, diff(95, 105, T=MS + 1, pu=90), diff(110, 111, T=MS + 2, pu=105)]
    canonical = binance(*rows, diff(120, 121, T=MS + 3, pu=119))
    assert [book.position for book in canonical.books] == [0, 1, 2]
    [gap] = canonical.bad
    assert (gap.field, gap.value) == ("pu", "119")


def test_changes_that_wait_in_vain_are_reported_with_the_reason():
    canonical = binance(diff(1, 2), diff(3, 4), {"e": "kline", "E": MS, "s": "BTCUSDT"})
    assert [(bad.position, bad.field) for bad in canonical.bad] == [(0, "u"), (1, "u")]
    assert all("no snapshot has come" in bad.reason for bad in canonical.bad)


def test_no_more_changes_wait_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr("venues.aleatoric.canonical.binance.WAITING_MAX", 2)
    rows = [diff(first, first, at=first) for first in range(99, 103)]
    canonical = binance(*rows, SNAPSHOT)
    assert [bad.position for bad in canonical.bad] == [0, 1]
    assert [book.position for book in canonical.books] == [2, 3]


@recorded
def test_the_recorded_best_bid_and_ask_are_books_of_one_level():
    rows = list(captured("hftbacktest/binance/btcusdt_20240808.gz", 500))
    canonical = normalise_all("binance", rows, "BTCUSDT")
    touches = [book for book in canonical.books if "U" not in book.venue_data]
    assert len(touches) == sum(b"@bookTicker" in row["payload"] for row in rows) > 100
    for book in touches:
        said = json.loads(rows[book.position]["payload"])["data"]
        assert [str(x) for x in (*book.bids[0], *book.asks[0])] == [said[name] for name in "bBaA"]
        assert book.at_ns == book.received_ns == rows[book.position]["received_ns"]  # spot says no time


def test_a_change_whose_time_is_bad_still_counts_in_the_book():
    rows = [SNAPSHOT, diff(101, 101), diff(102, 102, [("9.5", "7")], E=12), diff(103, 103, at=2)]
    canonical = binance(*rows)
    assert [(bad.position, bad.field, bad.value) for bad in canonical.bad] == [(2, "E", "12")]
    assert decimals(canonical.books[-1].bids)[:2] == [(10, 1), (9.5, 7)]


def test_a_change_whose_level_is_bad_makes_the_book_unknown_and_trades_go_on():
    trade = {"e": "trade", "E": MS, "T": MS, "s": "BTCUSDT", "t": 5, "p": "10", "q": "1", "m": True}
    canonical = binance(SNAPSHOT, diff(101, 101, [("x", "1")]), diff(102, 102), trade)
    assert [(bad.position, bad.field) for bad in canonical.bad] == [(1, "b[0][0]"), (2, "u")]
    assert "row 1 could not be read" in canonical.bad[1].reason and canonical.trades[0].side is Side.SELL


def test_what_binance_writes_as_zero_is_nothing():
    touch = {"e": "bookTicker", "E": MS, "T": MS, "s": "BTCUSDT", "u": 1, "b": "0.00", "B": "0", "a": "11", "A": "2"}
    none = {"e": "trade", "E": MS, "T": MS, "s": "BTCUSDT", "t": 5, "p": "0", "q": "0", "X": "NA", "m": True}
    canonical = binance(touch, none, none | {"X": "MARKET"}, touch | {"B": "1"})
    [book], [passed], bad = canonical.books, canonical.unread, canonical.bad
    assert (book.bids, decimals(book.asks)) == ((), [(11, 2)]) and passed.kind == "trade of type NA"
    assert [(each.position, each.field) for each in bad] == [(2, "p"), (3, "b")]


def test_binances_change_that_crosses_the_book_is_reported():
    canonical = binance(SNAPSHOT, diff(101, 101, [("12.0", "1")]))
    assert [bad.reason for bad in canonical.bad] == ["the best bid is at or above the best ask, 11.0"]


def test_partial_depth_is_a_book_of_its_own():
    data = {"lastUpdateId": 7, "bids": [["10.0", "1"]], "asks": [["11.0", "3"]]}
    frame = {"stream": "btcusdt@depth20@100ms", "data": data}
    [event] = normalise_all("binance", [{"payload": frame, "received_ns": NS}]).events
    assert (event.symbol, event.at_ns, event.venue_data["lastUpdateId"]) == ("BTCUSDT", NS, 7)
    [bad] = normalise_all("binance", [frame]).bad
    assert bad.field == "data.E" and "received_ns" in bad.reason
    futures = {"stream": "btcusdt@depth5", "data": diff(5, 9, [("10", "1")], [("11", "2")], T=MS, pu=1)}
    [event] = normalise_all("binance", [futures], "BTCUSDT").events
    assert decimals(event.asks) == [(11, 2)] and event.venue_data["pu"] == 1


# --- CME ------------------------------------------------------------------------------------------------------------


def cme_row(kind, price=None, size=None, level=1, action=0, at=0, **more):
    row = {"SecurityID": 206299, "Symbol": "ESZ5", "TransactTime": NS + at, "MDEntryType": kind, "MDPriceLevel": level}
    row |= {"MDEntryPx": price, "MDEntrySize": size} if price else {}
    return row | ({"MDUpdateAction": action} if action is not None else {}) | more


def test_cmes_book_follows_its_levels():
    rows = [
        cme_row("0", "4500.00", 10),
        cme_row("1", "4500.50", 7),
        cme_row("0", "4499.75", 20, level=2),
        cme_row("0", "4500.25", 3, at=1),  # a new best level moves the others down
        cme_row("0", "4500.00", 11, level=2, action=1, at=2),
        cme_row("0", level=1, action=2, at=3),
        cme_row("0", "4500.00", 12, level=1, action=5, at=4),
    ]
    canonical = normalise_all("cme", rows)
    assert not canonical.bad
    assert [decimals(book.bids) for book in canonical.books[3:]] == [
        [(4500.25, 3), (4500.0, 10), (4499.75, 20)],
        [(4500.25, 3), (4500.0, 11), (4499.75, 20)],
        [(4500.0, 11), (4499.75, 20)],
        [(4500.0, 12), (4499.75, 20)],
    ]
    kept = {"SecurityID": 206299, "MDPriceLevel": 1, "MDUpdateAction": 5}
    assert canonical.books[-1].venue_data == kept


def test_cmes_missing_entry_makes_the_book_unknown_until_it_is_stated():
    whole = {"MsgType": "W", "TransactTime": NS + 3, "Symbol": "ESZ5", "RptSeq": 9}
    whole |= {"NoMDEntries": [{"MDEntryType": "0", "MDEntryPx": 1, "MDEntrySize": 2, "MDPriceLevel": 1}]}
    rows = [
        cme_row("0", "4500", 10, RptSeq=1),
        cme_row("2", "4500", 1, RptSeq=2, AggressorSide=2),
        cme_row("0", "4500", 10, RptSeq=2),  # again
        cme_row("1", "4501", 10, RptSeq=4, at=1),  # 3 is missing
        cme_row("2", "4500", 1, RptSeq=5, at=2),
        whole,
        cme_row("1", "4501", 10, RptSeq=10, at=4),
    ]
    canonical = normalise_all("cme", rows)
    assert [bad.position for bad in canonical.bad] == [2, 3]
    assert "duplicate" in canonical.bad[0].reason and "RptSeq 3 to 3 are missing" in canonical.bad[1].reason
    assert [event.position for event in canonical.events] == [0, 1, 4, 5, 6]
    assert [trade.side for trade in canonical.trades] == [Side.SELL, None]
    assert decimals(canonical.books[-1].bids) == [(1, 2)]


def test_cmes_event_is_told_when_its_quotes_are_complete():
    entry = {"Symbol": "ESZ5", "MDPriceLevel": 1, "MDUpdateAction": 0, "MDEntrySize": 5}
    bid, offer = entry | {"MDEntryType": "0", "MDEntryPx": "10"}, entry | {"MDEntryType": "1", "MDEntryPx": "11"}
    first = {"TransactTime": NS, "MatchEventIndicator": 0, "NoMDEntries": [bid | {"NumberOfOrders": 4}]}
    last = {"TransactTime": NS, "MatchEventIndicator": 0x84, "NoMDEntries": [offer]}
    canonical = normalise_all("cme", [first, last])
    [book], [waiting] = canonical.events, canonical.unread
    assert (decimals(book.bids), decimals(book.asks), book.position) == ([(10, 5)], [(11, 5)], 1)
    assert book.venue_data["NoMDEntries"][0]["NumberOfOrders"] == 4 and waiting.position == 0


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (cme_row("0", "4500", 1, level=2), "MDPriceLevel", "the book has 0 levels there"),
        (cme_row("0", "4500", 1, level=11), "MDPriceLevel", "levels go from 1 to 10"),
        (cme_row("0", "4500", 1, action=3), "MDUpdateAction", "after it only a whole statement tells the book"),
        (cme_row("2", "4500", 1, AggressorSide=9), "AggressorSide", "it must be one of 0, 1, 2"),
        (cme_row("2", "4500", 0), "MDEntrySize", "it must be positive and below 1e+12"),
    ],
)
def test_cmes_bad_entries_are_named(row, field, reason):
    [bad] = normalise_all("cme", [row]).bad
    assert (bad.field, bad.reason) == (field, reason)


def test_cmes_implied_and_statistics_pass_by_and_a_security_keeps_its_id():
    rows = [cme_row("E", "4500", 1), cme_row("6", "4500", 1), cme_row("2", "4500", 1, SecurityID=1)]
    canonical = normalise_all("cme", rows)
    assert [x.kind for x in canonical.unread] == ["MDEntryType E", "MDEntryType 6"]
    assert (canonical.bad[0].field, canonical.bad[0].reason) == ("SecurityID", "that of ESZ5 was 206299 before")


# --- SGX ------------------------------------------------------------------------------------------------------------


def sgx_row(kind, order, side="B", at=0, **more):
    return {"MessageType": kind, "OrderBookID": 70660, "OrderID": order, "Side": side, "Timestamp": NS + at, **more}


def test_sgxs_orders_add_up_to_levels_and_executions_are_trades():
    rows = [
        {"MessageType": "R", "OrderBookID": 70660, "Symbol": "NKZ5"},
        sgx_row("A", 1, Price=19865, Quantity=5),
        sgx_row("A", 2, Price=19865, Quantity=4),
        sgx_row("A", 1, "S", Price="19870", Quantity=6),  # ids count per side
        sgx_row("E", 2, at=1, ExecutedQuantity=3, MatchID="m1"),
        sgx_row("C", 1, "S", at=2, ExecutedQuantity=6, TradePrice=19868, MatchID="m2"),
        sgx_row("U", 1, at=3, Price=19860, Quantity=9),
        sgx_row("D", 2, at=4),
    ]
    canonical = normalise_all("sgx", rows)
    assert not canonical.bad and [x.kind for x in canonical.unread] == ["MessageType R"]
    deals = [(t.price, t.size, t.side, t.trade_id) for t in canonical.trades]
    assert deals == [(19865, 3, Side.SELL, "m1"), (19868, 6, Side.BUY, "m2")]
    sides = [(decimals(book.bids), decimals(book.asks)) for book in canonical.books]
    assert sides[2:] == [
        ([(19865, 9)], [(19870, 6)]),
        ([(19865, 6)], [(19870, 6)]),
        ([(19865, 6)], []),
        ([(19865, 1), (19860, 9)], []),
        ([(19860, 9)], []),
    ]


def test_sgxs_order_that_was_not_read_is_in_doubt_until_it_is_gone():
    rows = [
        sgx_row("A", 1, Price=10, Quantity=5),
        sgx_row("A", 2, Price=11, Quantity="many"),
        sgx_row("A", 3, at=1, Price=9, Quantity=1),
        sgx_row("E", 1, at=1, ExecutedQuantity=1, MatchID="m"),  # trades go on
        sgx_row("D", 2, at=2),
        sgx_row("D", 7, at=3),
        sgx_row("E", 1, at=4, ExecutedQuantity=1, MatchID="m"),
        sgx_row("A", 4, "S", at=5, Price=12, Quantity=1),
    ]
    canonical = normalise_all("sgx", rows)
    assert [(bad.position, bad.field) for bad in canonical.bad] == [
        (1, "Quantity"),
        (2, ""),
        (3, ""),
        (5, "OrderID"),
        (6, "MatchID"),
    ]
    assert [event.position for event in canonical.events] == [0, 3, 4, 7] and len(canonical.trades) == 1
    assert decimals(canonical.books[-1].bids) == [(10, 4), (9, 1)]


# --- synthetic ------------------------------------------------------------------------------------------------------


PERP = {
    "type": "perp",
    "payload": {
        "ts": MS,
        "symbol": "BTCUSDT",
        "mark": 97005.30,
        "index": 97001.35,
        "last_funding_rate": 0.00035,
        "next_funding_time": MS + 5,
        "src_latency_ms": 0.8,
        "best_bid": 97005.10,
        "best_ask": 97005.50,
        "source_type": "trade",
        "depth_bids": [[97005.1, 2.1], [97004.7, 1.3]],
        "depth_asks": [[97005.5, 1.8]],
    },
}


def test_both_halves_of_the_composite_pair_are_books_that_keep_their_marks():
    spot = {"type": "spot", "payload": {**PERP["payload"], "ts": MS - 1}}
    canonical = normalise_all("synthetic", [PERP, spot, {"payload": json.dumps(spot | {"type": "spot"})}])
    perp, cash = canonical.books
    assert decimals(perp.bids) == [(97005.1, 2.1), (97004.7, 1.3)]
    assert (
        perp.venue_data["mark"] == 97005.3 and perp.venue_data["type"] == "perp" and cash.venue_data["type"] == "spot"
    )
    assert [bad.reason for bad in canonical.bad] == ["a duplicate of row 1"]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"event_type": 5}, "event_type"),
        ({}, "event_type"),
        ({**PERP, "payload": {**PERP["payload"], "best_bid": 97005.2}}, "payload.best_bid"),
        ({"ts": NS, "bid_px": [1.0, None], "bid_sz": [1.0], "ask_px": [], "ask_sz": []}, "bid_sz"),
        ({"ts": NS, "bid_px": [float("nan"), 1.0], "bid_sz": [1.0, 1.0], "ask_px": [], "ask_sz": []}, "bid_px[0]"),
        ({"ts": NS, "px": 1.0, "sz": 1.0, "side": 0}, "side"),
        ({"ts": MS, "px": 1.0, "sz": 1.0, "side": 1}, "ts"),
    ],
)
def test_synthetic_rows_that_make_no_sense_are_named(row, field):
    [bad] = normalise_all("synthetic", [row], "BTCUSDT").bad
    assert bad.field == field


def test_other_synthetic_events_pass_by():
    assert normalise_all("synthetic", [{"event_type": "funding", "rate": 1}]).unread[0].kind == "funding"
