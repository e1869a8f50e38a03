"""Market vocabulary: what a venue says and what it is asked.

Every message is frozen. Prices of a book are floats as the venue printed them, because books feed signals; whatever is
ordered, filled or booked is integers: prices in ticks, sizes in lots, money in minor units of a millionth of a dollar.
Times are nanoseconds since 1970-01-01 UTC: `at_ns` is the venue's stamp, `received_ns` our clock when it arrived.
"""

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cache
from typing import Annotated, Literal

from msgspec import Meta, Struct

from supervisor.clock import NS_PER_S

MINOR_PER_USD = 1_000_000
"""Money is counted in millionths of a dollar: Hyperliquid's tick times its lot is exactly that (6 decimals in all)."""

PRICE_MAX = 1e12
"""No quoted price or size reaches this; a larger number on the wire is damage. It also refuses inf and nan."""

AHEAD_NS_MAX = 60 * NS_PER_S
"""A stamp this far ahead of its arrival is a wrong clock: believed, it would close every bar until then, and what comes
after it would be behind it for as long."""

Positive = Annotated[float, Meta(gt=0, lt=PRICE_MAX)]


class Side(StrEnum):
    """Which way an order or an aggressor goes."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


def side_of(lots: int) -> Side:
    """The side that a signed number of lots stands for; zero is nobody's side and raises ValueError."""
    if lots == 0:
        raise ValueError("lots is 0, which is neither a buy nor a sell")
    return Side.BUY if lots > 0 else Side.SELL


class TimeInForce(StrEnum):
    """How long an order may wait, in Hyperliquid's terms."""

    ALO = "alo"  # add liquidity only: refused if it would match at once (post-only)
    IOC = "ioc"  # immediate or cancel: what does not match at once is cancelled
    GTC = "gtc"  # good till cancelled: matches what it can, the rest waits in the book


class Instrument(Struct, frozen=True, kw_only=True):
    """One tradable name at one venue, with the rules its prices and sizes obey."""

    symbol: str  # the venue's own name, exact case: BTC, kSHIB, xyz:TSLA, BTC/USD, COST
    engine: str  # the profile that trades it: perps, crypto, equities
    tick: Decimal  # finest price step; prices are whole multiples of it
    lot: Decimal  # finest size step; sizes are whole multiples of it
    price_figures_max: int | None = None  # significant figures of a price unless it is whole (Hyperliquid: 5)
    notional_min_usd: Decimal = Decimal(10)  # the venue refuses smaller orders
    shortable: bool = True
    leverage: int = 1  # initial margin is notional / leverage
    isolated: bool = False  # HIP-3 names refuse cross margin
    sector: str = ""  # empty where sectors mean nothing
    asset_class: str = "native"  # native | hip3 | spot | equity: chooses the urgency route
    multiplier: Decimal = Decimal(1)  # units of the underlying in one unit of size

    def ticks(self, price: float | Decimal) -> int:
        """The price in ticks, to the nearest; exact for any price the venue can print."""
        return round(Decimal(repr(price) if isinstance(price, float) else price) / self.tick)

    def lots(self, size: float | Decimal) -> int:
        """The size in lots, to the nearest; exact for any size the venue can print."""
        return round(Decimal(repr(size) if isinstance(size, float) else size) / self.lot)

    def price(self, ticks: int) -> Decimal:
        """Ticks back to a price."""
        return ticks * self.tick

    def size(self, lots: int) -> Decimal:
        """Lots back to a size."""
        return lots * self.lot

    @property
    def minor_per_tick_lot(self) -> Fraction:
        """Money (minor units) that one lot is worth per tick of price, exact."""
        return _minor_per_tick_lot(self.tick, self.lot, self.multiplier)

    def notional_minor(self, ticks: int, lots: int) -> int:
        """Value of a number of lots at a price, in minor units, rounded half to even; has the sign of lots."""
        each = self.minor_per_tick_lot
        return round(Fraction(each.numerator * ticks * lots, each.denominator))


@cache
def _minor_per_tick_lot(tick: Decimal, lot: Decimal, multiplier: Decimal) -> Fraction:
    return Fraction(tick) * Fraction(lot) * Fraction(multiplier) * MINOR_PER_USD


# --- what the market says -------------------------------------------------------------------------------------------


class Level(Struct, frozen=True, gc=False):
    """One price of one side of a book and the size that waits there."""

    price: Positive
    size: Positive


BOOK_DEPTH = 20
"""Levels of a side that count, and that venues are asked for."""


class Book(Struct, frozen=True, gc=False):
    """A whole book, best level first on both sides; there are no deltas above the venue."""

    symbol: str
    at_ns: int
    received_ns: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    depth: int = BOOK_DEPTH  # levels that are known of either side; one that has fewer has no more in the market


class Trade(Struct, frozen=True, gc=False):
    """One trade that somebody made; `side` is the aggressor's."""

    symbol: str
    at_ns: int
    received_ns: int
    price: float
    size: float
    side: Side


class Bar(Struct, frozen=True, gc=False):
    """Open, high, low and close of the mid price over [start_ns, start_ns + interval_ns); books = 0 is a silent bar."""

    symbol: str
    start_ns: int
    interval_ns: int
    open: float
    high: float
    low: float
    close: float
    books: int

    @property
    def end_ns(self) -> int:
        """First nanosecond after the bar."""
        return self.start_ns + self.interval_ns


MarketEvent = Book | Trade


# --- what the venue is asked ----------------------------------------------------------------------------------------


class OrderRequest(Struct, frozen=True, kw_only=True):
    """An order as the venue gets it. `id` is ours (client order id), unique for ever, known before it is sent."""

    id: str
    intent_id: str  # the decision it serves; survives reprices, while `id` does not
    engine: str
    symbol: str
    side: Side
    lots: int  # total over the chain of replaced orders, so a fill that races a replace can't be bought twice
    ticks: int  # limit price; IOC orders carry their slippage bound here
    time_in_force: TimeInForce
    reduce_only: bool = False
    expires_ns: int = 0  # the venue must refuse it after this time: the fence that closes doubt; 0 = none
    replaces: str = ""  # id of the order this one takes the place of


# --- what the venue says of our account ------------------------------------------------------------------------------


class Accepted(Struct, frozen=True):
    """The venue has the order; it rests, or its fills follow."""

    engine: str
    order_id: str
    symbol: str
    at_ns: int


class Rejected(Struct, frozen=True):
    """The venue proved that the order does not exist; `reason` is the venue's own words."""

    engine: str
    order_id: str
    symbol: str
    reason: str
    at_ns: int


class Cancelled(Struct, frozen=True):
    """The order is over with `lots_filled` filled in its whole chain; reason: asked, ioc, replaced, venue's words."""

    engine: str
    order_id: str
    symbol: str
    lots_filled: int
    reason: str
    at_ns: int


class CancelRefused(Struct, frozen=True):
    """A cancel or replace did not happen: the order was over, or never there; of a replace it names the new order."""

    engine: str
    order_id: str
    symbol: str
    reason: str
    at_ns: int
    unsent: bool = False  # the venue was never asked: the order is what it was


class Fill(Struct, frozen=True):
    """A part of an order became a position. `id` is the venue's and is what makes a repeated fill harmless."""

    engine: str
    id: str
    order_id: str  # empty for a trade made by hand at the venue
    symbol: str
    side: Side
    lots: int
    ticks: int
    fee_minor: int  # negative: the venue paid us
    maker: bool
    at_ns: int
    closed_minor: int | None = None  # what it realised by the venue's own count, before fees; None: it does not say


class FundingPaid(Struct, frozen=True):
    """Funding of a perpetual settled on our position; positive: we received it."""

    engine: str
    id: str
    symbol: str
    amount_minor: int
    rate: Decimal  # of the interval it was paid for
    at_ns: int


class MoneyMoved(Struct, frozen=True):
    """Money came into an account (positive) or left it, and that was no trade and no funding: a deposit, a transfer."""

    engine: str
    id: str  # the venue's, the same however often it is told
    amount_minor: int
    kind: str  # the venue's word for it
    at_ns: int


class SessionMoved(Struct, frozen=True):
    """A day's session at a venue ends before our calendar has it; said again and again while that is so."""

    engine: str
    day: str  # in New York, as an ISO date
    closes_ns: int
    at_ns: int


AccountEvent = Accepted | Rejected | Cancelled | CancelRefused | Fill | FundingPaid | MoneyMoved | SessionMoved


# --- what calendars say -----------------------------------------------------------------------------------------------


class Release(Struct, frozen=True, order=True):
    """One scheduled print of the economy: a tier-1 name (CPI, FOMC ...) and its instant."""

    at_ns: int
    name: str


class Report(Struct, frozen=True, order=True):
    """A company's results: the span in which they come out and the first prices after them are made."""

    from_ns: int
    until_ns: int
    ticker: str  # on its home exchange: TSLA, whatever a venue calls it


class CalendarRead(Struct, frozen=True, kw_only=True):
    """What one source of a calendar answered; with a failure it knows nothing new, and what it said before holds on."""

    source: str
    kind: Literal["releases", "reports"]
    releases: tuple[Release, ...] = ()
    reports: tuple[Report, ...] = ()
    tickers: frozenset[str] | None = None  # whose reports it knows; None: every company's
    from_ns: int = 0  # in [from_ns, until_ns) it knows all; both 0: it only adds to others
    until_ns: int = 0
    read_ns: int = 0  # when the source said so; it may have been kept on disk since
    failure: str = ""  # why it said nothing
    declined: bool = False  # it will not, whoever asks again: a plan that does not include it
    at_ns: int


# --- what a query answers -------------------------------------------------------------------------------------------


class OpenOrder(Struct, frozen=True):
    """An order that rests at the venue."""

    order_id: str
    symbol: str
    side: Side
    lots: int
    lots_filled: int
    ticks: int


class VenuePosition(Struct, frozen=True):
    """A position as the venue holds it; lots are signed, entry is what the venue says it cost."""

    symbol: str
    lots: int
    entry_ticks: float
