"""Alpaca's venue as a synchronous state machine: requests and times in, answers and messages out.

It reads no clock, opens no socket, starts no task. Time is given with each call; a time that runs back is taken as the
latest one seen. What is asked of an order reaches the market `delay_ns` after it was answered, as at the venue: until
then the order is pending, and a replace or cancel may lose to a fill. Shares trade in their session: what comes outside
of it waits for the next one, and what is good for the day ends with it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any

from msgspec import Struct, structs
from msgspec.structs import replace

from config.sessions import Sessions
from config.universe import load_universe
from supervisor.clock import NS_PER_S
from venues.emulator.alpaca import errors
from venues.emulator.alpaca.accounts import Account, News
from venues.emulator.alpaca.bars import MINUTE_NS, Bars
from venues.emulator.alpaca.config import AccountConfig, ExchangeConfig
from venues.emulator.alpaca.errors import invalid, unprocessable
from venues.emulator.alpaca.figures import Mint
from venues.emulator.alpaca.frames import Ladder, Message, Topic
from venues.emulator.alpaca.funds import Funds
from venues.emulator.alpaca.listing import BILLIONTH, Asset, Listing
from venues.emulator.alpaca.orders import (
    ACCEPTED,
    CANCELED,
    DAY,
    EXPIRED,
    FILLED,
    FOK,
    LIMIT,
    MARKET,
    NEW,
    PARTIALLY_FILLED,
    PENDING_CANCEL,
    PENDING_NEW,
    PENDING_REPLACE,
    REJECTED,
    REPLACED,
    Order,
    Telling,
)
from venues.emulator.alpaca.placing import Desk, Draft, number
from venues.emulator.alpaca.sessions import Hours
from venues.emulator.alpaca.tape import MarketSource, Tape
from venues.market import Book, Fill, MarketEvent, Side

DAY_TRADE_SESSIONS = 5
BAR_DELAY_NS = NS_PER_S // 10
"""A minute's bar comes that long after its end."""
UPDATE_DELAY_NS = 30 * NS_PER_S
UPDATED_SHARE = 0.05  # of bars that come a second time, as after a trade that was told late; a guess


class Happening(Struct, frozen=True):
    """Something that sockets are to hear: of a topic, or of an account."""

    at_ns: int
    topic: Topic | None = None
    message: Message | None = None
    account: Account | None = None
    news: News | None = None


class AlpacaExchange:
    """The whole venue: one market of coins and shares, several accounts."""

    def __init__(
        self, market: MarketSource, accounts: Sequence[AccountConfig], config: ExchangeConfig, sessions: Sessions
    ) -> None:
        """`market` is an AleatoricMarket of names of the universes of coins and shares; what it has is listed."""
        self.config, self.mint, self.hours = config, Mint(config.seed), Hours(sessions)
        facts = load_universe("crypto") | load_universe("equities")
        self.listing = Listing((facts[name] for name in market.models), config, self.mint)
        assets = self.listing.assets
        bars = {
            name: Bars(model, market.seed, market.start_ns, self.hours, crypto=assets[name].crypto)
            for name, model in market.models.items()
        }
        self.tape = Tape(market, self.listing, bars, self.mint)
        self.desk = Desk(self.listing, self.tape)
        self.accounts = {one.key_id: Account(one, assets.values(), config.fees, self.mint) for one in accounts}
        self.telling = Telling(binary=config.paper)
        self.now_ns = self.start_ns = market.start_ns
        self.race_ns = 0  # until then a replace loses to a fill
        self.spoilt: tuple[str, int] = ("", 0)  # what is wrong with books that are told, until when
        self.scarce: tuple[float, int] = (1.0, 0)  # share of what books show that orders find, until when
        self._fresh: set[str] = set()  # shares that have had a book in this session
        self._watched: dict[Topic, int] = {}
        self._ladders: dict[str, Ladder] = {}
        self._touches: dict[str, tuple[Any, Any]] = {}
        self._outbox: list[Happening] = []
        self._agenda: list[tuple[int, int, Callable[[int], None]]] = []
        self._numbers = count()
        self._start_clockwork()

    # --- time -----------------------------------------------------------------------------------------------------

    def advance(self, now_ns: int) -> list[Happening]:
        """Move the market to a time and return what sockets hear."""
        self.roll(now_ns)
        told, self._outbox = self._outbox, []
        return told

    def roll(self, now_ns: int) -> None:
        """Move the market to a time; what happens waits for the next `advance`."""
        self.now_ns = max(self.now_ns, now_ns)
        for at_ns, events, trades in self.tape.batches(self.now_ns):
            self._run_agenda(at_ns)
            self._step(at_ns, events, trades)
        self._run_agenda(self.now_ns)

    def _run_agenda(self, until_ns: int) -> None:
        while self._agenda and self._agenda[0][0] <= until_ns:
            at_ns, _, do = heappop(self._agenda)
            do(at_ns)
            self.flush()

    def later(self, at_ns: int, do: Callable[[int], None]) -> None:
        """Do something at a time."""
        heappush(self._agenda, (at_ns, next(self._numbers), do))

    def _start_clockwork(self) -> None:
        start_ns = self.start_ns
        self.later(self.hours.next_open_ns(start_ns), self._at_open)
        self.later(self.hours.next_close_ns(start_ns), self._at_close)
        self.later(start_ns // MINUTE_NS * MINUTE_NS + MINUTE_NS + BAR_DELAY_NS, self._at_minute)

    def _at_open(self, at_ns: int) -> None:
        """Shares begin to trade: what waits goes to the market with the first book, not on what the last one was."""
        self.later(self.hours.next_open_ns(at_ns), self._at_open)
        self._fresh.clear()

    def _open_names(self, events: Sequence[MarketEvent], at_ns: int) -> None:
        """Shares that have their first book of a session: what waited for it goes to the market."""
        books = {event.symbol for event in events if isinstance(event, Book)} - self._fresh
        names = {name for name in books if not self.listing.assets[name].crypto}
        self._fresh |= names
        for account in self.accounts.values() if names else ():
            for order in list(account.open.values()):
                if order.asset.symbol in names and not order.routed and self._is_due(account, order, at_ns):
                    self._route(account, order, at_ns)

    def _is_due(self, account: Account, order: Order, at_ns: int) -> bool:
        """Whether an order has got here, and is none that waits for another to be taken out."""
        old = account.orders.get(order.replaces or "")
        return order.created_ns + self.config.delay_ns <= at_ns and (old is None or not old.open)

    def _at_close(self, at_ns: int) -> None:
        """Shares cease to trade: what was good for the day ends."""
        self.later(self.hours.next_close_ns(at_ns), self._at_close)
        for account in self.accounts.values():
            for order in list(account.open.values()):
                if not order.asset.crypto and order.tif == DAY:
                    account.withdraw(order, EXPIRED, at_ns)
            account.last_equity_minor = self.funds(account).equity_minor
            account.traded = {}

    # --- the market -----------------------------------------------------------------------------------------------

    def _step(self, at_ns: int, events: Sequence[MarketEvent], trades: Sequence[Message]) -> None:
        """One instant: accounts first, then everybody."""
        met = self._thinned(events, at_ns)
        for account in self.accounts.values():
            account.hear(met, at_ns)
        self._open_names(events, at_ns)
        self.flush()
        if not self._watched:
            return
        for message in trades:
            self._publish(at_ns, Topic("trades", message["S"]), message)
        for event in events:
            if isinstance(event, Book):
                self._publish_book(at_ns, event)

    def _thinned(self, events: Sequence[MarketEvent], at_ns: int) -> Sequence[MarketEvent]:
        """What orders find while a fault makes everything scarce."""
        share, until_ns = self.scarce
        if at_ns >= until_ns:
            return events
        thin: list[MarketEvent] = []
        for event in events:
            step = float(BILLIONTH) if self.listing.assets[event.symbol].crypto else 1.0  # no part of a share trades
            if isinstance(event, Book):
                bids, asks = (
                    tuple(structs.replace(one, size=_part(one.size, share, step)) for one in side)
                    for side in (event.bids, event.asks)
                )
                thin.append(structs.replace(event, bids=bids, asks=asks))
            else:
                thin.append(structs.replace(event, size=_part(event.size, share, step)))
        return thin

    def _publish(self, at_ns: int, topic: Topic, message: Message) -> None:
        if topic in self._watched:
            self._outbox.append(Happening(at_ns, topic, message))

    def spoil(self, kind: str, until_ns: int) -> None:
        """Tell books wrongly until a time; then those of coins are told whole again."""
        self.spoilt = kind, until_ns
        self.later(until_ns, self._tell_whole)

    def _tell_whole(self, at_ns: int) -> None:
        for symbol, ladder in self._ladders.items():
            self._publish(at_ns, Topic("orderbooks", symbol), ladder.whole())

    def _spoil(self, at_ns: int, book: Book) -> None:
        """A book as it is told wrongly."""
        kind, quotes, ladder = self.spoilt[0], Topic("quotes", book.symbol), self._ladders.get(book.symbol)
        if ladder is not None:
            ladder.change(book.bids, book.asks, book.at_ns)
        if kind == "lost_books":
            return
        crossed = kind == "crossed_books"
        wrong = replace(book, bids=book.asks if crossed else (), asks=book.bids if crossed else ())
        if quotes in self._watched and crossed:
            self._publish(at_ns, quotes, self.tape.quote_of(wrong))
        if ladder is not None:
            told = Ladder(book.symbol)
            told.change(wrong.bids, wrong.asks, book.at_ns)
            self._publish(at_ns, Topic("orderbooks", book.symbol), told.whole())

    def _publish_book(self, at_ns: int, book: Book) -> None:
        if at_ns < self.spoilt[1]:
            self._spoil(at_ns, book)
            return
        topic = Topic("quotes", book.symbol)
        if topic in self._watched:
            touch = (book.bids[:1], book.asks[:1])
            if self._touches.get(book.symbol) != touch:
                self._touches[book.symbol] = touch
                self._publish(at_ns, topic, self.tape.quote_of(book))
        ladder = self._ladders.get(book.symbol)
        if ladder is not None and (change := ladder.change(book.bids, book.asks, book.at_ns)):
            self._publish(at_ns, Topic("orderbooks", book.symbol), change)

    def _at_minute(self, at_ns: int) -> None:
        """A minute has ended: its bars, and the days' bars as far as they are."""
        self.later(at_ns + MINUTE_NS, self._at_minute)
        start_ns = at_ns // MINUTE_NS * MINUTE_NS - MINUTE_NS
        for topic in list(self._watched):
            bars = self.tape.bars.get(topic.symbol)
            minute = bars.minute(start_ns) if bars else None
            if bars is None or minute is None:
                continue
            if topic.channel == "bars":
                self._publish(at_ns, topic, {"T": "b", "S": topic.symbol, **minute.row()})
            elif topic.channel == "dailyBars" and (day := bars.day(start_ns)):
                self._publish(at_ns, topic, {"T": "d", "S": topic.symbol, **day.row()})
            elif topic.channel == "updatedBars" and self.mint.chance(UPDATED_SHARE, "update", topic.symbol, start_ns):
                told = {"T": "u", "S": topic.symbol, **minute.row()}
                self.later(at_ns + UPDATE_DELAY_NS, partial(self._publish, topic=topic, message=told))

    # --- subscriptions --------------------------------------------------------------------------------------------

    def watch(self, topic: Topic) -> Message | None:
        """One more socket hears a topic; returns what it is to hear first."""
        self._watched[topic] = self._watched.get(topic, 0) + 1
        if topic.channel != "orderbooks":
            return None
        ladder = self._ladders.get(topic.symbol)
        if ladder is None:
            ladder = self._ladders[topic.symbol] = Ladder(topic.symbol)
            if (book := self.tape.books.get(topic.symbol)) is not None:
                ladder.change(book.bids, book.asks, book.at_ns)
        return ladder.whole()

    def unwatch(self, topic: Topic) -> None:
        """One socket less hears a topic."""
        left = self._watched.get(topic, 0) - 1
        if left > 0:
            self._watched[topic] = left
            return
        self._watched.pop(topic, None)
        if topic.channel == "orderbooks":
            self._ladders.pop(topic.symbol, None)

    def flush(self) -> None:
        """What accounts' streams hear of what happened to them."""
        for account in self.accounts.values():
            news, account.news = account.news, []
            self._outbox += [Happening(one.at_ns, account=account, news=one) for one in news]

    # --- orders ---------------------------------------------------------------------------------------------------

    def funds(self, account: Account) -> Funds:
        """An account's money now."""
        return Funds(account, self.tape.mark_ticks)

    def day_trades_since_ns(self) -> int:
        """From when on day trades still count."""
        at_ns = self.now_ns
        for _ in range(DAY_TRADE_SESSIONS):
            at_ns = self.hours.last_close_ns(at_ns) - 1
        return at_ns

    def _trading(self, asset: Asset) -> bool:
        return asset.crypto or self.hours.is_open(self.now_ns)

    def place(self, account: Account, body: dict[str, Any]) -> Order:
        """A new order. Raises Refused."""
        draft = self.desk.draft(body)
        self.desk.check_account(account, draft, self.funds(account), self.day_trades_since_ns())
        return self._take(account, draft)

    def _take(self, account: Account, draft: Draft, replaces: str | None = None) -> Order:
        """Let an order in; it reaches the market a little later, or when the market opens."""
        asset, now_ns = draft.asset, self.now_ns
        key = self.mint.next_uuid()
        order = Order(
            id=key,
            client_order_id=draft.client_order_id or self.mint.uuid("client", key),
            asset=asset,
            side=draft.side,
            type=draft.type,
            tif=draft.tif,
            ticks=draft.ticks,
            lots=draft.lots,
            notional=draft.notional,
            status=PENDING_NEW if self._trading(asset) else ACCEPTED,
            created_ns=now_ns,
            updated_ns=now_ns,
            number=next(self._numbers),
            intent=_intent(account.lots(asset.symbol), draft.side),
            replaces=replaces,
        )
        account.know(order)
        account.turn(order, order.status, now_ns)
        self.flush()
        if replaces is None and order.status == PENDING_NEW:
            self.later(now_ns + self.config.delay_ns, lambda at_ns: self._arrive(account, order, at_ns))
        return order

    def _arrive(self, account: Account, order: Order, at_ns: int) -> None:
        """An order gets to the market."""
        if not order.open or order.routed:
            return
        if not order.asset.crypto and not self.hours.is_open(at_ns):
            account.turn(order, ACCEPTED, at_ns)  # it closed in between
        elif order.asset.crypto or order.asset.symbol in self._fresh:
            self._route(account, order, at_ns)

    def _route(self, account: Account, order: Order, at_ns: int) -> None:
        """Let an order into the market."""
        if not self.listing.trades(order.asset.symbol):
            account.withdraw(order, REJECTED, at_ns)
        elif order.tif == FOK and not self._fills_at_once(order):
            account.turn(order, NEW, at_ns)
            account.withdraw(order, CANCELED, at_ns)
        else:
            asked = order.status if order.status in (PENDING_CANCEL, PENDING_REPLACE) else ""
            account.submit(order, at_ns)
            if asked and order.open:
                order.status = asked

    def _fills_at_once(self, order: Order) -> bool:
        book = self.tape.books.get(order.asset.symbol)
        levels = () if book is None else book.asks if order.side is Side.BUY else book.bids
        limit = float(order.ticks * order.asset.tick)
        size = sum(one.size for one in levels if (one.price - limit) * order.side.sign <= 0)
        return size >= float(order.lots * order.asset.lot)

    def cancel(self, account: Account, order: Order) -> None:
        """Ask for the end of an order. Raises Refused where there is nothing to end."""
        if not order.open:
            raise unprocessable(f'order is already in "{order.status}" state')
        if order.status == PENDING_CANCEL:
            raise unprocessable("order pending cancel")
        order.cancel_asked_ns = self.now_ns
        account.turn(order, PENDING_CANCEL, self.now_ns)
        self.flush()

        def arrive(at_ns: int) -> None:
            if order.open:
                account.withdraw(order, CANCELED, at_ns)

        self.later(self.now_ns + self.config.delay_ns, arrive)

    def replace(self, account: Account, old: Order, body: dict[str, Any]) -> Order:
        """Put another order in the place of one; which of the two lives is decided at the market. Raises Refused.

        The new one is for all that it says, or for all that the old one was for: what was filled of that is not taken
        off (Alpaca-API issue 165).
        """
        draft = self._redraft(account, old, body)
        new = self._take(account, draft, replaces=old.id)
        old.replaced_by = new.id
        account.turn(old, PENDING_REPLACE, self.now_ns)
        self.flush()
        self.later(self.now_ns + self.config.delay_ns, lambda at_ns: self._swap(account, old, new, at_ns))
        return new

    def _redraft(self, account: Account, old: Order, body: dict[str, Any]) -> Draft:
        """The order that is to take the place of another. Raises Refused."""
        if old.status not in (NEW, PARTIALLY_FILLED):
            if not old.open:
                raise unprocessable(f'order is already in "{old.status}" state')
            raise unprocessable(f"cannot replace order in {old.status} status")
        if old.notional is not None:
            raise unprocessable("notional orders cannot be replaced")
        price, quantity = number(body, "limit_price"), number(body, "qty")
        if price is not None and old.type == MARKET:
            raise unprocessable("market orders have no limit price")
        lots = old.lots if quantity is None else int(quantity / old.asset.lot)
        if quantity is not None and quantity % 1:
            raise unprocessable("qty must be integer")
        if quantity is not None and old.fractional:
            raise unprocessable("qty of fractional orders cannot be changed")
        ticks = old.ticks if price is None else self.desk.ticks(old.asset, price)
        client_id = body.get("client_order_id") or None
        if client_id in account.by_client:
            raise invalid(errors.DUPLICATE)
        tif = body.get("time_in_force") or old.tif
        if old.asset.crypto and tif not in ("gtc", "ioc"):
            raise unprocessable("invalid crypto time_in_force")
        if (lots, ticks, tif) == (old.lots, old.ticks, old.tif):
            raise unprocessable("order parameters are not changed")
        self.desk.check_cost(old.asset, ticks, lots, None)
        self.desk.check_wash(account, old.asset, old.side, LIMIT, ticks)
        self.funds(account).check(old.asset, old.side, lots, ticks, besides=old.id)
        return Draft(
            asset=old.asset,
            side=old.side,
            type=old.type,
            tif=tif,
            ticks=ticks,
            lots=lots,
            notional=None,
            client_order_id=client_id,
        )

    def _swap(self, account: Account, old: Order, new: Order, at_ns: int) -> None:
        """A replace reaches the market: the old order goes and the new one comes, or the old one was faster."""
        if at_ns < self.race_ns and old.open and old.routed:
            self._win_race(account, old, at_ns)
        if old.status == FILLED or not old.open:
            old.replaced_by = None
            account.turn(old, old.status, at_ns, "order_replace_rejected")
            account.withdraw(new, REJECTED, at_ns)
            return
        if old.id in account.engine.live:
            account.engine.cancel(old.id, at_ns)
        old.replaced_ns = at_ns
        account.turn(old, REPLACED, at_ns)
        self._arrive(account, new, at_ns)

    def _win_race(self, account: Account, order: Order, at_ns: int) -> None:
        """A fault: the rest of an order is filled at its own price just before something else is done with it."""
        left, instrument = order.left, order.asset.instrument
        account.engine.cancel(order.id, at_ns)
        fee = account.engine.account.fill(instrument, order.side.sign * left, order.ticks, maker=True)
        key = f"race-{order.id}"
        place = (instrument.symbol, order.side, left, order.ticks)
        fill = Fill(instrument.engine, key, order.id, *place, fee_minor=fee, maker=True, at_ns=at_ns)
        account.filled(order, fill, at_ns)

    def lose_orders(self) -> None:
        """Every order that rests is gone."""
        for account in self.accounts.values():
            for order in list(account.open.values()):
                account.withdraw(order, CANCELED, self.now_ns)
        self.flush()

    def delist(self, symbol: str) -> None:
        """A name is no longer traded: its orders end, what is held stays."""
        self.listing.halted.add(symbol)
        for account in self.accounts.values():
            for order in [one for one in account.open.values() if one.asset.symbol == symbol]:
                account.withdraw(order, CANCELED, self.now_ns)
        self.flush()


def _intent(held: int, side: Side) -> str:
    if side is Side.BUY:
        return "buy_to_close" if held < 0 else "buy_to_open"
    return "sell_to_close" if held > 0 else "sell_to_open"


def _part(size: float, share: float, step: float) -> float:
    """A share of a size in whole steps, one at least."""
    return max(size * share // step * step, step)
