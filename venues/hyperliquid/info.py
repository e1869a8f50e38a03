"""What can be asked of /info, and what is answered: an `Ask` has the request's body, its cost and reads its answer.

    ask = meta("xyz")
    ask.body       {"type": "meta", "dex": "xyz"}: the JSON of a POST, or the payload of a post over a WebSocket
    ask.weight_max what must be free of the IP's weight before it is sent; ask.weight(answer): what it came to
    ask.read(answer, received_ns)       the answer as values; VenueMisspoke if it is none

Ask for accounts by the master's address: an agent's address is answered with nothing, not with an error. Answers are
per dex where `dex` can be given: an account's positions on a builder dex are in no other dex's answer. Fills ignore it.
None stands for null: an unknown dex, coin, or order. Source: the info endpoint's pages, recorded answers of 2023-2026.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Generic, Literal, TypeVar

from msgspec import Raw, Struct, field
from msgspec.json import Decoder

from supervisor.clock import NS_PER_MS
from venues.hyperliquid.account_wire import Order, OrderUpdate, UserFill, UserFunding, fill_rows
from venues.hyperliquid.fields import (
    SHOWN_MAX,
    Count,
    Exact,
    Milliseconds,
    Rows,
    decoder,
    misspoke,
    read,
    rows_of,
    shown,
)
from venues.hyperliquid.weights import weight_max, weight_of
from venues.hyperliquid.wire import AssetContext, BookRow, Candle, CandleRow, ContextRow, Posted, candle_of, context_of
from venues.market import Book, Positive
from venues.venue import VenueMisspoke, VenueUnreachable

A = TypeVar("A")

MAIN_DEX = ""
"""The name of the venue's own perpetuals among dexs."""

INTERVALS_MS = {
    name: count * unit
    for unit, names in {60_000: "1m 3m 5m 15m 30m", 3_600_000: "1h 2h 4h 8h 12h", 86_400_000: "1d 3d"}.items()
    for name, count in ((name, int(name[:-1])) for name in names.split())
}
"""Lengths of candles; the venue also has 1w and 1M."""


class Ask(Generic[A]):
    """One request. `A` is what its answer is read as."""

    def __init__(
        self,
        kind: str,
        said: Any,
        turn: Callable[[Any, int], A],
        rows_max: int | None = None,
        **fields: Any,
    ) -> None:
        self.kind = kind
        given = {name: value for name, value in fields.items() if value is not None}
        self.body: dict[str, Any] = {"type": kind, **given}
        self.weight_max = weight_max(kind, rows_max)
        self._decoder = _decoder(said)
        self._turn = turn

    def read(self, answer: bytes | str, received_ns: int = 0) -> A:
        """The answer of an HTTP body or of a post's payload. Raises VenueMisspoke, and nothing else."""
        try:
            return self._turn(read(self._decoder, answer, self.kind), received_ns)
        except ValueError as error:
            raise misspoke(answer, self.kind, error) from error

    def read_posted(self, answer: Posted) -> A:
        """The answer to a post over a socket. Raises VenueUnreachable where that is an error, and VenueMisspoke."""
        if answer.kind == "error":
            raise VenueUnreachable(f"{self.kind}: {shown(answer.payload)}")
        said = read(_posted, answer.payload, f"post of {self.kind}")
        if answer.kind != "info" or said.type != self.kind:
            raise VenueMisspoke(f"post of {self.kind}: an answer to {answer.kind} {said.type[:SHOWN_MAX]}")
        return self.read(bytes(said.data), answer.received_ns)

    def weight(self, answer: A) -> int:
        """What it came to, given what was read."""
        return weight_of(self.kind, len(answer) if isinstance(answer, Sequence) else 0)


class _Payload(Struct, frozen=True):
    type: str
    data: Raw


_posted = decoder(_Payload)


@cache
def _decoder(said: Any) -> Decoder[Any]:
    return decoder(said)


def _as_it_is(said: Any, received_ns: int) -> Any:
    return said


# --- the venue --------------------------------------------------------------------------------------------------------


class ListedAsset(Struct, frozen=True, rename="camel"):
    """A perpetual of a dex; its place in the list is what its id is made of, so delisted ones stay."""

    name: str
    sz_decimals: int
    max_leverage: int
    only_isolated: bool = False
    is_delisted: bool = False
    margin_mode: str | None = None  # strictIsolated: margin cannot be taken out; noCross; None: cross is allowed
    growth_mode: str | None = None  # enabled: fees are a tenth


class Meta(Struct, frozen=True, rename="camel"):
    """The perpetuals of one dex, in the order of their ids."""

    universe: tuple[ListedAsset, ...]
    collateral_token: int = 0  # index in spotMeta's tokens; 0 is USDC


class MetaAndContexts(Struct, frozen=True):
    """The perpetuals of one dex and, in the same order, what they are valued and charged at."""

    meta: Meta
    contexts: tuple[AssetContext, ...]


class PerpDex(Struct, frozen=True, rename="camel"):
    """A builder's exchange within the venue (HIP-3)."""

    name: str
    full_name: str = ""
    deployer: str = ""


class SpotPair(Struct, frozen=True):
    """A spot market; its id is 10000 + index."""

    name: str
    tokens: tuple[int, ...]
    index: int


class SpotToken(Struct, frozen=True, rename="camel"):
    """What spot markets trade and dexs take as collateral."""

    name: str
    sz_decimals: int
    index: int
    token_id: str = ""


class SpotMeta(Struct, frozen=True):
    """The spot markets."""

    universe: tuple[SpotPair, ...]
    tokens: tuple[SpotToken, ...]


class FundingRate(Struct, frozen=True, rename="camel"):
    """A rate that was settled."""

    coin: str
    funding_rate: Exact
    premium: Exact
    time_ms: Milliseconds = field(name="time")


class ExchangeStatus(Struct, frozen=True, rename="camel"):
    """Whether something is out of the ordinary; null where nothing is."""

    time: Milliseconds
    special_statuses: Any = None


def meta(dex: str = MAIN_DEX) -> Ask[Meta | None]:
    """The perpetuals of a dex; None if there is no such dex."""
    return Ask("meta", Meta | None, _as_it_is, dex=dex or None)


def meta_and_contexts(dex: str = MAIN_DEX) -> Ask[MetaAndContexts | None]:
    """The same with marks, funding and turnover."""
    return Ask("metaAndAssetCtxs", tuple[Meta, tuple[ContextRow, ...]] | None, _contexts, dex=dex or None)


def perp_dexs() -> Ask[tuple[PerpDex | None, ...]]:
    """The dexs in the order of their ids; the first is None, the venue's own."""
    return Ask("perpDexs", tuple[PerpDex | None, ...], _as_it_is)


def spot_meta() -> Ask[SpotMeta]:
    """The spot markets and tokens."""
    return Ask("spotMeta", SpotMeta, _as_it_is)


def all_mids(dex: str = MAIN_DEX) -> Ask[dict[str, float] | None]:
    """The mids of a dex, by coin."""
    return Ask("allMids", dict[str, Positive] | None, _as_it_is, dex=dex or None)


def l2_book(coin: str, figures: int | None = None, mantissa: Literal[2, 5] | None = None) -> Ask[Book | None]:
    """The best 20 levels of each side; None if there is no such coin. `figures` 2 to 5 rounds prices into buckets."""
    return Ask("l2Book", BookRow | None, _book, coin=coin, nSigFigs=figures, mantissa=mantissa)


def candle_snapshot(coin: str, interval: str, start_ms: int, end_ms: int) -> Ask[tuple[Candle, ...]]:
    """Candles of trades, oldest first; one that reaches past now is still open. Raises ValueError on an interval."""
    if interval not in INTERVALS_MS:
        raise ValueError(f"interval is {interval!r}; it may be {', '.join(INTERVALS_MS)}")
    rows_max = max(0, end_ms - start_ms) // INTERVALS_MS[interval] + 2  # the first begins before the start
    req = {"coin": coin, "interval": interval, "startTime": start_ms, "endTime": end_ms}
    return Ask("candleSnapshot", tuple[CandleRow, ...], _candles, rows_max, req=req)


def funding_history(coin: str, start_ms: int, end_ms: int | None = None) -> Ask[tuple[FundingRate, ...]]:
    """The rates that were settled, oldest first."""
    return Ask("fundingHistory", tuple[FundingRate, ...], _as_it_is, coin=coin, startTime=start_ms, endTime=end_ms)


def exchange_status() -> Ask[ExchangeStatus]:
    """Whether the venue works as usual."""
    return Ask("exchangeStatus", ExchangeStatus, _as_it_is)


def _contexts(said: tuple[Meta, tuple[ContextRow, ...]] | None, received_ns: int) -> MetaAndContexts | None:
    if said is None:
        return None
    listed, rows = said
    if len(rows) != len(listed.universe):
        raise ValueError(f"{len(listed.universe)} assets and {len(rows)} contexts")
    pairs = zip(listed.universe, rows, strict=True)
    return MetaAndContexts(listed, tuple(context_of(asset.name, row, received_ns) for asset, row in pairs))


def _book(said: BookRow | None, received_ns: int) -> Book | None:
    if said is None:
        return None
    bids, asks = said.levels
    return Book(said.coin, said.time * NS_PER_MS, received_ns, bids, asks)


def _candles(said: tuple[CandleRow, ...], received_ns: int) -> tuple[Candle, ...]:
    return tuple(candle_of(row, received_ns) for row in said)


# --- an account -------------------------------------------------------------------------------------------------------


class Leverage(Struct, frozen=True):
    """Initial margin is notional / value."""

    type: Literal["cross", "isolated"]
    value: int


class Position(Struct, frozen=True, rename="camel"):
    """A perpetual that is held; lots are signed."""

    coin: str
    size: Exact = field(name="szi")
    leverage: Leverage
    margin_used: Exact
    position_value: Exact
    unrealized_pnl: Exact
    entry_px: Exact | None = None  # null where the size is zero
    max_leverage: int | None = None


class AssetPosition(Struct, frozen=True):
    """A row of the list of positions; there are no two-way positions here."""

    type: Literal["oneWay"]
    position: Position


class MarginSummary(Struct, frozen=True, rename="camel"):
    """What an account is worth and what its positions take of that."""

    account_value: Exact
    total_margin_used: Exact
    total_ntl_pos: Exact
    total_raw_usd: Exact


class ClearinghouseState(Struct, frozen=True, rename="camel"):
    """An account on one dex; an empty list of positions is flat."""

    asset_positions: tuple[AssetPosition, ...]
    margin_summary: MarginSummary
    cross_margin_summary: MarginSummary
    withdrawable: Exact
    cross_maintenance_margin_used: Exact | None = None
    time: Milliseconds | None = None


class RateLimit(Struct, frozen=True, rename="camel"):
    """How many requests the address has made and may make: 10,000 and one for each USDC traded."""

    cum_vlm: Exact
    n_requests_used: Count
    n_requests_cap: Count
    n_requests_surplus: int = 0


class Fees(Struct, frozen=True, rename="camel"):
    """The rates of the account on native perpetuals; negative: the venue pays. Builder dexs have their own scale."""

    user_cross_rate: Exact
    user_add_rate: Exact
    user_spot_cross_rate: Exact | None = None
    user_spot_add_rate: Exact | None = None


class Role(Struct, frozen=True):
    """What an address is: missing, user, agent, vault, subAccount; of an agent `user` is its master."""

    role: str
    data: dict[str, str] = {}

    @property
    def master(self) -> str | None:
        """Whose agent or subaccount it is."""
        return self.data.get("user") or self.data.get("master")


class Agent(Struct, frozen=True, rename="camel"):
    """An address that may sign for the account."""

    name: str
    address: str
    valid_until: Milliseconds


class LedgerUpdate(Struct, frozen=True):
    """A deposit, withdrawal, transfer or liquidation: money that came or went and was no trade and no funding."""

    time_ms: Milliseconds = field(name="time")
    hash: str
    delta: dict[str, Any]  # `type` says what, `usdc` how much; the rest is the type's own

    @property
    def kind(self) -> str:
        """What happened, in the venue's word."""
        return str(self.delta.get("type", ""))[:SHOWN_MAX]

    @property
    def id(self) -> str:
        """The same wherever it is told; what the venue does by itself has a hash of zeros, so the time is in it."""
        return f"{self.kind}-{self.time_ms}-{self.hash}"


class SpotBalance(Struct, frozen=True):
    """What is held of a token outside of perpetuals."""

    coin: str
    token: Count  # its index in spotMeta
    total: Exact
    hold: Exact


class SpotState(Struct, frozen=True):
    """The spot side of an account; of a unified account all of its money."""

    balances: tuple[SpotBalance, ...]


class _Found(Struct, frozen=True, tag_field="status", tag="order"):
    order: OrderUpdate


class _UnknownOid(Struct, frozen=True, tag_field="status", tag="unknownOid"):
    pass


class _FundingDelta(Struct, frozen=True, rename="camel"):
    coin: str
    usdc: Exact
    szi: Exact
    funding_rate: Exact
    n_samples: int | None = None


class _FundingRow(Struct, frozen=True):
    time: Milliseconds
    delta: _FundingDelta


def clearinghouse_state(user: str, dex: str = MAIN_DEX) -> Ask[ClearinghouseState]:
    """Positions and margin on one dex."""
    return Ask("clearinghouseState", ClearinghouseState, _as_it_is, user=user, dex=dex or None)


def open_orders(user: str, dex: str = MAIN_DEX) -> Ask[tuple[Order, ...]]:
    """Orders that rest on one dex, without their cloids."""
    return Ask("openOrders", tuple[Order, ...], _as_it_is, user=user, dex=dex or None)


def frontend_open_orders(user: str, dex: str = MAIN_DEX) -> Ask[tuple[Order, ...]]:
    """The same with cloids, original sizes and triggers."""
    return Ask("frontendOpenOrders", tuple[Order, ...], _as_it_is, user=user, dex=dex or None)


def order_status(user: str, order: int | str) -> Ask[OrderUpdate | None]:
    """What became of an order, by oid or cloid; None: never heard of it, which is proof only behind a fence."""
    return Ask("orderStatus", _Found | _UnknownOid, _status, user=user, oid=order)


def user_fills(user: str) -> Ask[Rows[UserFill]]:
    """The newest 2,000 fills of all dexs and spot."""
    return Ask("userFills", tuple[Raw, ...], _fills, user=user)


def user_fills_by_time(user: str, start_ms: int, end_ms: int | None = None) -> Ask[Rows[UserFill]]:
    """At most 2,000 of the fills between two times, both included; `paging` asks until there are no more."""
    return Ask("userFillsByTime", tuple[Raw, ...], _fills, user=user, startTime=start_ms, endTime=end_ms)


def historical_orders(user: str) -> Ask[tuple[OrderUpdate, ...]]:
    """The newest 2,000 orders with what became of them."""
    return Ask("historicalOrders", tuple[OrderUpdate, ...], _as_it_is, user=user)


def user_funding(user: str, start_ms: int, end_ms: int | None = None) -> Ask[Rows[UserFunding]]:
    """At most 500 of the payments of funding between two times, oldest first."""
    return Ask("userFunding", tuple[Raw, ...], _funding, user=user, startTime=start_ms, endTime=end_ms)


def ledger_updates(user: str, start_ms: int, end_ms: int | None = None) -> Ask[Rows[LedgerUpdate]]:
    """Money that came and went otherwise."""
    kind = "userNonFundingLedgerUpdates"
    return Ask(kind, tuple[Raw, ...], _moves, user=user, startTime=start_ms, endTime=end_ms)


def spot_state(user: str) -> Ask[SpotState]:
    """What is held outside of perpetuals."""
    return Ask("spotClearinghouseState", SpotState, _as_it_is, user=user)


def user_abstraction(user: str) -> Ask[str]:
    """How the account's pockets are joined: disabled, default, dexAbstraction, unifiedAccount or portfolioMargin."""
    return Ask("userAbstraction", str, _as_it_is, user=user)


def user_rate_limit(user: str) -> Ask[RateLimit]:
    """The address's budget of requests."""
    return Ask("userRateLimit", RateLimit, _as_it_is, user=user)


def user_fees(user: str) -> Ask[Fees]:
    """The account's rates."""
    return Ask("userFees", Fees, _as_it_is, user=user)


def user_role(user: str) -> Ask[Role]:
    """What an address is, so that an agent's is not taken for its master's."""
    return Ask("userRole", Role, _as_it_is, user=user)


def extra_agents(user: str) -> Ask[tuple[Agent, ...]]:
    """Who may sign for the account, and until when."""
    return Ask("extraAgents", tuple[Agent, ...], _as_it_is, user=user)


def _status(said: _Found | _UnknownOid, received_ns: int) -> OrderUpdate | None:
    return said.order if isinstance(said, _Found) else None


def _fills(said: tuple[Raw, ...], received_ns: int) -> Rows[UserFill]:
    return fill_rows(said)


_funding_row = decoder(_FundingRow)
_move = decoder(LedgerUpdate)


def _funding(said: tuple[Raw, ...], received_ns: int) -> Rows[UserFunding]:
    def row(at: int, delta: _FundingDelta) -> UserFunding:
        return UserFunding(delta.coin, delta.usdc, delta.szi, delta.funding_rate, at, delta.n_samples)

    rows = rows_of(_funding_row, said, "a payment of funding")
    return Rows.of((row(one.time, one.delta) for one in rows), rows.unread)


def _moves(said: tuple[Raw, ...], received_ns: int) -> Rows[LedgerUpdate]:
    return rows_of(_move, said, "a transfer")
