"""The account's money: what there is of it, and what came or went that was no trade and no funding.

An account has a pocket for spot and one for each dex. What perpetuals are traded with is the pockets of the dexs that
are looked at; where the account is unified there is one pocket, which the venue shows as spot, and what it says of
dexs means nothing ("Account abstraction modes"). Money that moves within is no movement; what crosses the border is
told with the venue's own id, so that it is booked once however often it is told.

Sources: the subscriptions page (WsUserNonFundingLedgerUpdate) and typed schemas of 2026 for the kinds and their fields;
recorded answers of 2024. That a withdrawal takes its fee beside its amount is what others book; no recording shows it.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from venues.hyperliquid.fields import Exact, exactly
from venues.hyperliquid.info import MAIN_DEX, ClearinghouseState, LedgerUpdate, SpotState
from venues.hyperliquid.meta import USDC
from venues.market import MINOR_PER_USD

UNIFIED = frozenset({"unifiedAccount", "portfolioMargin"})
"""Modes in which spot and all dexs are one pocket."""

SPOT = "spot"
"""The name of the spot pocket among dexs."""

NOTHING = Decimal(0)

Delta = Mapping[str, Any]


class Purse(Struct, frozen=True):
    """Which pockets count, and since when."""

    user: str  # lower case
    dexs: tuple[str, ...]
    unified: bool = False
    since_ms: int = 0  # what was until then is in the opening balance

    def cash_minor(self, states: Iterable[ClearinghouseState], spots: Iterable[SpotState]) -> int:
        """What is there, in millionths of a dollar, without what open positions have gained or lost."""
        if self.unified:
            usdc = [one.total for spot in spots for one in spot.balances if one.token == USDC]
            return round(sum(usdc, NOTHING) * MINOR_PER_USD)
        return sum(map(cash_of, states))

    def amount_minor(self, update: LedgerUpdate) -> int | None:
        """What came (positive) or went; 0: it stayed within; None: nobody here knows what this kind does.

        Raises ValueError for a row without what its kind must have.
        """
        moves = MOVES.get(update.kind)
        return None if moves is None else round(moves(self, update.delta) * MINOR_PER_USD)

    def holds(self, pocket: str) -> bool:
        """Whether a pocket is one of those that count."""
        return self.unified or pocket in self.dexs

    def is_user(self, delta: Delta, name: str) -> bool:
        """Whether a field names this account."""
        return str(delta.get(name, "")).lower() == self.user


def cash_of(state: ClearinghouseState) -> int:
    """A dex's collateral in millionths of a dollar: its worth without what open positions have gained or lost."""
    gained = sum(row.position.unrealized_pnl for row in state.asset_positions)
    return round((state.margin_summary.account_value - gained) * MINOR_PER_USD)


def _usd(delta: Delta, name: str = "usdc") -> Decimal:
    """A field's number. Raises ValueError."""
    return Decimal(exactly(Exact, delta.get(name)))


def _fee(delta: Delta) -> Decimal:
    """The fee in dollars; one in another token is none of the collateral's."""
    dollars = delta.get("feeToken", "") in ("", "USDC")
    return _usd(delta, "fee") if dollars and delta.get("fee") is not None else NOTHING


def _came(purse: Purse, delta: Delta) -> Decimal:
    return _usd(delta)


def _went(purse: Purse, delta: Delta) -> Decimal:
    return -_usd(delta) - _fee(delta)


def _nothing(purse: Purse, delta: Delta) -> Decimal:
    return NOTHING


def _between_classes(purse: Purse, delta: Delta) -> Decimal:
    """Between spot and perpetuals, of the venue's own dex unless another is named."""
    if purse.unified or not purse.holds(str(delta.get("dex", MAIN_DEX))):
        return NOTHING
    usd = _usd(delta, "usdc" if "usdc" in delta else "amount")
    return usd if delta.get("toPerp") else -usd


def _between_users(purse: Purse, delta: Delta) -> Decimal:
    """From one account's perpetuals to another's."""
    usd = _usd(delta)
    came = usd if purse.is_user(delta, "destination") else NOTHING
    went = usd + _fee(delta) if purse.is_user(delta, "user") else NOTHING
    return came - went


def _sent(purse: Purse, delta: Delta) -> Decimal:
    """From one pocket to another, of this account or of others."""
    if delta.get("token") != "USDC":
        return NOTHING
    usd = _usd(delta, "amount")
    comes = purse.is_user(delta, "destination") and purse.holds(str(delta.get("destinationDex", MAIN_DEX)))
    goes = purse.is_user(delta, "user") and purse.holds(str(delta.get("sourceDex", MAIN_DEX)))
    return (usd if comes else NOTHING) - (usd + _fee(delta) if goes else NOTHING)


def _spot_sent(purse: Purse, delta: Delta) -> Decimal:
    return _sent(purse, {**delta, "sourceDex": SPOT, "destinationDex": SPOT})


def _from_vault(purse: Purse, delta: Delta) -> Decimal:
    return _usd(delta, "netWithdrawnUsd")


MOVES: dict[str, Callable[[Purse, Delta], Decimal]] = {
    "deposit": _came,
    "withdraw": _went,
    "accountClassTransfer": _between_classes,
    "perpDexClassTransfer": _between_classes,
    "internalTransfer": _between_users,
    "subAccountTransfer": _between_users,
    "send": _sent,
    "spotTransfer": _spot_sent,
    "vaultCreate": _went,
    "vaultDeposit": _went,
    "vaultWithdraw": _from_vault,
    "vaultDistribution": _came,
    "vaultLeaderCommission": _came,
    "liquidation": _nothing,  # its fills are told as fills
    "spotGenesis": _nothing,
    "cStakingTransfer": _nothing,  # HYPE
}
"""What each kind does to the pockets that count. Kinds that are not here are told and not booked."""
