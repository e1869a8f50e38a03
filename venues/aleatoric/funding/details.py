"""What each exchange's adapter can do, as data: the seed's get_venue_details and GET /mcp/venues/{exchange}."""

from msgspec import Struct

from venues.aleatoric.funding.figures import PROFILES, RULES, rule_of
from venues.aleatoric.funding.rules import FundingRule


class VenueDetails(Struct, frozen=True, kw_only=True):
    """One exchange: what it trades, which of its frames are made, what is read of it, and how it pays funding."""

    exchange: str
    title: str
    products: tuple[str, ...]
    symbol_example: str
    session: str
    frames: tuple[str, ...]  # that our dialect writes; none: only canonical events
    normalizes: bool  # whether its events can be turned into canonical ones
    funding: dict[str, FundingRule]  # by profile


_DETAILS = {
    "binance": ("Binance", ("spot", "perpetual"), "BTCUSDT", "always"),
    "hyperliquid": ("Hyperliquid", ("spot", "perpetual", "HIP-3 perpetual"), "BTC", "always"),
    "okx": ("OKX", ("spot", "perpetual"), "BTC-USDT-SWAP", "always"),
    "bybit": ("Bybit", ("spot", "perpetual"), "BTCUSDT", "always"),
    "cme": ("CME", ("dated future",), "BTC", "CME Globex"),
    "sgx": ("SGX", ("perpetual",), "BTC", "SGX T and T+1"),
}
_FRAMES: dict[str, tuple[str, ...]] = {
    "binance": ("depthUpdate", "depth5/10/20", "aggTrade", "bookTicker", "markPriceUpdate"),
    "hyperliquid": ("l2Book", "l2Book fast", "bbo", "trades", "candle", "activeAssetCtx"),
    "okx": ("books", "books5", "bbo-tbt", "trades"),
    "bybit": ("orderbook.50", "orderbook.200", "publicTrade"),
}
_NORMALIZED = frozenset({"binance", "hyperliquid", "cme", "sgx"})  # the page's "supported sources"


def venue_details(exchange: str) -> VenueDetails:
    """What is known of an exchange. Raises ValueError for one that has no funding rule here."""
    rule_of(exchange)
    title, products, symbol, session = _DETAILS[exchange]
    return VenueDetails(
        exchange=exchange,
        title=title,
        products=products,
        symbol_example=symbol,
        session=session,
        frames=_FRAMES.get(exchange, ()),
        normalizes=exchange in _NORMALIZED,
        funding={profile: RULES[exchange, profile] for profile in PROFILES},
    )
