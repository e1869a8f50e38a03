"""Every recorded Hyperliquid frame and answer on this machine is read, to the facts that its folder states.

All files are listed and counted: one that nobody here reads is named below with the reason, and a new one fails.
"""

import gzip
import json
from collections import Counter
from decimal import Decimal
from functools import cache

import pytest

from tests.venues.hyperliquid.cassettes import exchanges
from tests.venues.hyperliquid.said import WIRE
from venues.hyperliquid import info
from venues.hyperliquid.account_wire import Fate, OrderUpdates, UserFills
from venues.hyperliquid.meta import assets_of
from venues.hyperliquid.wire import AssetContext, Bbo, Complaint, Other, Pong, Subscribed, decode
from venues.market import Book

NOW_NS = 1_800_000_000_000_000_000
NOT_READ = {
    "format_shared.json": "a table of prices, which test_grid reads",
    "signing_shared.json": "signatures, which test_sign reads",
    "allmids.yaml": "a schema, no recording",
    "assetctxs.yaml": "a schema, no recording",
    "candle.yaml": "a schema, no recording",
    "l2book.yaml": "a schema, no recording",
    "userstate.yaml": "a schema, no recording",
}
NOT_ASKED = {"delegatorHistory", "portfolio", "userTwapSliceFills", "userVaultEquities"}
"""Requests that a trading account has no use for; their answers are looked at as the facts do, without a type."""

if not WIRE.is_dir():
    pytest.skip(f"no recorded frames at {WIRE}", allow_module_level=True)

FILES = sorted(path for path in WIRE.rglob("*") if path.is_file() and "hyperliquid" in path.parent.parts[-4:])
FILES = [path for path in FILES if path.relative_to(WIRE).parts[1] == "hyperliquid"]


def ask_of(body):
    """The request of a recording, as we would make it."""
    kind = body["type"]
    user, dex, start, end = (body.get(name) for name in ("user", "dex", "startTime", "endTime"))
    req = body.get("req", {})
    made = {
        "meta": lambda: info.meta(dex or ""),
        "metaAndAssetCtxs": lambda: info.meta_and_contexts(dex or ""),
        "perpDexs": info.perp_dexs,
        "spotMeta": info.spot_meta,
        "allMids": lambda: info.all_mids(dex or ""),
        "l2Book": lambda: info.l2_book(body["coin"]),
        "candleSnapshot": lambda: info.candle_snapshot(req["coin"], req["interval"], req["startTime"], req["endTime"]),
        "fundingHistory": lambda: info.funding_history(body["coin"], start, end),
        "clearinghouseState": lambda: info.clearinghouse_state(user, dex or ""),
        "openOrders": lambda: info.open_orders(user),
        "frontendOpenOrders": lambda: info.frontend_open_orders(user),
        "userFills": lambda: info.user_fills(user),
        "userFillsByTime": lambda: info.user_fills_by_time(user, start, end),
        "historicalOrders": lambda: info.historical_orders(user),
        "userFunding": lambda: info.user_funding(user, start, end),
        "userNonFundingLedgerUpdates": lambda: info.ledger_updates(user, start, end),
        "userRateLimit": lambda: info.user_rate_limit(user),
        "userRole": lambda: info.user_role(user),
        "extraAgents": lambda: info.extra_agents(user),
    }
    ask = made[kind]()
    assert ask.body == {name: value for name, value in body.items() if value not in (None, "")}
    return ask


@cache
def recordings():
    return [
        exchange
        for path in FILES
        if path.suffix == ".yaml" and path.name not in NOT_READ
        for exchange in exchanges(path)
    ]


def frames():
    """(where, frame) of all that came over a socket, and REST bodies of the same captures."""
    for path in FILES:
        if path.suffix == ".gz":
            for number, line in enumerate(gzip.decompress(path.read_bytes()).splitlines()):
                yield f"{path.name}:{number}", line.split(b" ", 1)[1]
        elif path.suffix == ".jsonl" and path.name != "_facts.jsonl":
            for line in map(json.loads, path.read_text().splitlines()):
                raw = line["raw"] if "raw" in line else json.dumps(line["message"])
                yield line.get("name") or f"{path.name}:{line['n']}", raw.encode()


def test_no_file_is_passed_over():
    kinds = Counter(path.suffix for path in FILES if path.name not in NOT_READ)
    assert kinds.keys() == {".yaml", ".gz", ".jsonl"}, [str(path) for path in FILES]
    assert len(FILES) == sum(kinds.values()) + len(NOT_READ)
    listed = [line.split("\t") for line in (WIRE / "INDEX.tsv").read_text().splitlines()[1:]]
    assert len(FILES) == sum(row[3] == "hyperliquid" for row in listed)


def test_every_recorded_answer_is_read_and_its_numbers_are_kept():
    seen = Counter()
    for where, asked, answered in recordings():
        body = json.loads(asked)
        if "action" in body:
            seen["/exchange"] += 1  # test_answers judges what they mean
            assert json.loads(answered)["status"] in ("ok", "err"), where
            continue
        seen[body["type"]] += 1
        if body["type"] in NOT_ASKED:
            assert isinstance(json.loads(answered), list), where
            continue
        ask = ask_of(body)
        heard = ask.read(answered, NOW_NS)
        said = json.loads(answered)
        assert heard is not None, where
        if isinstance(said, list) and body["type"] not in ("metaAndAssetCtxs",):
            assert len(heard) == len(said), where
        assert 2 <= ask.weight(heard) <= ask.weight_max, where
        same_numbers(body["type"], heard, said)
    recorded = sum(1 for _ in recordings())
    assert sum(seen.values()) == recorded >= 47
    assert len(seen) >= 24
    assert seen["/exchange"] >= 5


def plain(number):
    """Every digit, no exponent: as the venue writes it."""
    return f"{number:f}"


def same_numbers(kind, heard, said):
    """What is read is what is written, number for number, on the rows that money is made of."""
    match kind:
        case "userFills" | "userFillsByTime":
            for fill, row in zip(heard, said, strict=True):
                assert [plain(fill.price), plain(fill.size), plain(fill.fee)] == [row["px"], row["sz"], row["fee"]]
                assert (fill.side_code, fill.oid, fill.time_ms) == (row["side"], row["oid"], row["time"])
            assert len({fill.id for fill in heard}) == len(said)
        case "openOrders" | "frontendOpenOrders":
            assert [plain(order.price) for order in heard] == [row["limitPx"] for row in said]
            assert [plain(order.size_left) for order in heard] == [row["sz"] for row in said]
        case "historicalOrders":
            assert [update.status for update in heard] == [row["status"] for row in said]
        case "clearinghouseState":
            assert plain(heard.margin_summary.account_value) == said["marginSummary"]["accountValue"]
            held = [(row.position.coin, plain(row.position.size)) for row in heard.asset_positions]
            assert held == [(row["position"]["coin"], row["position"]["szi"]) for row in said["assetPositions"]]
        case "candleSnapshot":
            assert [candle.bar.close for candle in heard] == [float(row["c"]) for row in said]
        case "fundingHistory":
            assert [plain(row.funding_rate) for row in heard] == [row["fundingRate"] for row in said]
        case "userFunding":
            assert [plain(row.usd) for row in heard] == [row["delta"]["usdc"] for row in said]
        case "metaAndAssetCtxs":
            assert [asset.name for asset in heard.meta.universe] == [row["name"] for row in said[0]["universe"]]
            assert [context.mark for context in heard.contexts] == [float(row["markPx"]) for row in said[1]]
        case "meta":
            assert [asset.sz_decimals for asset in heard.universe] == [row["szDecimals"] for row in said["universe"]]


def test_the_facts_that_the_sdk_states_hold():
    """_facts.jsonl, each by hand: what its tests assert of the answers they recorded."""
    answers = {}
    for where, asked, answered in recordings():
        if where.startswith("test_"):
            answers[where.rsplit(":", 1)[0].removesuffix(".yaml"), json.loads(asked)["type"]] = (asked, answered)

    def heard(test, kind):
        asked, answered = answers.pop((test, kind))
        return ask_of(json.loads(asked)).read(answered, NOW_NS)

    state = heard("test_get_user_state", "clearinghouseState")
    assert (len(state.asset_positions), state.margin_summary.account_value) == (12, Decimal("1182.312496"))
    assert len(heard("test_get_open_orders", "openOrders")) == 196
    triggers = heard("test_get_frontend_open_orders", "frontendOpenOrders")
    assert (len(triggers), triggers[0].is_trigger, triggers[0].kind) == (3, True, "Take Profit Market")
    assert {"BTC", "ETH", "ATOM", "MATIC"} <= heard("test_get_all_mids", "allMids").keys()
    assert heard("test_get_user_fills", "userFills")[0].crossed is True
    assert len(heard("test_get_user_fills_by_time", "userFillsByTime")) == 500
    universe = heard("test_get_info", "meta").universe
    assert (len(universe), universe[0].name, universe[0].sz_decimals) == (28, "BTC", 5)
    for which in ("1684811870000", "None"):
        rates = heard(f"test_get_funding_history[{which}]", "fundingHistory")
        assert rates[0].coin == "BTC"
        assert len(rates) == {"1684811870000": 34, "None": 1038}[which]
        assert len(heard(f"test_get_funding_history[{which}]", "meta").universe) == 28
    book = heard("test_get_l2_snapshot", "l2Book")
    assert (book.symbol, len(book.bids), len(book.asks)) == ("DYDX", 20, 20)
    assert heard("test_get_l2_snapshot", "meta") == heard("test_get_candles_snapshot", "meta")
    candles = heard("test_get_candles_snapshot", "candleSnapshot")
    assert (len(candles), {candle.bar.interval_ns for candle in candles}) == (24, {3_600_000_000_000})
    for which, rows in (("with", 13), ("without", 218)):
        assert len(heard(f"test_user_funding_history_{which}_end_time", "userFunding")) == rows
    orders = heard("test_historical_orders", "historicalOrders")
    assert [update.fate for update in orders] == [Fate.REJECTED] * 3 + [Fate.OVER] * 2
    assert {update.order.cloid for update in orders} == {None}
    for which, rows in (("with", 0), ("without", 5)):
        test = f"test_user_non_funding_ledger_updates_{which}_end_time"
        assert len(heard(test, "userNonFundingLedgerUpdates")) == rows
    assert heard("test_user_role", "userRole").role == "vault"
    limit = heard("test_user_rate_limit", "userRateLimit")
    assert limit.n_requests_cap == 10_000 + int(limit.cum_vlm)
    agents = heard("test_extra_agents", "extraAgents")
    assert [(agent.name, agent.valid_until) for agent in agents] == [("ok", 1767776120478), ("new", 1771174068515)]
    assert {kind for _, kind in answers} == NOT_ASKED
    facts = [path for path in FILES if path.name == "_facts.jsonl"]
    stated = {json.loads(line)["test"] for path in facts for line in path.read_text().splitlines()}
    known = {where.rsplit(":", 1)[0].removesuffix(".yaml").split("[")[0] for where, _, _ in recordings()}
    assert stated <= known


def test_builder_dexs_as_recorded_have_the_ids_of_the_page():
    answers = [(json.loads(asked), answered) for _, asked, answered in recordings()]
    dexs = next(info.perp_dexs().read(answered) for asked, answered in answers if asked.get("type") == "perpDexs")
    both = [asked for asked in answers if asked[0].get("type") == "metaAndAssetCtxs" and "dex" in asked[0]]
    metas = {asked["dex"]: ask_of(asked).read(answered, NOW_NS).meta for asked, answered in both}
    assets = assets_of(dexs, metas)
    assert [dex and dex.name for dex in dexs][:3] == [None, "xyz", "flx"]
    assert len(assets) == 228 + 43
    assert (assets["BTC"].asset_id, assets["xyz:XYZ100"].asset_id, assets["xyz:TSLA"].asset_id) == (0, 110000, 110001)
    delisted = [asset for asset in assets.values() if asset.dex == "xyz" and asset.delisted]
    assert "xyz:COST" in {asset.name for asset in delisted}
    assert len({asset.asset_id for asset in assets.values()}) == len(assets)
    assert all(asset.isolated_only for asset in assets.values() if asset.dex == "xyz")


def test_every_recorded_frame_is_read():
    seen = Counter()
    heard_as = {
        "l2Book": Book,
        "trades": tuple,
        "bbo": Bbo,
        "activeAssetCtx": AssetContext,
        "subscriptionResponse": Subscribed,
        "pong": Pong,
        "error": Complaint,
        "userFills": UserFills,
        "orderUpdates": OrderUpdates,
        "activeSpotAssetCtx": Other,
    }
    for where, raw in frames():
        said = json.loads(raw)
        if isinstance(said, dict) and "channel" in said:
            assert type(decode(raw, NOW_NS)) is heard_as[said["channel"]], where
            seen[said["channel"]] += 1
        else:
            kind = where.split("_")[0]
            ask = {
                "clearinghouseState": info.clearinghouse_state("0x"),
                "frontendOpenOrders": info.frontend_open_orders("0x"),
                "meta": info.meta(),
            }[kind]
            same_numbers(kind, ask.read(raw, NOW_NS), said)
            seen[kind] += 1
    assert sum(seen.values()) >= 46
    assert seen.keys() == heard_as.keys() | {"clearinghouseState", "frontendOpenOrders", "meta"}


def test_account_frames_are_what_their_notes_say():
    raw = dict(frames())
    snapshot = decode(raw["userFills_empty_snapshot"], NOW_NS)
    assert (snapshot.snapshot, snapshot.fills) == (True, ())
    placed = decode(raw["orderUpdates_open"], NOW_NS).updates[0]
    gone = decode(raw["orderUpdates_canceled"], NOW_NS).updates[0]
    assert (placed.fate, gone.fate) == (Fate.OPEN, Fate.OVER)
    assert placed.order.oid > 2**32
    assert gone.order.size_left == gone.order.size == Decimal("0.00037")
    (resting,) = info.frontend_open_orders("0x").read(raw["frontendOpenOrders_one"])
    assert resting.cloid == placed.order.cloid
    assert info.clearinghouse_state("0x").read(raw["clearinghouseState_flat"]).asset_positions == ()
