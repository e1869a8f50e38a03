"""Good rows of every source, made here, for the tests of canonicalisation: each stands for itself."""

START_MS = 1_750_000_000_000
NS_PER_MS = 1_000_000


def synthetic(count):
    """Books and trades by turns, as the generator's API says them."""
    for i in range(count):
        at = {"timestamp_ms": START_MS + 100 * i, "capture_time_ms": START_MS + 100 * i + 2, "symbol": "BTC"}
        if i % 2:
            deal = {"side": ("buy", "sell")[i % 4 // 2], "price": 25000.5 + i, "size": 0.1, "trade_id": f"trd_{i}"}
            yield {"event_type": "trade", **at, **deal, "notional_usd": 2500.0}
        else:
            bids = [{"price": 24999.5 + i, "size": 1.2}, {"price": 24999.0 + i, "size": 0.3}]
            asks = [{"price": 25000.5 + i, "size": 0.8}]
            yield {"event_type": "book", **at, "bids": bids, "asks": asks, "best_bid": 24999.5 + i, "spread_bps": 4.0}


def hyperliquid(count):
    """Books and trades by turns, as frames."""
    for i in range(count):
        if i % 2:
            trade = {"coin": "BTC", "side": "BA"[i % 4 // 2], "px": f"105056.{i}", "sz": "0.00219"}
            trade |= {"time": START_MS + 100 * i, "hash": f"0x{i:064x}", "tid": 1000 + i, "users": ["0xa", "0xb"]}
            yield {"channel": "trades", "data": [trade]}
        else:
            bids = [{"px": "105055.0", "sz": f"3.{i + 1}", "n": 5}, {"px": "105054.0", "sz": "0.1428", "n": 1}]
            asks = [{"px": "105056.0", "sz": "1.5", "n": 2}]
            yield {"channel": "l2Book", "data": {"coin": "BTC", "time": START_MS + 100 * i, "levels": [bids, asks]}}


def binance(count):
    """The best bid and ask, and trades, by turns."""
    for i in range(count):
        at = {"E": START_MS + 100 * i + 1, "T": START_MS + 100 * i, "s": "BTCUSDT"}
        if i % 2:
            yield {"e": "aggTrade", **at, "a": 500 + i, "p": "61800.30", "q": "0.006", "f": i, "l": i, "m": i % 4 == 1}
        else:
            touch = {"u": 9000 + i, "b": "61800.20", "B": f"2.{i + 1}", "a": "61800.30", "A": "2.51"}
            yield {"stream": "btcusdt@bookTicker", "data": {"e": "bookTicker", **at, **touch}}


def cme(count):
    """Both sides stated as a whole, and trade summaries, by turns."""
    for i in range(count):
        at = {"TransactTime": (START_MS + 100 * i) * NS_PER_MS, "SecurityID": 206299}
        if i % 2:
            deal = {"MDEntryType": "2", "MDEntryPx": "4500.25", "MDEntrySize": 3, "AggressorSide": 1 + i % 4 // 2}
            yield {**at, **deal, "MDUpdateAction": 0, "NumberOfOrders": 2}
        else:
            bid = {"MDEntryType": "0", "MDEntryPx": "4500.00", "MDEntrySize": 10 + i, "MDPriceLevel": 1}
            offer = {"MDEntryType": "1", "MDEntryPx": "4500.25", "MDEntrySize": 12, "MDPriceLevel": 1}
            yield {**at, "MsgType": "W", "NoMDEntries": [bid, offer]}


def sgx(count):
    """Whole books and trades by turns."""
    for i in range(count):
        at = {"OrderBookID": 70660, "Timestamp": (START_MS + 100 * i) * NS_PER_MS}
        if i % 2:
            yield {**at, "Price": "19870", "Quantity": 2, "DealID": f"D{i}", "Side": "BS"[i % 4 // 2]}
        else:
            sides = {"Bids": [{"Price": 19865, "Quantity": 5 + i}], "Asks": [{"Price": 19870, "Quantity": 7}]}
            yield {**at, **sides, "State": "OPEN"}


ROWS = {"synthetic": synthetic, "hyperliquid": hyperliquid, "binance": binance, "cme": cme, "sgx": sgx}
SYMBOLS = {"synthetic": "BTC", "hyperliquid": "BTC", "binance": "BTCUSDT", "cme": "ESZ5", "sgx": "NKZ5"}

NUMBERS = {  # paths of prices and sizes: (of a book row, of a trade row)
    "synthetic": (["bids", 1, "size"], ["price"]),
    "hyperliquid": (["data", "levels", 0, 1, "sz"], ["data", 0, "px"]),
    "binance": (["data", "A"], ["q"]),
    "cme": (["NoMDEntries", 1, "MDEntryPx"], ["MDEntrySize"]),
    "sgx": (["Bids", 0, "Price"], ["Quantity"]),
}
TIMES = {
    "synthetic": (["timestamp_ms"], ["timestamp_ms"]),
    "hyperliquid": (["data", "time"], ["data", 0, "time"]),
    "binance": (["data", "T"], ["T"]),
    "cme": (["TransactTime"], ["TransactTime"]),
    "sgx": (["Timestamp"], ["Timestamp"]),
}


def put(row, path, value):
    """The row with another value at a path."""
    step, *rest = path
    copy = dict(row) if isinstance(row, dict) else list(row)
    copy[step] = put(row[step], rest, value) if rest else value
    return copy


def dotted(path):
    """A path as reports write it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
