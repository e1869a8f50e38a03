"""Frames and answers as the venue writes them, of our own making; what tests are built from, and fuzz damages."""

import json
from pathlib import Path

WIRE = Path(__file__).resolve().parents[4] / "shared" / "data" / "wire"
USER = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
CLOID = "0x0123456789abcdef0123456789abcdef"

FILL = {
    "coin": "ETH",
    "px": "3120.5",
    "sz": "0.25",
    "side": "A",
    "time": 1790000000123,
    "startPosition": "0.75",
    "dir": "Close Long",
    "closedPnl": "-1.25",
    "hash": "0x" + "ab" * 32,
    "oid": 57118842020,
    "crossed": True,
    "fee": "0.351056",
    "tid": 918273645546372,
    "feeToken": "USDC",
}
BUILT = FILL | {"coin": "xyz:TSLA", "side": "B", "fee": "-0.02", "builderFee": "0.01", "tid": 5, "cloid": CLOID}
LIQUIDATED = FILL | {
    "tid": 6,
    "cloid": None,
    "twapId": None,
    "liquidation": {"liquidatedUser": USER, "markPx": "3118.0", "method": "market"},
}
SPOT = FILL | {"coin": "@151", "dir": "Buy", "tid": 7, "feeToken": "HYPE", "closedPnl": "0.0"}
NAMED_SPOT = SPOT | {"coin": "PURR/USDC", "tid": 8, "oid": 3}
DUST = SPOT | {"dir": "Spot Dust Conversion", "tid": 0, "oid": 0, "sz": "0.0", "px": "0.0"}

ORDER = {
    "coin": "BTC",
    "side": "B",
    "limitPx": "61795.0",
    "sz": "0.00037",
    "oid": 57118842019,
    "timestamp": 1790000000100,
    "origSz": "0.00037",
    "cloid": CLOID,
}
FRONTEND = ORDER | {
    "triggerCondition": "N/A",
    "isTrigger": False,
    "triggerPx": "0.0",
    "children": [],
    "isPositionTpsl": False,
    "reduceOnly": True,
    "orderType": "Limit",
    "tif": "Alo",
}


def frame(channel, data):
    """As it comes over the socket."""
    return json.dumps({"channel": channel, "data": data}, separators=(",", ":")).encode()


def update(status, **fields):
    """A row of orderUpdates."""
    return {"order": ORDER | fields, "status": status, "statusTimestamp": 1790000000200}


FUNDING = {"time": 1790000000050, "coin": "ETH", "usdc": "-0.017", "szi": "0.5", "fundingRate": "0.0000125"}
CONTEXT = {
    "funding": "0.0000125",
    "openInterest": "25877.14",
    "prevDayPx": "61000.0",
    "dayNtlVlm": "36773550.5",
    "premium": "-0.0002",
    "oraclePx": "61106.0",
    "markPx": "61080.0",
    "midPx": "61079.5",
    "impactPxs": ["61079.0", "61080.0"],
    "dayBaseVlm": "620.9",
}
LEVELS = [[{"px": f"{61000 - i}.0", "sz": "0.25", "n": 2} for i in range(5)], [{"px": "61001.0", "sz": "1.0", "n": 1}]]
CANDLE = {"t": 1790000040000, "T": 1790000099999, "s": "BTC", "i": "1m", "o": "1.0", "c": "1.5", "h": "2.0", "l": "0.5"}
TRADE = {"coin": "BTC", "side": "A", "px": "61000.0", "sz": "0.1", "time": 1790000000001, "hash": "0x0", "tid": 9}

FRAMES = {
    "l2Book": frame("l2Book", {"coin": "BTC", "time": 1790000000000, "levels": LEVELS}),
    "l2Book fast": frame("l2Book", {"coin": "BTC", "time": 1790000000000, "levels": LEVELS, "fast": True}),
    "trades": frame("trades", [TRADE, TRADE | {"side": "B"}]),
    "bbo": frame("bbo", {"coin": "BTC", "time": 1790000000000, "bbo": [LEVELS[0][0], None]}),
    "candle": frame("candle", CANDLE | {"v": "12.5", "n": 7}),
    "activeAssetCtx": frame("activeAssetCtx", {"coin": "BTC", "ctx": CONTEXT}),
    "snapshot": frame("userFills", {"isSnapshot": True, "user": USER, "fills": [FILL, BUILT, LIQUIDATED, SPOT, DUST]}),
    "fills": frame("userFills", {"user": USER, "fills": [FILL, NAMED_SPOT]}),
    "orders": frame("orderUpdates", [update("open"), update("filled", sz="0.0"), update("badAloPxRejected")]),
    "event fills": frame("user", {"fills": [FILL]}),
    "event funding": frame("user", {"funding": FUNDING}),
    "event cancels": frame("user", {"nonUserCancel": [{"coin": "BTC", "oid": 5}]}),
    "event liquidation": frame(
        "user",
        {
            "liquidation": {
                "lid": 1,
                "liquidator": USER,
                "liquidated_user": USER,
                "liquidated_ntl_pos": "100.5",
                "liquidated_account_value": "-1.5",
            }
        },
    ),
    "event other": frame("user", {"twapSliceFills": []}),
    "fundings": frame("userFundings", {"isSnapshot": True, "user": USER, "fundings": [FUNDING | {"nSamples": 1}]}),
    "ack": frame("subscriptionResponse", {"method": "subscribe", "subscription": {"type": "userFills", "user": USER}}),
    "pong": b'{"channel":"pong"}',
    "error": frame("error", "Already subscribed: {}"),
    "post info": frame(
        "post",
        {
            "id": 7,
            "response": {
                "type": "info",
                "payload": {"type": "l2Book", "data": {"coin": "BTC", "time": 1790000000000, "levels": LEVELS}},
            },
        },
    ),
    "post error": frame("post", {"id": 8, "response": {"type": "error", "payload": "429 Too Many Requests"}}),
    "unread": frame("allMids", {"mids": {"BTC": "1.0"}}),
    "greeting": b"Websocket connection established.",
}
"""A frame of every kind that is read, and of some that are not."""

LISTED = {"szDecimals": 5, "name": "BTC", "maxLeverage": 40, "marginTableId": 56}
META = {"universe": [LISTED, LISTED | {"name": "MATIC", "isDelisted": True}], "collateralToken": 0}
MARGIN = {"accountValue": "13.1", "totalNtlPos": "20.0", "totalRawUsd": "-7.0", "totalMarginUsed": "2.0"}
POSITION = {
    "coin": "xyz:TSLA",
    "szi": "-0.05",
    "entryPx": "399.42",
    "leverage": {"type": "isolated", "value": 5, "rawUsd": "23.9"},
    "liquidationPx": None,
    "marginUsed": "3.99",
    "maxLeverage": 10,
    "positionValue": "19.97",
    "returnOnEquity": "0.01",
    "unrealizedPnl": "0.001",
    "cumFunding": {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"},
}
STATE = {
    "assetPositions": [{"type": "oneWay", "position": POSITION}],
    "marginSummary": MARGIN,
    "crossMarginSummary": MARGIN,
    "crossMaintenanceMarginUsed": "0.0",
    "withdrawable": "11.1",
    "time": 1790000000000,
}
ANSWERS = {
    "meta": META,
    "metaAndAssetCtxs": [META, [CONTEXT, CONTEXT | {"midPx": None, "premium": None, "impactPxs": None}]],
    "perpDexs": [None, {"name": "xyz", "fullName": "XYZ", "deployer": USER, "oracleUpdater": None}],
    "spotMeta": {
        "universe": [{"tokens": [1, 0], "name": "PURR/USDC", "index": 0, "isCanonical": True}],
        "tokens": [
            {"name": "USDC", "szDecimals": 8, "weiDecimals": 8, "index": 0, "tokenId": "0x6d", "fullName": None}
        ],
    },
    "allMids": {"BTC": "61000.5", "@151": "0.00001", "xyz:TSLA": "400.0"},
    "l2Book": {"coin": "BTC", "time": 1790000000000, "levels": LEVELS},
    "candleSnapshot": [CANDLE | {"v": "12.5", "n": 7}],
    "fundingHistory": [{"coin": "BTC", "fundingRate": "-0.0006", "premium": "-0.0009", "time": 1790000000048}],
    "exchangeStatus": {"time": 1790000000048, "specialStatuses": None},
    "clearinghouseState": STATE,
    "openOrders": [{key: ORDER[key] for key in ("coin", "limitPx", "oid", "side", "sz", "timestamp")}],
    "frontendOpenOrders": [FRONTEND, FRONTEND | {"cloid": None, "tif": None}],
    "orderStatus": {
        "status": "order",
        "order": {"order": FRONTEND, "status": "canceled", "statusTimestamp": 1790000000300},
    },
    "userFills": [FILL, BUILT, LIQUIDATED, SPOT, NAMED_SPOT, DUST],
    "userFillsByTime": [FILL],
    "historicalOrders": [{"order": FRONTEND, "status": "iocCancelRejected", "statusTimestamp": 1790000000300}],
    "userFunding": [
        {
            "time": 1790000000050,
            "hash": "0x0",
            "delta": {key: FUNDING[key] for key in ("coin", "usdc", "szi", "fundingRate")} | {"type": "funding"},
        }
    ],
    "userNonFundingLedgerUpdates": [
        {"time": 1790000000050, "hash": "0x0", "delta": {"type": "deposit", "usdc": "100.0"}}
    ],
    "userRateLimit": {"cumVlm": "1234.5", "nRequestsUsed": 10, "nRequestsCap": 11234, "nRequestsSurplus": 0},
    "userFees": {
        "userCrossRate": "0.00045",
        "userAddRate": "0.00015",
        "userSpotCrossRate": "0.0007",
        "dailyUserVlm": [],
    },
    "userRole": {"role": "agent", "data": {"user": USER}},
    "extraAgents": [{"name": "obid", "address": USER, "validUntil": 1799999999999}],
}
"""An answer to every request."""
