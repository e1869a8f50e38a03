"""What an emulated Alpaca is set up with: accounts, the plan of their market data, fees and delays."""

from decimal import Decimal

from msgspec import Struct

from supervisor.clock import NS_PER_MS

SMALL_USD = Decimal(2_000)
"""Below this an account has no margin and may not short (docs, Margin and Short Selling)."""


class AccountConfig(Struct, frozen=True, kw_only=True):
    """One account and its keys, which are good for trading and for data."""

    key_id: str
    secret: str
    usd: Decimal
    multiplier: int = 2  # Regulation T; 1: cash only
    shorting: bool = True
    pdt: bool = False  # pattern day trading protection, which the venue gave up on 2026-07-06

    @property
    def margin(self) -> int:
        """The multiplier that is left of it when there is little money."""
        return self.multiplier if self.usd >= SMALL_USD else 1


class Fees(Struct, frozen=True, kw_only=True):
    """Shares of what is received for coins: of the coin by who buys, of the dollars by who sells. Shares cost nothing.

    Taken at each fill, so that less lies in the account than was bought: positions that people recorded are what they
    bought times 0.9975. (docs, Crypto Fees: lowest tier.)
    """

    maker: Decimal = Decimal("0.0015")
    taker: Decimal = Decimal("0.0025")


FEES, NO_FEES = Fees(), Fees(maker=Decimal(0), taker=Decimal(0))


class Plan(Struct, frozen=True, kw_only=True):
    """What a plan of market data allows (docs, About Market Data API; orderbooks: docs of 2025-04)."""

    name: str
    symbols_max: int | None  # of trades and quotes on one stream; bars are not counted
    orderbooks_max: int | None
    connections: int  # per stream and key
    sip: bool  # consolidated quotes in real time
    requests_per_minute: int


BASIC = Plan(name="basic", symbols_max=30, orderbooks_max=10, connections=1, sip=False, requests_per_minute=200)
PLUS = Plan(name="plus", symbols_max=None, orderbooks_max=None, connections=1, sip=True, requests_per_minute=10_000)
PLANS = {plan.name: plan for plan in (BASIC, PLUS)}


class ExchangeConfig(Struct, frozen=True, kw_only=True):
    """The venue as a whole."""

    seed: int
    plan: Plan = BASIC
    paper: bool = True  # the paper venue sends JSON in binary frames on its trading stream, the live one in text
    delay_ns: int = 20 * NS_PER_MS  # from the answer to a request until it reaches the market
    requests_per_minute: int = 200  # of trading, per account; 0: no limit
    handshakes_per_minute: int = 60  # of all streams, per address; more are answered 429; a guess
    fees: Fees = FEES
    not_shortable: tuple[str, ...] | None = None  # None: one in twenty, drawn from the seed
    not_fractionable: tuple[str, ...] | None = None
