"""The operator's own hand: an order at the venue that the daemon knows nothing of, as from the venue's own page."""

from decimal import ROUND_UP, Decimal

import msgspec
from msgspec import Struct

from daemon import emulate
from daemon.soak.place import Place
from supervisor.clock import NS_PER_MS
from venues.emulator.alpaca.doors import AlpacaDoors
from venues.emulator.doors import Ask, Question
from venues.emulator.hyperliquid.doors import HyperliquidDoors
from venues.hyperliquid.actions import Action
from venues.hyperliquid.sign import Chain, Signer
from venues.market import Book

NAME = "hand-"
"""How orders are called that were placed by hand; at Hyperliquid they have no name at all."""
USD = Decimal(25)
"""Worth of such an order: above every venue's least."""


class _Plain(Struct, frozen=True):
    digits: str

    def get_secret_value(self) -> str:
        return self.digits


def by_hand(name: str) -> bool:
    """Whether an order is nobody's but the operator's."""
    return not name or name.startswith(NAME)


def trade(place: Place, symbol: str, *, buys: bool, number: int) -> bool:
    """Buy or sell a little at once; False where there is nothing to trade with."""
    doors = place.emulator.doors
    if isinstance(doors, HyperliquidDoors):
        return _at_hyperliquid(place, doors, symbol, buys=buys)
    assert isinstance(doors, AlpacaDoors)
    return _at_alpaca(place, doors, symbol, number)


def _touch(book: Book | None, *, buys: bool) -> Decimal | None:
    if book is None or not book.bids or not book.asks:
        return None
    return Decimal(str((book.asks if buys else book.bids)[0].price))


def _at_hyperliquid(place: Place, doors: HyperliquidDoors, symbol: str, *, buys: bool) -> bool:
    asset = doors.exchange.listing.assets[symbol]
    price = _touch(doors.exchange._tape.book(symbol), buys=buys)
    if price is None:
        return False
    size = (USD / price).quantize(asset.lot, ROUND_UP)
    order: Action = {"a": asset.id, "b": buys, "p": plain(price), "s": plain(size), "r": False}
    order["t"] = {"limit": {"tif": "Ioc"}}
    action: Action = {"type": "order", "orders": [order], "grouping": "na"}
    signer = Signer(_Plain(emulate.throw_away_key(place.plan.seed)), Chain.TESTNET)
    at_ns = place.emulator.venue_ns()
    body = msgspec.json.decode(signer.l1(action, at_ns // NS_PER_MS + 7).body())
    answer = doors.exchange.exchange(body, at_ns)
    place.emulator.tell()
    return b'"filled"' in answer


def _at_alpaca(place: Place, doors: AlpacaDoors, symbol: str, number: int) -> bool:
    (account,) = doors.exchange.accounts.values()
    price = _touch(doors.exchange.tape.books.get(symbol), buys=True)
    if price is None:
        return False
    coins = "/" in symbol
    size = (USD / price).quantize(Decimal("0.000001")) if coins else Decimal(1)
    body = {
        "symbol": symbol,
        "qty": plain(size),
        "side": "buy",
        "type": "market",
        "time_in_force": "gtc" if coins else "day",
        "client_order_id": f"{NAME}{number}",
    }
    headers = {"APCA-API-KEY-ID": account.config.key_id, "APCA-API-SECRET-KEY": account.config.secret}
    asked = doors.understand(Ask("POST", "/v2/orders", {}, headers, msgspec.json.encode(body), "127.0.0.1"))
    if not isinstance(asked, Question):
        return False
    status = doors.answer(asked, place.emulator.venue_ns()).status
    place.emulator.tell()
    return status == 200


def plain(number: Decimal) -> str:
    """A number without an exponent or trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
