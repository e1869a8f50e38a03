"""Alpaca as a Venue: one engine's part of one account, or its market alone where orders are simulated (shadow).

Everything real is in the parts: market data in data, the account in account over trading_stream, orders and doubt in
trading, what may be ordered in rules. Here they are put together and asked what the Venue protocol asks. Two engines
of one run, crypto and equities, share the account: its REST, its stream, its money.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from decimal import Decimal

from msgspec.structs import replace

from config.errors import ConfigError
from config.sessions import load_sessions
from supervisor.beside import Beside
from supervisor.clock import NS_PER_S, Clock
from venues.alpaca import calendar, rules
from venues.alpaca.account import AccountFeed
from venues.alpaca.calendar import VenueCalendar
from venues.alpaca.cash import DATED_NS, Bearer, CashRows, CashWatch, dated_minor, split_minor
from venues.alpaca.order_list import listed
from venues.alpaca.orders import Orders, Translator, open_order
from venues.alpaca.parts import MarketFeed, Shared, Tell, Wanted, nobody
from venues.alpaca.rules import CLASSES, SHARE
from venues.alpaca.trading import Desk
from venues.alpaca.trading_wire import (
    CRYPTO,
    Account,
    Asset,
    Day,
    MarketClock,
    Position,
    plain_symbol,
)
from venues.alpaca.venue_time import VenueTime
from venues.alpaca.watch import Hours, Watch
from venues.backoff import MINUTE_NS
from venues.market import (
    MINOR_PER_USD,
    Accepted,
    AccountEvent,
    Bar,
    Book,
    Cancelled,
    CancelRefused,
    Fill,
    Instrument,
    MarketEvent,
    OpenOrder,
    OrderRequest,
    Rejected,
    Side,
    VenuePosition,
)
from venues.refusals import plain
from venues.venue import Capabilities, Owner, VenueMisspoke, VenueUnreachable

ACCOUNT_PATH = "/v2/account"
UNAUTHORIZED, FORBIDDEN = 401, 403
ACCOUNT_NS = 60 * NS_PER_S
"""Between looks at what the account may do."""

CALENDAR_AGAIN_NS = 3600 * NS_PER_S
"""After a day's first question for the calendar was not answered: what is known reaches three months ahead."""

TOUCH_NS = 10 * NS_PER_S
"""A best price older than this says nothing about what an order would match."""

PATIENT_TYPES = ("limit", "market", "")
"""Orders of other types wait for a trigger: they are nobody's business here."""


class Alpaca:
    """The Venue protocol. Without `trades` it is a market alone, and everything else raises."""

    def __init__(
        self,
        wanted: Wanted,
        shared: Shared,
        feed_of: Callable[[Sequence[str]], MarketFeed],
        clock: Clock,
        *,
        trades: bool,
    ):
        self.name = "alpaca"
        # an order has no expiry at Alpaca: doubt is closed by `find` itself, which brings its own proof
        self.capabilities = Capabilities(replace=True, expires=False, simulated=False)
        self.wanted = wanted
        self.shared = shared
        self.feed_of = feed_of
        self.clock = clock
        self.trades = trades
        self.tell: Tell = nobody  # what a person should know; the daemon logs it
        self.instruments: dict[str, Instrument] = {}
        self.traded: tuple[str, ...] = ()  # symbols whose market is listened to
        self.account_row: Account | None = None
        self.cash_minor: int | None = None  # this engine's part of the account's money, as last told
        self.cash_ns = 0  # when that was
        self.calendar: VenueCalendar | None = None
        self._calendar_day = ""  # in New York, on which it was asked for
        self._calendar_ns = 0  # when it may be asked for again
        self._days_told: set[str] = set()  # on which it is not ours
        self._account_ns = 0
        self._said = ""  # why the account is shut, as told last
        self._fractions: set[str] = set()
        self._leftovers: set[str] = set()
        self._market: MarketFeed | None = None
        self._desk: Desk | None = None
        self._watch: Watch | None = None
        self._feed: AccountFeed | None = None
        self._touch: dict[str, tuple[int, float, float]] = {}
        self._time = VenueTime(shared.rest, self.say)
        shared.users += 1
        if trades:
            shared.traders.append(self)

    # --- opening ------------------------------------------------------------------------------------------------------

    async def open(self) -> Sequence[Instrument]:
        """Ask what is listed, what the account may do and when the market opens. Raises ConfigError."""
        account = self.account_row = await self._log_in()
        await self._time.look()
        assets = await self._assets()
        instruments = self._listed(assets, account)
        self.instruments = {one.symbol: one for one in instruments}
        if any(one.asset_class == SHARE for one in instruments):
            await self._compare_calendars()
        held = {*self.wanted.held, *(await self._open_account(account, assets) if self.trades else ())}
        wanted = [one for one in self.instruments if one in held or assets[plain_symbol(one)].tradable]
        # what a plan has no room for are the last ones, and what is held without a price is never left
        self.traded = tuple(sorted(wanted, key=lambda one: one not in held))
        self._market = self.feed_of(self.traded)
        await self._market.open()  # what it does not cover, it tells
        return instruments

    async def _log_in(self) -> Account:
        """Ask for the account. Raises ConfigError where the venue does not know the key."""
        found = await self.shared.rest.ask(Account, ACCOUNT_PATH)
        if isinstance(found, Account):
            return found
        if found.status in (UNAUTHORIZED, FORBIDDEN):
            right = f"the venue refuses it ({found.text}); a key of paper is none of live, and the other way round"
            raise ConfigError(self.shared.key_field, right)
        raise VenueMisspoke(f"{ACCOUNT_PATH}: HTTP {found.status}: {found.text}")

    async def _assets(self) -> dict[str, Asset]:
        """What the venue lists of the classes that are wanted, by name without slash."""
        known: dict[str, Asset] = {}
        for kind in sorted({CLASSES[one.asset_class] for one in self.wanted.facts}):
            query = {"status": "active", "asset_class": kind}
            rows = await self.shared.rest.must(tuple[Asset, ...], "/v2/assets", query)
            known |= {plain_symbol(row.symbol): row for row in rows if row.asset_class in (kind, "")}
        return known

    def _listed(self, assets: dict[str, Asset], account: Account) -> list[Instrument]:
        """The instruments of what is wanted; what cannot be traded is told, and left out unless it is held."""
        refused, found = [], []
        for facts in self.wanted.facts:
            asset = assets.get(plain_symbol(facts.symbol))
            if asset is None:
                refused.append(f"{facts.symbol} is not listed")
                continue
            if not asset.tradable:
                refused.append(f"{facts.symbol} is not tradable")
                if facts.symbol not in self.wanted.held:
                    continue
            leverage = self.wanted.leverage.get(facts.symbol, facts.leverage)
            made = rules.instrument_of(asset, facts, may_short=account.shorting_enabled)
            found.append(replace(made, engine=self.wanted.engine, leverage=leverage))
        for text in refused:
            self.say(text)
        if not any(assets[plain_symbol(one.symbol)].tradable for one in found):
            names = ",".join(facts.symbol for facts in self.wanted.facts)
            raise ConfigError(f"{self.wanted.engine}.symbols", "the venue trades none of them", names)
        return found

    async def _compare_calendars(self) -> None:
        """Ask for the venue's sessions and tell where they are not ours."""
        ours = load_sessions()
        first, last = calendar.span(self.clock.now_ns(), ours.zone)
        query = {"start": first.isoformat(), "end": last.isoformat()}
        rows = await self.shared.rest.must(tuple[Day, ...], calendar.PATH, query)
        self.calendar, self._calendar_day = VenueCalendar(rows, ours.zone), first.isoformat()
        for text in self.calendar.differences(ours, first, last):
            if text not in self._days_told:
                self._days_told.add(text)
                self.say(text)

    async def _open_account(self, account: Account, assets: dict[str, Asset]) -> set[str]:
        """Make what trades; gives the names that the account holds already."""
        wanted, shared = self.wanted, self.shared
        translator = Translator(wanted.engine, self.instruments, Orders(wanted.known), wanted.fee_bps)
        if self._feed is not None:
            shared.stream.hearers.remove(self._feed)  # of an opening that came to nothing
        feed = self._feed = AccountFeed(shared.stream, shared.rest, translator, wanted.known_ns, self.say)
        own = {symbol: assets[plain_symbol(symbol)] for symbol in self.instruments}
        desk = self._desk = Desk(shared.rest, feed, self.instruments, own, self.say)
        desk.touch, desk.holds_back = self._best, self._holds_back
        watch = self._watch = Watch(shared.rest, desk, own, self.say)
        feed.works.append((watch.keep_assets, "alpaca assets"))
        if self.calendar is not None:
            desk.session_open = self._venue_open
            hours = Hours(wanted.engine, self.say)
            feed.works.append((lambda: watch.keep_hours(hours, lambda: self.calendar, feed.put), "alpaca hours"))
        shared.stream.tell = self.say
        self._judge(account)
        rows = await shared.rest.must(tuple[Position, ...], "/v2/positions")
        self.cash_minor, self.cash_ns = self._cash(account, rows), self.clock.now_ns()
        await self._open_cash(feed)
        if account.pattern_day_trader:
            self.say("the account is flagged as a pattern day trader")
        return {one.symbol for row in rows if (one := self._instrument(row.symbol)) is not None}

    async def _open_cash(self, feed: AccountFeed) -> None:
        """Hear from now on what comes and goes; what is listed with no more than a day is booked with the rest."""
        listed, wanted = CashRows(self.shared.rest, self.say), self.wanted
        if not wanted.opened_ns and self.cash_minor is not None:
            rows = await listed.since(self.cash_ns - DATED_NS)
            self.cash_minor -= dated_minor(rows, wanted.engine, self._bearers(), self.cash_ns)
        watch = CashWatch(listed, wanted.engine, self._bearers, wanted.known_ns)
        feed.works.append((lambda: watch.keep(feed.put), "alpaca account's money"))

    def _bearers(self) -> list[Bearer]:
        """The engines that share the money, in the order in which they shared the opening cash."""
        return [
            Bearer(
                one.wanted.engine,
                frozenset(plain_symbol(facts.symbol) for facts in one.wanted.facts),
                any(facts.asset_class == SHARE for facts in one.wanted.facts),
                one.wanted.opened_ns or one.cash_ns,
            )
            for one in self.shared.traders
        ]

    def _cash(self, account: Account, rows: Sequence[Position]) -> int:
        """This engine's part of the money: an equal share of the cash, and what its positions cost.

        Positions that were there before are booked as bought for what they cost, which takes that off again. What the
        books of other engines have already is theirs: an engine that comes later shares the rest.
        """
        new = [one for one in self.shared.traders if one is self or not one.wanted.opened_ns]
        place, all_ = new.index(self), len(new)
        taken_minor = 0 if self.wanted.opened_ns else self.wanted.taken_minor
        cash_minor = max(0, round(account.cash * MINOR_PER_USD) - taken_minor)
        share = split_minor(cash_minor, place, all_)
        mine = [row for row in rows if self._instrument(row.symbol) is not None]
        cost = sum(((abs(row.cost_basis) * (-1 if row.signed < 0 else 1)) for row in mine), Decimal(0))
        return share + round(cost * MINOR_PER_USD)

    def _know_cash(self, account: Account) -> None:
        """What cash the ledger should hold now; nobody knows it of an engine that shares the account with another.

        Nor of coins: what the venue takes of them as a fee comes off at the day's end, in coins.
        """
        alone = len(self.shared.traders) == 1 and all(one.asset_class == SHARE for one in self.instruments.values())
        self.cash_minor = round(account.cash * MINOR_PER_USD) if alone else None
        self.cash_ns = self.clock.now_ns()

    def say(self, text: str) -> None:
        """Tell a person."""
        self.tell(text)

    # --- streams ------------------------------------------------------------------------------------------------------

    async def market(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Books and trades in batches; never ends by itself."""
        assert self._market is not None, "open() comes first"
        touch = self._touch
        beside = Beside(self.clock)
        beside.start(self._time.keep(), "alpaca clock")
        try:
            async for batch in self._market.market():
                beside.check()
                if self.trades:
                    for event in batch:
                        if type(event) is Book and event.bids and event.asks:
                            touch[event.symbol] = (event.received_ns, event.bids[0].price, event.asks[0].price)
                yield batch
        finally:
            await beside.stop()

    async def account(self) -> AsyncIterator[AccountEvent]:
        """What happens to our orders."""
        async for event in self._account().iterate():
            yield event

    def deaf(self) -> Collection[str]:
        """Symbols of whose market or whose fills something may be missed now; all of them while the clocks part."""
        if self._time.skew.shut() or (self.trades and not self._account().ready):
            return self.traded
        return self._market.deaf() if self._market is not None else ()

    def _best(self, symbol: str, side: Side) -> Decimal | None:
        """The best price of a side, if one was heard a moment ago."""
        at_ns, bid, ask = self._touch.get(symbol, (0, 0.0, 0.0))
        if self.clock.now_ns() - at_ns > TOUCH_NS:
            return None
        return Decimal(repr(bid if side is Side.BUY else ask))

    # --- orders -------------------------------------------------------------------------------------------------------

    async def submit(self, order: OrderRequest) -> Accepted | Rejected:
        """Send an order and wait for the verdict."""
        return await self._orders().submit(order)

    async def cancel(self, symbol: str, order_id: str) -> Cancelled | CancelRefused:
        """Cancel a resting order and wait until it is over."""
        return await self._orders().cancel(self.wanted.engine, symbol, order_id)

    async def replace(self, order: OrderRequest) -> Accepted | Rejected | CancelRefused:
        """Put an order in the place of another one; the verdict is about the new one."""
        return await self._orders().replace(order)

    def _holds_back(self, symbol: str) -> str:
        """Why no entry may be sent, beside what is the matter with the symbol or the wire."""
        if self._said:
            return self._said
        if self._watch is not None and (why := self._watch.shut.get(symbol)):
            return f"{symbol} {why}"
        instrument = self.instruments.get(symbol)
        if instrument is not None and instrument.asset_class == SHARE and not self._venue_open():
            return "the venue's calendar has no session now"
        return ""

    def _venue_open(self) -> bool:
        return self.calendar is None or self.calendar.is_open(self.clock.now_ns())

    # --- questions ----------------------------------------------------------------------------------------------------

    async def open_orders(self) -> Sequence[OpenOrder]:
        """Every order of what is traded here that rests now; orders that wait for a trigger are not ours."""
        orders = self._account().orders
        found: dict[str, OpenOrder] = {}
        for row in await listed(self.shared.rest, "open"):
            instrument = self._instrument(row.symbol)
            if instrument is not None and row.type in PATIENT_TYPES:
                found[row.id] = open_order(orders.bind(row), row, instrument)
        return list(found.values())

    async def positions(self) -> Sequence[VenuePosition]:
        """Every position of what is traded here that is not flat."""
        if self.clock.now_ns() - self._account_ns > ACCOUNT_NS:
            account = await self.shared.rest.must(Account, ACCOUNT_PATH)
            self._judge(account)
            self._know_cash(account)
            await self._renew_calendar()
        held = []
        rows = await self.shared.rest.must(tuple[Position, ...], "/v2/positions")
        told = {plain_symbol(row.symbol): row.signed for row in rows}
        for name in map(plain_symbol, self.instruments):
            self._account().count_held(name, told.get(name, Decimal(0)))
        for row in rows:
            instrument = self._instrument(row.symbol)
            if instrument is None:
                continue
            lots = rules.whole_lots(instrument, row.signed)
            rest = row.signed - instrument.size(lots)
            if rest and instrument.symbol not in self._fractions:
                self._fractions.add(instrument.symbol)
                self.say(f"{plain(rest)} of {instrument.symbol} is less than a lot and left alone")
            self._note_leftover(instrument, lots, row.avg_entry_price)
            if lots:
                held.append(VenuePosition(instrument.symbol, lots, float(row.avg_entry_price / instrument.tick)))
        return held

    def _note_leftover(self, instrument: Instrument, lots: int, price: Decimal) -> None:
        """Tell once of coins that no order can sell; the next exit takes them along."""
        symbol, least = instrument.symbol, instrument.notional_min_usd
        if instrument.asset_class == SHARE or not lots or instrument.size(lots) * price >= least:
            self._leftovers.discard(symbol)
        elif symbol not in self._leftovers:
            self._leftovers.add(symbol)
            self.say(
                f"{plain(instrument.size(lots))} {symbol} cost less than {plain(least)} USD: too little to be sold"
            )

    async def _renew_calendar(self) -> None:
        """Ask for the sessions once a day: what was asked ends, and a day of mourning is announced a week before."""
        now_ns = self.clock.now_ns()
        if self.calendar is None or rules.day_of(now_ns) == self._calendar_day or now_ns < self._calendar_ns:
            return
        self._calendar_ns = now_ns + CALENDAR_AGAIN_NS  # before it is asked: who looks at positions may give up waiting
        try:
            await self._compare_calendars()
        except (VenueUnreachable, VenueMisspoke) as error:
            self.say(f"the calendar of yesterday stays: {error}")

    def _judge(self, account: Account) -> None:
        """What the account may do now; a change is told, and so is shut."""
        self.account_row, self._account_ns = account, self.clock.now_ns()
        shut = account.shut
        crypto = any(one.asset_class != SHARE for one in self.instruments.values())
        if not shut and crypto and account.crypto_status not in ("ACTIVE", ""):
            shut = f"{CRYPTO} is {account.crypto_status} for this account"
        if shut != self._said:
            self._said = shut
            self.say(f"no entries: {shut}" if shut else "entries may be sent again")

    @property
    def equity_minor(self) -> int | None:
        """The whole account's worth by the venue's own count; None before it was asked."""
        return None if self.account_row is None else round(self.account_row.equity * MINOR_PER_USD)

    def theirs_ns(self, at_ns: int) -> int:
        """What the venue's clock said when ours said that, by its own answers."""
        return self._time.skew.theirs_ns(at_ns)

    async def fills(self, since_ns: int) -> Sequence[Fill]:
        """Every fill at or after a time of ours, oldest first."""
        return await self._account().fills(min(since_ns, self.theirs_ns(since_ns)))

    async def find(self, symbol: str, order_id: str) -> OpenOrder | Cancelled | Rejected | None:
        """What became of an order; what it says was proven, and None means: ask again."""
        return await self._orders().find(self.wanted.engine, symbol, order_id)

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """The last closed bars, oldest first; none of a length that the venue has no bars of."""
        assert self._market is not None, "open() comes first"
        if symbol not in self.traded or interval_ns < MINUTE_NS or interval_ns % MINUTE_NS:
            return ()
        return await self._market.history(symbol, interval_ns, bars)

    async def close(self) -> None:
        """Let go of this engine's streams; of the account when no other engine uses it."""
        if self._feed is not None:
            await self._feed.close()
        if self._market is not None:
            await self._market.close()
        self.shared.users -= 1
        if self.shared.users <= 0:
            await self.shared.rest.close()
            if self.shared.close_data is not None:
                await self.shared.close_data()

    # --- who watches --------------------------------------------------------------------------------------------------

    def owner(self) -> Owner:
        """Whose orders rest here."""
        return Owner(account=self.account_row.id if self.account_row else "")

    def answers(self) -> int:
        """How many requests of the account were answered so far."""
        return self.shared.rest.answers

    async def knock(self) -> None:
        """Ask the cheapest question there is."""
        await self.shared.rest.must(MarketClock, "/v2/clock")

    # --- small things -------------------------------------------------------------------------------------------------

    def _instrument(self, symbol: str) -> Instrument | None:
        known = self.instruments.get(symbol)
        if known is None:
            named = plain_symbol(symbol)
            known = next((one for one in self.instruments.values() if plain_symbol(one.symbol) == named), None)
        return known

    def _orders(self) -> Desk:
        assert self._desk is not None, "open() with an account comes first"
        return self._desk

    def _account(self) -> AccountFeed:
        assert self._feed is not None, "open() with an account comes first"
        return self._feed
