"""Alpaca's core: market data over streams and REST, and what a plan allows."""

from collections import defaultdict

import pytest

from tests.venues.emulator.alpaca_desk import KEY, POOR, RTH, Desk, Ear, S, Side, ns
from venues.aleatoric.dialects.alpaca import rfc3339
from venues.alpaca import market_wire
from venues.emulator.alpaca.config import PLUS, Plan

BTC, ETH, CRM, PLTR = "BTC/USD", "ETH/USD", "CRM", "PLTR"
COINS, IEX, SIP = "/v1beta3/crypto/us", "/v2/iex", "/v2/sip"


@pytest.fixture
def desk():
    return Desk()


def complaint(code, text):
    return [[{"T": "error", "code": code, "msg": text}]]


# --- streams --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_greeting_login_and_subscriptions(desk, packed):
    ear = Ear(desk, COINS, packed)
    assert ear.frames == [[{"T": "success", "msg": "connected"}]] and ear.binary is packed
    assert ear.say(action="subscribe", trades=[BTC]) == complaint(401, "not authenticated")
    assert ear.login() == [[{"T": "success", "msg": "authenticated"}]]
    assert ear.login() == complaint(403, "already authenticated")
    assert ear.say(action="dance") == complaint(400, "invalid syntax")
    (told,) = ear.say(action="subscribe", trades=[BTC], bars=["*"])
    empty = {"quotes": [], "orderbooks": [], "updatedBars": [], "dailyBars": []}
    assert told == [{"T": "subscription", "trades": [BTC], "bars": [BTC, ETH], **empty}]
    (told,) = ear.say(action="unsubscribe", bars=["*"])
    assert told == [{"T": "subscription", "trades": [BTC], "bars": [], **empty}]
    assert ear.say(action="subscribe", trades=["NO/PE"]) == complaint(400, "invalid syntax")
    assert ear.say(action="subscribe", trades=BTC) == complaint(400, "invalid syntax")
    (told,) = (Ear(desk, IEX, packed).login() and [[]]) or [[]]
    assert ear.closed is None


def test_who_does_not_get_in(desk):
    wrong, slow, sip = Ear(desk, COINS), Ear(desk, IEX), Ear(desk, SIP)
    wrong.say(action="auth", key=KEY, secret="no")
    assert wrong.frames[1:] == complaint(402, "auth failed") and wrong.closed == 1000
    sip.login()
    assert sip.frames[1:] == complaint(409, "insufficient subscription") and sip.closed == 1000
    desk.advance(10)
    assert slow.frames[1:] == complaint(404, "auth timeout") and slow.closed == 1000
    rich = Desk(plan=PLUS)
    assert Ear(rich, SIP).login() == [[{"T": "success", "msg": "authenticated"}]]


def test_one_connection_for_each_stream_and_key(desk):
    first, second, other, stranger = Ear(desk, IEX), Ear(desk, IEX), Ear(desk, COINS), Ear(desk, IEX)
    assert first.login() == other.login() == stranger.login(POOR) == [[{"T": "success", "msg": "authenticated"}]]
    second.login()
    assert second.frames[1:] == complaint(406, "connection limit exceeded") and second.closed == 1000
    assert first.closed is None
    first.session.end()
    third = Ear(desk, IEX)
    assert third.login() == [[{"T": "success", "msg": "authenticated"}]]


def test_a_plan_has_only_so_many_names():
    small = Plan(name="small", symbols_max=1, orderbooks_max=1, connections=1, sip=False, requests_per_minute=200)
    desk = Desk(plan=small)
    ear = Ear(desk, COINS)
    ear.login()
    assert ear.say(action="subscribe", trades=[BTC, ETH]) == complaint(405, "symbol limit exceeded")
    assert ear.say(action="subscribe", trades=[BTC], bars=["*"])[0][0]["T"] == "subscription"
    assert ear.say(action="subscribe", quotes=[ETH]) == complaint(405, "symbol limit exceeded")
    assert ear.say(action="subscribe", quotes=[BTC], orderbooks=[ETH])[0][0]["T"] == "subscription"
    assert ear.say(action="subscribe", orderbooks=[BTC]) == complaint(405, "symbol limit exceeded")
    ear.say(action="unsubscribe", trades=[BTC], quotes=[BTC])
    assert ear.say(action="subscribe", quotes=[ETH])[0][0]["quotes"] == [ETH]


@pytest.mark.parametrize("packed", [False, True])
def test_books_are_whole_once_and_then_in_changes(desk, packed):
    ear = Ear(desk, COINS, packed)
    ear.login()
    desk.advance(1)
    _, (whole,) = ear.say(action="subscribe", orderbooks=[BTC])
    assert whole["T"] == "o" and whole["r"] is True and len(whole["b"]) == len(whole["a"]) == 5
    books = {"b": {one["p"]: one["s"] for one in whole["b"]}, "a": {one["p"]: one["s"] for one in whole["a"]}}
    for mid, size in ((66_001.0, 10.0), (66_001.0, 8.0), (65_990.0, 8.0), (65_990.0, 8.0)):
        desk.market.mids[BTC], desk.market.size = mid, size
        desk.advance(0.5)
    changes = ear.heard("o")[1:] if ear.heard("o")[0].get("r") else ear.heard("o")
    assert len(changes) == 3  # the last book was the same again
    for change in changes:
        assert "r" not in change
        for side in ("b", "a"):
            for one in change[side]:
                if one["s"]:
                    books[side][one["p"]] = one["s"]
                else:
                    del books[side][one["p"]]
    now = desk.exchange.tape.books[BTC]
    assert books == {
        "b": {level.price: level.size for level in now.bids},
        "a": {level.price: level.size for level in now.asks},
    }
    late = Ear(desk, COINS, not packed)
    late.login(POOR)
    _, (whole,) = late.say(action="subscribe", orderbooks=[BTC])
    assert {one["p"]: one["s"] for one in whole["b"]} == books["b"]


def test_our_own_reader_understands_every_frame(desk):
    for packed in (False, True):
        ear = Ear(desk, COINS, packed)
        ear.login(KEY if packed else POOR)
        said = {kind: [BTC, ETH] for kind in ("trades", "quotes", "orderbooks", "bars", "dailyBars", "updatedBars")}
        ear.say(action="subscribe", **said)
    for turn in range(140):
        desk.market.mids[BTC] += turn % 7 - 3
        desk.market.trades.append((BTC, desk.market.mids[BTC], 0.000038, Side.BUY))
        desk.advance(0.5)
    kinds = defaultdict(set)
    for key, frames in desk.told.items():
        packed = key.startswith("msgpack/")
        if packed or key.startswith("json/"):
            for frame in frames:
                for heard in market_wire.decode(frame if packed else frame.decode(), 0):
                    kinds[packed].add(type(heard).__name__)
                    assert type(heard).__name__ != "Other", frame
    assert kinds[True] == kinds[False] == {"Trade", "Quote", "BookChange", "Candle"}


def test_quotes_come_when_the_best_changes(desk):
    ear = Ear(desk, IEX)
    ear.login()
    ear.say(action="subscribe", quotes=[CRM], trades=[CRM])
    desk.advance(2)
    assert len(ear.heard("q")) == 1
    desk.market.mids[CRM] = 191.0
    desk.market.trades += [(CRM, 190.99, 3.0, Side.SELL), (CRM, 190.5, 200.0, Side.SELL)]
    desk.advance(1.1)
    quote = ear.heard("q")[-1]
    assert (quote["bp"], quote["ap"], quote["bs"], quote["z"], quote["bx"]) == (190.99, 191.01, 10, "C", "V")
    odd, round_ = ear.heard("t")
    assert (odd["s"], odd["c"], round_["c"], round_["i"] - odd["i"]) == (3, ["@", "I"], ["@"], 1)


def test_shares_are_silent_outside_their_session():
    desk = Desk("2026-01-05T21:30:00+00:00")
    ear = Ear(desk, IEX)
    ear.login()
    ear.say(action="subscribe", quotes=["*"], trades=["*"], bars=["*"])
    before = len(ear.frames)
    desk.advance(130)
    assert len(ear.frames) == before


def test_bars_are_those_of_the_trades():
    desk = Desk("2026-01-05T15:00:00+00:00")
    ear = Ear(desk, COINS)
    ear.login()
    ear.say(action="subscribe", bars=[BTC, ETH], dailyBars=[BTC])
    for price, size in ((66_010.0, 1.0), (66_030.0, 2.0), (65_990.0, 1.0), (66_000.0, 0.5)):
        desk.market.trades.append((BTC, price, size, Side.BUY))
        desk.advance(5)
    desk.advance(60)
    (bar,) = [one for one in ear.heard("b") if one["S"] == BTC]
    assert bar == {
        "T": "b", "S": BTC, "o": 66_010, "h": 66_030, "l": 65_990, "c": 66_000, "v": 4.5, "t": "2026-01-05T15:00:00Z",
        "n": 4, "vw": 66013.3333333333,
    }  # fmt: skip
    quiet = next(one for one in ear.heard("b") if one["S"] == ETH)
    assert (quiet["n"], quiet["v"], quiet["c"]) == (0, 0, 2000)
    assert ear.heard("d")[0]["h"] == 66_030
    rest = desk.get("/v1beta3/crypto/us/bars", symbols=BTC, timeframe="1Min", start="2026-01-05T15:00:00Z")
    told = {name: value for name, value in bar.items() if name not in ("T", "S")}
    assert rest["bars"][BTC][0] == told


# --- bars over REST ---------------------------------------------------------------------------------------------------


def pages(desk, path, **query):
    """Every page of bars, and how many there were."""
    found, count, token = defaultdict(list), 0, None
    while True:
        said = desk.get(path, **query, **({"page_token": token} if token else {}))
        assert sum(map(len, said["bars"].values())) <= int(query.get("limit", 1000))
        for symbol, rows in said["bars"].items():
            found[symbol] += rows
        count, token = count + 1, said["next_page_token"]
        if token is None:
            return dict(found), count


@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize("limit", [7, 60, 121, 10_000])
def test_pages_join_to_the_whole(desk, sort, limit):
    query = {"symbols": f"{ETH},{BTC}", "timeframe": "1Min", "start": "2026-01-05T14:01:00Z", "sort": sort}
    whole, one = pages(desk, "/v1beta3/crypto/us/bars", **query, limit=10_000)
    parts, count = pages(desk, "/v1beta3/crypto/us/bars", **query, limit=limit)
    assert one == 1 and parts == whole and list(whole) == [BTC, ETH]
    assert count == -(-sum(map(len, whole.values())) // limit)
    times = [row["t"] for row in whole[BTC]]
    assert times == sorted(times, reverse=sort == "desc") and len(set(times)) == len(times) == 60


def test_days_of_shares_begin_in_new_york_and_skip_what_was_closed(desk):
    found, _ = pages(desk, "/v2/stocks/bars", symbols=f"{CRM},{PLTR}", timeframe="1Day", start="2025-10-30", limit=10)
    times = [row["t"] for row in found[CRM]]
    assert times[:3] == ["2025-10-30T04:00:00Z", "2025-10-31T04:00:00Z", "2025-11-03T05:00:00Z"]
    assert times[-1] == "2026-01-05T05:00:00Z" or times[-1] == "2026-01-02T05:00:00Z"
    assert not {"2025-11-27T05:00:00Z", "2025-12-25T05:00:00Z", "2026-01-01T05:00:00Z"} & {*times}
    for row in found[CRM]:
        assert row["l"] <= min(row["o"], row["c"]) <= max(row["o"], row["c"]) <= row["h"] and row["v"] > 0


@pytest.mark.parametrize(
    ("start", "last"),
    [
        ("2026-01-05T13:00:00+00:00", "2026-01-02"),  # before the open
        ("2026-01-05T15:00:00+00:00", "2026-01-05"),
        ("2026-01-05T22:00:00+00:00", "2026-01-05"),  # after the close
        ("2026-01-06T02:00:00+00:00", "2026-01-05"),  # after it, and tomorrow in Greenwich
        ("2026-01-10T15:00:00+00:00", "2026-01-09"),  # a Saturday
        ("2026-11-27T19:00:00+00:00", "2026-11-27"),  # after a half day
    ],
)
def test_the_last_day_of_a_share_is_the_last_session(start, last):
    desk = Desk(start)
    desk.market.trades.append((CRM, 190.0, 5.0, Side.BUY))
    desk.advance(61)
    rows = desk.get("/v2/stocks/bars", symbols=CRM, timeframe="1Day", start="2025-10-01", limit=10_000)["bars"][CRM]
    dates = [row["t"][:10] for row in rows]
    assert dates[-1] == last and len(set(dates)) == len(dates) >= 60


def test_what_is_asked_wrongly(desk):
    path = "/v1beta3/crypto/us/bars"
    good = {"symbols": BTC, "timeframe": "1Min"}
    for wrong in ({"timeframe": "7Fun"}, {"limit": 0}, {"limit": 10_001}, {"start": "soon"}, {"symbols": ""},
                  {"page_token": "?"}, {"symbols": "btc"}):  # fmt: skip
        status, said = desk.ask("GET", path, **(good | wrong))
        assert status == 400 and "code" not in said, wrong
    assert desk.get(path, symbols="NO/PE", timeframe="1Min") == {"bars": {}, "next_page_token": None}
    status, said = desk.ask("GET", "/v2/stocks/bars", symbols=CRM, timeframe="1Day", feed="sip")
    assert status == 403 and said["message"] == "subscription does not permit querying recent SIP data"
    old = desk.get("/v2/stocks/bars", symbols=CRM, timeframe="1Day", feed="sip", start="2025-12-01", end="2025-12-31")
    assert len(old["bars"][CRM]) == 21  # a date is midnight UTC, and the last day begins at five


def test_times_are_read_as_clients_write_them(desk):
    path = "/v1beta3/crypto/us/bars"
    whole = desk.get(path, symbols=BTC, timeframe="1Hour", start="2026-01-05T00:00:00Z", end="2026-01-05T12:00:00Z")
    for start in (
        "2026-01-05",
        "2026-01-04T19:00:00-05:00",
        "2026-01-05T00:00:00.000000000Z",
        "2026-01-05T01:00:00 01:00",
    ):
        assert desk.get(path, symbols=BTC, timeframe="1Hour", start=start, end="2026-01-05T12:00:00Z") == whole
    assert len(whole["bars"][BTC]) == 13


def test_snapshots(desk):
    desk.market.trades.append((CRM, 190.0, 5.0, Side.BUY))
    desk.advance(1)
    found = desk.get("/v2/stocks/snapshots", symbols=f"{CRM},{PLTR}")
    assert found[CRM]["latestTrade"]["p"] == 190 and found[CRM]["minuteBar"]["v"] == 5
    assert found[CRM]["dailyBar"]["t"] == "2026-01-05T05:00:00Z" > found[CRM]["prevDailyBar"]["t"]
    assert found[PLTR]["latestTrade"] is None
    coin = desk.get("/v1beta3/crypto/us/snapshots", symbols=BTC)["snapshots"][BTC]
    assert coin["latestQuote"]["bp"] == 65_999 and coin["dailyBar"]["t"] == "2026-01-05T00:00:00Z"


def test_who_knocks_too_often_is_not_let_in(desk):
    assert [desk.doors.admits("1.1.1.1", desk.now_ns + turn) for turn in range(61)] == [True] * 60 + [False]
    assert desk.doors.admits("2.2.2.2", desk.now_ns)
    assert not desk.doors.admits("1.1.1.1", desk.now_ns + 59 * S)
    assert desk.doors.admits("1.1.1.1", desk.now_ns + 61 * S)


def test_the_latest_is_what_the_stream_said_last(desk):
    desk.market.trades.append((BTC, 66_000.5, 0.25, Side.SELL))
    desk.advance(1)
    quote = desk.get("/v1beta3/crypto/us/latest/quotes", symbols=BTC)["quotes"][BTC]
    assert quote == {"bp": 65_999, "bs": 10, "ap": 66_001, "as": 10, "t": quote["t"]}
    trade = desk.get("/v1beta3/crypto/us/latest/trades", symbols=BTC)["trades"][BTC]
    assert (trade["p"], trade["s"], trade["tks"]) == (66000.5, 0.25, "S")
    book = desk.get("/v1beta3/crypto/us/latest/orderbooks", symbols=BTC)["orderbooks"][BTC]
    assert book["b"][0] == {"p": 65_999, "s": 10} and len(book["a"]) == 5
    assert desk.get("/v2/stocks/quotes/latest", symbols=CRM)["quotes"][CRM]["ap"] == 190.01
    assert rfc3339(ns(RTH) + S // 2) < trade["t"] < rfc3339(ns(RTH) + 3 * S)
