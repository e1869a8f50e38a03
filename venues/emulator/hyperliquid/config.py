"""What an emulated Hyperliquid is set up with: names, accounts, fees and limits."""

from decimal import Decimal

from msgspec import Struct, field

MAIN = ""
"""Name of the venue's own dex in every request; builder dexs have names of a few letters."""


class AccountConfig(Struct, frozen=True, kw_only=True):
    """One account. Addresses are 0x and 40 hex digits, in any case."""

    address: str
    usd: dict[str, Decimal] = field(default_factory=dict)  # dex -> collateral there; nothing at all: never deposited
    spot_usd: Decimal = Decimal(0)
    agents: dict[str, str] = field(default_factory=dict)  # name -> address of an approved API wallet
    master: str = ""  # of a sub-account: who may act for it by vaultAddress
    volume_usd: Decimal = Decimal(0)  # traded before; frees requests, and scheduleCancel from a million on


class Fees(Struct, frozen=True):
    """Shares of the notional that makers and takers pay."""

    maker: Decimal
    taker: Decimal


FEES = {
    "native": Fees(Decimal("0.00015"), Decimal("0.00045")),
    "hip3": Fees(Decimal("0.0003"), Decimal("0.0009")),
}
"""The base tier: a live userFees of 2026-09-26, and twice that where a builder dex takes half."""


class ExchangeConfig(Struct, frozen=True, kw_only=True):
    """The venue as a whole."""

    seed: int
    mainnet: bool = False  # whose signatures are right; the SDK signs for testnet on any URL that is not the venue's
    fees: dict[str, Fees] = field(default_factory=lambda: dict(FEES))
    requests_initial: int = 10_000  # each address has these beside one per dollar traded (docs, Rate limits)
    limits_weight: bool = True  # answer 429 over 1,200 a minute; it is counted in any case
    oracle_band: Decimal | None = (
        None  # refuse prices farther than this share from the oracle; nobody knows the venue's
    )
