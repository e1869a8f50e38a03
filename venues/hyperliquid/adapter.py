"""Hyperliquid as a Venue: one account, or its market alone where orders are simulated (shadow).

Everything real is in the parts: meta and keys in opening, books in quotes, the account in account, orders in trading,
questions and limits in asking. Here they are put together and asked what the Venue protocol asks.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from config.universe import SymbolFacts
from supervisor.clock import NS_PER_MS, NS_PER_S, Clock
from venues.chains import Restored
from venues.hyperliquid import info
from venues.hyperliquid.account import AccountFeed
from venues.hyperliquid.account_wire import FILLED, Fate, OrderUpdate
from venues.hyperliquid.account_wire import Order as WireOrder
from venues.hyperliquid.actions import cloid
from venues.hyperliquid.asking import Asker
from venues.hyperliquid.budget import RequestBudget, Urgency
from venues.hyperliquid.cash import Purse
from venues.hyperliquid.info import INTERVALS_MS, ClearinghouseState, Position
from venues.hyperliquid.line import ACCOUNT, BOOKS, FAST_BOOKS, LineSpec
from venues.hyperliquid.nonce_file import NonceFile
from venues.hyperliquid.opening import Leverages, Listed, facts_for, is_unified, listed, refresh_limit, vault_of
from venues.hyperliquid.orders import BY_NUMBER, Orders, Tracked, Translator
from venues.hyperliquid.quotes import Quotes
from venues.hyperliquid.reconnect import Limits
from venues.hyperliquid.rest import Rest
from venues.hyperliquid.sign import AccountAddress, Signer
from venues.hyperliquid.streams import Streams
from venues.hyperliquid.subscriptions import Subscription, books, fast_books
from venues.hyperliquid.subscriptions import account as account_channels
from venues.hyperliquid.trading import Desk
from venues.market import (
    Accepted,
    AccountEvent,
    Bar,
    Cancelled,
    CancelRefused,
    Fill,
    Instrument,
    MarketEvent,
    OpenOrder,
    OrderRequest,
    Rejected,
    VenuePosition,
)
from venues.skew import Skew
from venues.venue import PROOF_NS, Capabilities, FillsUnread, Owner, VenueMisspoke, VenueUnreachable

HISTORY_NS = 90 * NS_PER_S
"""A candle history so young is given again: a feed that is started again goes on where the last one was."""

LOOKS_WEIGHT = 240
"""What histories leave of a minute for the reconciler, whose verdict every entry waits for: 28 of 25 would leave none
in the minute after a start. A look takes 164 at most of two dexs, mostly 64, and comes twice or three times in one."""

LIMIT_NS = 600 * NS_PER_S
"""Between questions how many requests the address has left; fills are counted here meanwhile."""

STATUS_S_MAX = 5.0
"""A question about one order waits so long for room and answer: its asker waits ten, a cancel may follow."""

Tell = Callable[[str], None]


def nobody(text: str) -> None:
    """Where nothing is told."""


class Shared(Struct, frozen=True):
    """What all adapters on one machine must share, because the venue counts by IP address."""

    rest: Rest
    budget: RequestBudget
    sockets: Limits


class Key(Struct, frozen=True):
    """Who signs, for whom, and where the floor of the nonces is kept."""

    signer: Signer
    account: AccountAddress
    folder: Path


class Wanted(Struct, frozen=True, kw_only=True):
    """What an engine wants of the venue, and what it knows already."""

    engine: str
    facts: tuple[SymbolFacts, ...]
    leverage: dict[str, int]
    held: Mapping[str, Instrument] = {}  # of which the ledger has a position, with the rules it was bought by
    known: Iterable[Restored] = ()  # orders of earlier runs
    known_ns: int = 0  # what happened before is booked
    opened_ns: int = 0  # when the ledger's opening balance was taken; 0: never
    fast: bool = True  # the 5-level push beside the 20-level one
    poll: tuple[str, ...] = ()  # symbols whose books are asked for, too


class Hyperliquid:
    """The Venue protocol. Without a key it is a market alone, and everything else raises."""

    def __init__(
        self, base_url: str, wanted: Wanted, shared: Shared, clock: Clock, key: Key | None = None, seed: int = 0
    ):
        self.name = "hyperliquid"
        self.capabilities = Capabilities(replace=True, expires=True, simulated=False)
        self.base_url = base_url
        self.wanted = wanted
        self.shared = shared
        self.clock = clock
        self.key = key
        self.seed = seed
        self.tell: Tell = nobody  # what a person should know; the daemon logs it
        self.asker = Asker(shared.rest, shared.budget, clock)
        self.skew = Skew(clock, self._say)
        self.orders = Orders(wanted.known)
        self.instruments: dict[str, Instrument] = {}
        self.traded: tuple[str, ...] = ()  # symbols whose market is listened to
        self.dexs: tuple[str, ...] = ()
        self._desk: Desk | None = None
        self._feed: AccountFeed | None = None
        self._quotes: Quotes | None = None
        self._histories: dict[tuple[str, int, int], tuple[int, tuple[Bar, ...]]] = {}
        self.cash_minor: int | None = None  # the account's money as last told, its open profit left out
        self.cash_ns = 0  # when that was
        self._purse: Purse | None = None
        self._leverages: Leverages | None = None
        self._foreign: set[str] = set()  # coins that are held and none of ours; told once
        self._unfed: set[str] = set()  # symbols whose candles were asked for in vain
        self._limit_ns = 0  # when the address's limit was asked for last
        self._armed = False  # the venue will cancel everything at a time

    # --- opening ------------------------------------------------------------------------------------------------------

    async def open(self) -> Sequence[Instrument]:
        """Ask what is listed, who may sign and what the limits are; set leverages. Raises ConfigError."""
        facts = facts_for(self.wanted.facts, self.wanted.engine, self.wanted.leverage)
        found = await listed(self.asker, facts, self.wanted.held, self._say)
        every = (*found.universe.instruments, *found.held)
        self.instruments = {one.symbol: one for one in every}
        self.traded = tuple(one.symbol for one in found.universe.instruments)
        self.dexs = found.dexs
        if self.key is not None:
            await self._open_account(self.key, found)
        self._quotes = self._make_quotes()
        return every

    async def _open_account(self, key: Key, found: Listed) -> None:
        account, signer = key.account, key.signer
        vault = await vault_of(self.asker, signer.address, account, self._say)
        await self._refresh_limit(account)
        fees = await self.asker.ask(info.user_fees(account))
        self._say(f"fees of {account}: maker {fees.user_add_rate}, taker {fees.user_cross_rate} of the notional")
        nonces = NonceFile(key.folder, signer.address, self.clock)
        self._desk = desk = Desk(self.asker, signer, nonces, self.orders, found.universe.assets, self.skew, vault=vault)
        line = LineSpec(name=f"{self.wanted.engine} account", subscriptions=account_channels(account), limits=ACCOUNT)
        translator = Translator(self.wanted.engine, self.instruments, self.orders)
        self._purse = Purse(str(account), self.dexs, await is_unified(self.asker, account, self._say))
        states = await self._look(account)
        purse = replace(self._purse, since_ms=(self.wanted.opened_ns or self.cash_ns) // NS_PER_MS)
        self._feed = AccountFeed(
            self._streams([line], ()), self.asker, translator, purse, self.wanted.known_ns, self._say
        )
        self._feed.cancel = self.cancel
        desk.excess, desk.tell = self._feed.too_much, self._feed.put
        self._leverages = leverages = Leverages(desk, found.universe, self._say)
        await leverages.confirm(states)
        self._feed.works.append(
            (lambda: leverages.go_on(self.clock, lambda: self._states(account)), "hyperliquid leverages")
        )

    def _make_quotes(self) -> Quotes:
        name = self.wanted.engine
        trades = tuple(Subscription("trades", symbol) for symbol in self.traded)
        lines = [LineSpec(name=f"{name} books", subscriptions=(*books(self.traded), *trades), limits=BOOKS)]
        if self.wanted.fast:
            lines.append(LineSpec(name=f"{name} fast", subscriptions=fast_books(self.traded), limits=FAST_BOOKS))
        poll = [symbol for symbol in self.wanted.poll if symbol in self.traded]
        return Quotes(self._streams(lines, self.traded), self.asker, self.traded, self._say, self.skew, poll=poll)

    def _streams(self, lines: Sequence[LineSpec], known: Collection[str]) -> Streams:
        shared = self.shared.sockets
        return Streams(self.base_url, lines, self.clock, known=known, limits=shared, seed=self.seed)

    def _say(self, text: str) -> None:
        self.tell(text)

    # --- streams ------------------------------------------------------------------------------------------------------

    async def market(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Books and trades in batches; never ends by itself."""
        assert self._quotes is not None, "open() comes first"
        async for batch in self._quotes.iterate():
            yield batch

    async def account(self) -> AsyncIterator[AccountEvent]:
        """What happens to our orders and our money."""
        async for event in self._account().iterate():
            yield event

    def deaf(self) -> Collection[str]:
        """Symbols with a subscription that is not confirmed; all while the account is not whole or the clocks part."""
        assert self._quotes is not None, "open() comes first"
        if self.skew.shut() or (self._feed is not None and not self._feed.whole()):
            return self.traded
        return {cover.subscription.symbol for cover in self._quotes.streams.uncovered()}

    # --- orders -------------------------------------------------------------------------------------------------------

    async def submit(self, order: OrderRequest) -> Accepted | Rejected:
        """Send an order and wait for the verdict. Nothing is entered with a leverage that nobody confirmed."""
        desk = self._orders()
        doubt = "" if order.reduce_only or self._leverages is None else self._leverages.open.get(order.symbol)
        if doubt:
            return Rejected(order.engine, order.id, order.symbol, f"not sent: {doubt}", self.clock.now_ns())
        return await desk.submit(order)

    async def cancel(self, symbol: str, order_id: str) -> Cancelled | CancelRefused:
        """Cancel a resting order and wait for the verdict."""
        return await self._orders().cancel(self.wanted.engine, symbol, order_id)

    async def replace(self, order: OrderRequest) -> Accepted | Rejected | CancelRefused:
        """Put an order in the place of another one; the verdict is about the new one."""
        return await self._orders().replace(order)

    # --- questions ----------------------------------------------------------------------------------------------------

    async def open_orders(self) -> Sequence[OpenOrder]:
        """Every order that rests now on the dexs that are traded; orders that wait for a trigger are not ours."""
        user = self._user()
        asks = (self.asker.ask(info.frontend_open_orders(user, dex)) for dex in self.dexs)
        rows = [row for rows in await asyncio.gather(*asks) for row in rows]
        return [self._open_order(row) for row in rows if row.coin in self.instruments and not row.is_trigger]

    async def positions(self) -> Sequence[VenuePosition]:
        """Every position that is not flat, on every dex that is traded."""
        user = self._user()
        desk, now_ns = self._orders(), self.clock.now_ns()
        if desk.limited or now_ns - self._limit_ns > LIMIT_NS:
            await self._refresh_limit(user)
        self._account().look_for_money()
        rows = [row.position for state in await self._look(user) for row in state.asset_positions]
        positions = (self._position(row) for row in rows if row.size)
        return [position for position in positions if position is not None]

    def _position(self, row: Position) -> VenuePosition | None:
        """A position in our words; None for one that is nobody's business here, which a person is told of once."""
        instrument = self.instruments.get(row.coin)
        if instrument is None:
            if row.coin in self.wanted.held:  # flat would be a lie
                raise VenueMisspoke(f"a position of {row.size} {row.coin} has no instrument, and the ledger holds it")
            if row.coin not in self._foreign:
                self._foreign.add(row.coin)
                self._say(f"the account holds {row.size} {row.coin}, which is not traded here: it is left alone")
            return None
        if row.entry_px is None:
            raise VenueMisspoke(f"a position of {row.size} {row.coin} has no entry price")
        return VenuePosition(instrument.symbol, instrument.lots(row.size), float(row.entry_px / instrument.tick))

    def theirs_ns(self, at_ns: int) -> int:
        """What the venue's clock said when ours said that, by the stamps of its books."""
        return self.skew.theirs_ns(at_ns)

    async def fills(self, since_ns: int) -> Sequence[Fill]:
        """Every fill at or after a time of ours, oldest first. Raises FillsUnread where some of them make no sense."""
        feed, since_ns = self._account(), min(since_ns, self.theirs_ns(since_ns))
        rows = await feed.rows(since_ns)
        fills = [fill for fill in feed.fills(rows) if fill.at_ns >= since_ns]
        if doubtful := feed.doubtful(rows.unread):
            raise FillsUnread(f"{len(doubtful)} fills can't be read: {doubtful[0].text}", fills)
        return fills

    async def find(self, symbol: str, order_id: str) -> OpenOrder | Cancelled | Rejected | None:
        """What became of an order; None: the venue does not know it.

        As urgent as an exit: doubt holds back the exits of its symbol. Where questions fail, a cancel may prove that an
        immediate order is over.
        """
        number = order_id.removeprefix(BY_NUMBER)
        name = cloid(order_id) if number == order_id else int(number)
        tracked, asked_ns = self.orders.get(order_id), self.clock.now_ns()
        try:
            async with asyncio.timeout(STATUS_S_MAX):
                found = await self.asker.ask(info.order_status(self._user(), name), Urgency.EXIT)
        except (VenueUnreachable, VenueMisspoke, TimeoutError) as error:
            if tracked is not None and (over := await self._orders().prove_over(tracked)) is not None:
                return over
            if isinstance(error, TimeoutError):
                raise VenueUnreachable(f"no word of order {order_id} within {STATUS_S_MAX:g} s") from error
            raise
        if found is None:
            self._check_proof(order_id, asked_ns)
            if tracked is not None and self._orders().proven(tracked, asked_ns):
                self.orders.never(tracked)
            return None
        if found.fate is Fate.OPEN:
            return self._open_order(found.order)
        if found.fate is Fate.REJECTED:
            return Rejected(self.wanted.engine, order_id, symbol, found.status, found.at_ns)
        if found.fate is Fate.UNCLEAR:
            raise VenueMisspoke(f"order {order_id} is {found.status!r}, which means nothing here")
        return await self._over(found, symbol, order_id)

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """The last closed candles, oldest first; none of an interval that the venue does not have."""
        names = {length * NS_PER_MS: name for name, length in INTERVALS_MS.items()}
        name = names.get(interval_ns)
        if name is None or symbol not in self.traded or bars <= 0:
            return ()
        now_ns = self.clock.now_ns()
        at_ns, known = self._histories.get((symbol, interval_ns, bars), (0, ()))
        if now_ns - at_ns < HISTORY_NS:
            return known
        start_ms = (now_ns // interval_ns - bars) * interval_ns // NS_PER_MS
        ask = info.candle_snapshot(symbol, name, start_ms, now_ns // NS_PER_MS)
        try:
            candles = await self.asker.ask(ask, leaving=LOOKS_WEIGHT)
        except (VenueUnreachable, VenueMisspoke) as error:
            if symbol not in self._unfed:
                self._unfed.add(symbol)
                self._say(f"{symbol} is not entered, its candles are not there yet: {type(error).__name__}: {error}")
            raise
        self._unfed.discard(symbol)
        closed = tuple(candle.bar for candle in candles if candle.bar.end_ns <= now_ns)[-bars:]
        self._histories[symbol, interval_ns, bars] = now_ns, closed
        return closed

    async def close(self) -> None:
        """Let go of every socket. What the venue was to cancel is cancelled: its own switch has no more to do."""
        with suppress(VenueUnreachable, VenueMisspoke, TimeoutError):
            async with asyncio.timeout(STATUS_S_MAX):
                await self.disarm()
        if self._feed is not None:
            await self._feed.close()
        if self._quotes is not None:
            await self._quotes.streams.close()
        await self.shared.rest.close()

    # --- who watches --------------------------------------------------------------------------------------------------

    def owner(self) -> Owner:
        """Whose orders rest here."""
        assert self.key is not None, "a market alone has no account"
        return Owner(account=str(self.key.account), signer=str(self.key.signer.address), places=self.dexs)

    def answers(self) -> int:
        """How many requests were answered so far."""
        return self.shared.rest.answers

    async def knock(self) -> None:
        """Ask the cheapest question there is."""
        await self.asker.ask(info.exchange_status(), Urgency.EXIT)

    async def arm(self, ahead_s: float) -> str:
        """Let the venue cancel everything so far ahead; why not, or nothing."""
        reason = await self._orders().schedule_cancel(ahead_s)
        self._armed |= not reason
        return reason

    async def disarm(self) -> str:
        """Take that back; why not, or nothing."""
        if not self._armed:
            return ""
        reason = await self._orders().schedule_cancel(None)
        self._armed = bool(reason)
        return reason

    # --- small things -------------------------------------------------------------------------------------------------

    async def _states(self, user: AccountAddress) -> list[ClearinghouseState]:
        """The account on each dex; one that does not answer makes the whole question fail."""
        asks = (self.asker.ask(info.clearinghouse_state(user, dex)) for dex in self.dexs)
        return list(await asyncio.gather(*asks))

    async def _look(self, user: AccountAddress) -> list[ClearinghouseState]:
        """The same, and what cash there is."""
        purse = self._purse
        assert purse is not None, "open() with a key comes first"
        asked_ns = self.clock.now_ns()
        states = await self._states(user)
        spots = [await self.asker.ask(info.spot_state(user))] if purse.unified else []
        self.cash_minor = purse.cash_minor(states, spots)
        self.cash_ns = max((state.time * NS_PER_MS for state in states if state.time), default=asked_ns)
        return states

    async def _refresh_limit(self, user: AccountAddress) -> None:
        await refresh_limit(self.asker, user)
        self._limit_ns = self.clock.now_ns()
        if self._desk is not None:
            self._desk.limited = False

    async def _over(self, found: OrderUpdate, symbol: str, order_id: str) -> Cancelled:
        """The end of an order, with lots from its fills; those that its sizes say are missing are asked for first."""
        tracked, filled = self.orders.get(order_id), 0
        if tracked is None or self._owes(tracked, found):
            feed = self._account()
            told = feed.fills(await feed.rows(found.order.time_ms * NS_PER_MS))
            filled = sum(fill.lots for fill in told if fill.order_id == order_id)
        filled = tracked.lots_told if tracked else filled
        return Cancelled(self.wanted.engine, order_id, symbol, filled, found.status, found.at_ns)

    def _check_proof(self, order_id: str, asked_ns: int) -> None:
        """Raise VenueUnreachable where "not found" would be taken for proof and the clocks are too far apart."""
        tracked, doubt_ns = self.orders.get(order_id), self.skew.doubt_ns
        fence_ns = tracked.request.expires_ns if tracked else 0
        if doubt_ns and fence_ns and fence_ns < asked_ns <= fence_ns + PROOF_NS + doubt_ns:
            wait_s = (fence_ns + PROOF_NS + doubt_ns - asked_ns) / NS_PER_S
            raise VenueUnreachable(f"it is not there, but may still come for {wait_s:.1f} s: the clocks are apart")

    def _owes(self, tracked: Tracked, found: OrderUpdate) -> bool:
        """Whether fills of an order that is over may be missing: the venue's sizes show as many or more, never less."""
        order = found.order
        if order.size is None:
            return True
        shown = order.size if found.status == FILLED else order.size - order.size_left
        return tracked.own_lots < self.instruments[order.coin].lots(shown)

    def _open_order(self, row: WireOrder) -> OpenOrder:
        instrument = self.instruments[row.coin]
        tracked: Tracked | None = self.orders.named(row.cloid)
        ticks = instrument.ticks(row.price)
        if tracked is not None:
            request = tracked.request
            return OpenOrder(request.id, row.coin, row.side, request.lots, tracked.lots_told, ticks)
        size = row.size if row.size is not None else row.size_left
        lots, left = instrument.lots(size), instrument.lots(row.size_left)
        return OpenOrder(f"{BY_NUMBER}{row.oid}", row.coin, row.side, lots, lots - left, ticks)

    def _user(self) -> AccountAddress:
        assert self.key is not None, "a market alone has no account"
        return self.key.account

    def _orders(self) -> Desk:
        assert self._desk is not None, "open() with a key comes first"
        return self._desk

    def _account(self) -> AccountFeed:
        assert self._feed is not None, "open() with a key comes first"
        return self._feed
