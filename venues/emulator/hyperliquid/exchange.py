"""Hyperliquid's exchange as a pure, synchronous state machine: bodies and times in, answers and frames out.

It reads no clock, opens no socket, starts no task. What the server around it must do:

- Time. Give each call the venue's time, `now_ns`, from the market's start on. A time that runs back is taken as the
  latest one seen. Made-up clock skew is added by the server: nothing here minds.
- Market. Call `advance(now_ns)` at least each 100 ms, and at once after each `exchange` or `posted`: it moves the
  market on and returns what subscribers hear, in order. `info`, `exchange` and `snapshot` move the market on too; what
  happens then waits for the next `advance`.
- Subscriptions. On `subscribe`: `topic = exchange.topic(subscription)`.
      UnknownCoin  close the socket with 1006 (abort, no close frame): the venue does so for a name it does not list
      BadRequest   send `errors.bad_request(text of the client's message)` and stay open
  Keep a set of `topic.key` per socket: a second subscribe is answered `errors.already(topic.subscription)`, an
  unsubscribe of what is not there `errors.not_there(topic.subscription)`. Else send what `advance` has, then
  `topic.ack("subscribe")`, then each frame of `snapshot(topic, now_ns)`, and call `watch(topic)`; on unsubscribe and on
  close `unwatch(topic)`. Frames are made only for topics that somebody watches. A Happening goes to every socket that
  holds its `key`. Slow and fast l2Book of a coin have different keys and the same channel, as at the venue.
- Requests. POST /info -> `info(body, now_ns, ip)`, POST /exchange -> `exchange(body, now_ns, ip)`, WebSocket `post` ->
  `posted(message, now_ns, ip)`; `body` is the decoded JSON. All return bytes for HTTP 200 or the socket. They raise
  Refused(status, body): answer that status with that text (422 for what can't be read, 429 over the IP's weight).
- Faults. `delist`, `halt`, `cap`, `restart`, `scarce` and `deposit` are the venue's own happenings. Late, doubled, lost
  and reordered frames are the server's: it holds Happenings back or sends them twice.
- Sockets. Ping, pong, 60 s of silence, limits on connections, messages and users are the server's; count each message
  with `usage.message(ip, now_ns)` so that tests find the highest use of any 60 s in `usage`.

What is not there: trigger orders and TWAPs (refused), liquidations, spot trading, vaults beyond sub-accounts, approval
of agents by signature (they are configured, or `approve` is called).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from config.universe import SymbolFacts, load_universe
from supervisor.clock import NS_PER_MS
from venues.emulator.hyperliquid import errors
from venues.emulator.hyperliquid.accounts import Account
from venues.emulator.hyperliquid.actions import Actions, batch_size
from venues.emulator.hyperliquid.config import MAIN, AccountConfig, ExchangeConfig
from venues.emulator.hyperliquid.errors import Refused
from venues.emulator.hyperliquid.frames import book_data, encode, frame, touch_data
from venues.emulator.hyperliquid.listing import Listing
from venues.emulator.hyperliquid.minting import Mint
from venues.emulator.hyperliquid.placing import Placing
from venues.emulator.hyperliquid.questions import Questions
from venues.emulator.hyperliquid.tape import HOUR_NS, REPLAYED, MarketSource, Tape
from venues.emulator.hyperliquid.topics import Topic, topic_of
from venues.emulator.hyperliquid.usage import Usage, action_weight, answer_weight, info_weight
from venues.market import MINOR_PER_USD, Book, MarketEvent, Trade

SLOW_NS = 5_400_000_000  # between default books: 5.36 to 5.41 s in probes of 2026-09
CONTEXT_NS = 1_000_000_000
MIDS_NS = 5_000_000_000
DAY_NS = 86_400_000_000_000
IP = "127.0.0.1"

__all__ = ["Happening", "HyperliquidExchange", "Topic"]


class Happening(Struct, frozen=True):
    """One frame for everybody who is subscribed to `key`."""

    at_ns: int
    key: str
    frame: bytes


class HyperliquidExchange:
    """The whole venue: one market, several dexs, several accounts."""

    def __init__(self, market: MarketSource, accounts: Sequence[AccountConfig], config: ExchangeConfig) -> None:
        """`market` is an AleatoricMarket of names of the perps universe; its names are what is listed."""
        self.config = config
        self.mint = Mint(config.seed)
        self.listing = Listing(_facts(market), self.mint)
        self.usage = Usage()
        self.now_ns = market.start_ns
        self._market = market
        self._tape = Tape(market, self.listing, self.mint)
        self.accounts = {one.address.lower(): self._open(one) for one in accounts}
        self._placing = Placing(config, self.listing, self._tape, self.mint)
        self._actions = Actions(config, self.accounts, self.listing, self._placing, self.mint)
        self._questions = Questions(
            config, self.accounts, self._actions.agents, self.listing, self._tape, market, self.mint
        )
        self._questions.since_ms = market.start_ns // NS_PER_MS
        for one in accounts:
            for name, agent in one.agents.items():
                self.approve(agent, one.address, name)
        self._watched: dict[str, list[Any]] = {}  # key -> [topic, how many]
        self._touches: dict[str, tuple[Any, Any]] = {}
        self._outbox: list[Happening] = []
        self._hour = market.start_ns // HOUR_NS + 1
        self._batch_ns = market.start_ns
        self.spoilt: tuple[str, int] = ("", 0)  # what is wrong with books that are told, until when
        self._scarce: dict[str, tuple[Fraction, int]] = {}  # name, or all: share, until when

    def _open(self, config: AccountConfig) -> Account:
        return Account(config, self.config, self.listing, self._tape, self.mint)

    # --- the market ---------------------------------------------------------------------------------------------------

    def advance(self, now_ns: int) -> list[Happening]:
        """Move the market to a time and return what subscribers hear."""
        self._roll(now_ns)
        told, self._outbox = self._outbox, []
        return told

    def _roll(self, now_ns: int) -> None:
        self.now_ns = max(self.now_ns, now_ns)
        for at_ns, events in self._tape.batches(self.now_ns):
            self._clockwork(at_ns)
            self._step(at_ns, events)
        self._clockwork(self.now_ns)

    def _clockwork(self, at_ns: int) -> None:
        """Whatever is due by the clock: funding, scheduled cancels."""
        while (paid_ns := self._questions.funding_ms(self._hour * HOUR_NS) * NS_PER_MS) <= at_ns:
            for rate in self._tape.funding(self._hour * HOUR_NS):
                asset = self.listing.assets[rate.symbol]
                ticks = round(self._tape.oracle(asset.name, paid_ns) / asset.tick)
                for account in self.accounts.values():
                    account.fund(asset, rate.rate, ticks, paid_ns)
            self._hour += 1
            self._flush(paid_ns)
        for account in self.accounts.values():
            plan = account.plan
            if plan.at_ms and plan.at_ms <= at_ns // NS_PER_MS:
                day = at_ns // DAY_NS
                plan.triggered, plan.day, plan.at_ms = (plan.triggered + 1 if plan.day == day else 1), day, 0
                for order in list(account.live.values()):
                    account.cancel(order, at_ns, "scheduledCancel")
                self._flush(at_ns)

    def _step(self, at_ns: int, events: Sequence[MarketEvent]) -> None:
        """One instant: accounts first, then everybody."""
        met = [self._thinned(event, at_ns) for event in events] if self._scarce else events
        for account in self.accounts.values():
            for house in account.houses.values():
                account.absorb(house.hear(met), at_ns)
        self._flush(at_ns)
        if self._watched:
            self._publish(at_ns, events)
        self._batch_ns = at_ns

    def _flush(self, at_ns: int) -> None:
        """What accounts hear of what happened to them."""
        for account in self.accounts.values():
            for key, told in account.flush():
                self._say(at_ns, key, told)

    def _say(self, at_ns: int, key: str, told: bytes) -> None:
        if key in self._watched:
            self._outbox.append(Happening(at_ns, key, told))

    # --- market data --------------------------------------------------------------------------------------------------

    def _publish(self, at_ns: int, events: Sequence[MarketEvent]) -> None:
        """Frames of an instant, for whoever listens."""
        books = {event.symbol: event for event in events if isinstance(event, Book)}
        traded: dict[str, int] = {}
        for event in events:
            if isinstance(event, Trade):
                traded[event.symbol] = traded.get(event.symbol, 0) + 1
        lost = self._spoils(at_ns) == "lost_books"
        for key, (topic, _) in self._watched.items():
            coin = topic.coin
            if lost and topic.kind in ("l2Book", "bbo"):
                continue
            if topic.kind == "l2Book" and coin in books:
                if topic.options.fast or self._due(at_ns, SLOW_NS):
                    self._say(at_ns, key, self._book_frame(topic))
            elif topic.kind == "bbo" and coin in books:
                self._publish_touch(at_ns, key, books[coin])
            elif topic.kind == "trades" and coin in traded:
                self._say(at_ns, key, frame("trades", self._tape.trades(coin)[-traded[coin] :]))
            elif topic.kind == "candle" and coin in traded:
                self._say(at_ns, key, self._candle_frame(topic))
            elif topic.kind == "activeAssetCtx" and self._due(at_ns, CONTEXT_NS):
                self._say(at_ns, key, self._context_frame(topic))
            elif topic.kind == "allMids" and self._due(at_ns, MIDS_NS):
                self._say(at_ns, key, self._mids_frame(topic))

    def _due(self, at_ns: int, every_ns: int) -> bool:
        """Whether this is the first instant of a new interval of the clock."""
        return at_ns // every_ns != self._batch_ns // every_ns

    def _publish_touch(self, at_ns: int, key: str, book: Book) -> None:
        touch = (book.bids[:1], book.asks[:1])
        if self._touches.get(book.symbol) != touch:
            self._touches[book.symbol] = touch
            self._say(at_ns, key, frame("bbo", touch_data(book.symbol, book)))

    def _book_frame(self, topic: Topic) -> bytes:
        book = self._told(self._tape.book(topic.coin))
        return frame("l2Book", book_data(topic.coin, book, self.now_ns, topic.options))

    def _spoils(self, at_ns: int) -> str:
        kind, until_ns = self.spoilt
        return kind if at_ns < until_ns else ""

    def _told(self, book: Book | None) -> Book | None:
        """A book as it is told, which a fault may have spoilt."""
        kind = self._spoils(self.now_ns)
        if book is None or not kind:
            return book
        if kind == "crossed_books":
            return replace(book, bids=book.asks, asks=book.bids)
        return replace(book, bids=(), asks=()) if kind == "empty_books" else book

    def _candle_frame(self, topic: Topic) -> bytes:
        candles = self._tape.candles(topic.coin)
        assert candles is not None  # who trades has some
        return frame("candle", candles.current(topic.subscription["interval"], self.now_ns))

    def _context_frame(self, topic: Topic) -> bytes:
        context = self._tape.context(topic.coin, self.now_ns)
        return frame("activeAssetCtx", {"coin": topic.coin, "ctx": context})

    def _mids_frame(self, topic: Topic) -> bytes:
        mids = {"mids": self._questions.mids(topic.coin)}
        return frame("allMids", mids if topic.coin == MAIN else {"dex": topic.coin} | mids)

    # --- subscriptions ------------------------------------------------------------------------------------------------

    def topic(self, subscription: Any) -> Topic:
        """Understand a subscription. Raises UnknownCoin, BadRequest."""
        return topic_of(subscription, self.listing)

    def watch(self, topic: Topic) -> None:
        """One more socket hears a topic."""
        entry = self._watched.setdefault(topic.key, [topic, 0])
        entry[1] += 1

    def unwatch(self, topic: Topic) -> None:
        """One socket less hears a topic."""
        entry = self._watched.get(topic.key)
        if entry is not None:
            entry[1] -= 1
            if not entry[1]:
                del self._watched[topic.key]

    def snapshot(self, topic: Topic, now_ns: int) -> list[bytes]:
        """The first frames of a new subscription; not its ack."""
        self._roll(now_ns)
        match topic.kind:
            case "l2Book":
                return [self._book_frame(topic)]
            case "bbo":
                book = self._tape.book(topic.coin)
                return [frame("bbo", touch_data(topic.coin, book))] if book else []
            case "trades":
                replay = self._tape.trades(topic.coin)[-REPLAYED:]
                return [frame("trades", replay)] if replay else []
            case "candle":
                return [self._candle_frame(topic)] if self._tape.candles(topic.coin) else []
            case "activeAssetCtx":
                return [self._context_frame(topic)]
            case "allMids":
                return [self._mids_frame(topic)]
        return self._user_snapshot(topic)

    def _user_snapshot(self, topic: Topic) -> list[bytes]:
        """What a user's subscription begins with, if it is one that begins with anything."""
        account, head = self.accounts.get(topic.user), {"isSnapshot": True, "user": topic.user}
        if topic.kind == "userFills":
            return [frame("userFills", head | {"fills": account.fills_snapshot(2000) if account else []})]
        if topic.kind == "userFundings":
            return [frame("userFundings", head | {"fundings": account.funding_rows() if account else []})]
        if topic.kind == "userNonFundingLedgerUpdates":
            return [frame(topic.kind, head | {"nonFundingLedgerUpdates": account.ledger if account else []})]
        return []

    # --- requests -----------------------------------------------------------------------------------------------------

    def info(self, body: Any, now_ns: int, ip: str = IP) -> bytes:
        """Answer POST /info. Raises Refused."""
        return encode(self._info(body, now_ns, ip)[1])

    def _info(self, body: Any, now_ns: int, ip: str) -> tuple[str, Any]:
        kind = self._questions.kind(body)
        self._weigh(ip, kind, info_weight(kind), now_ns)
        self._roll(now_ns)
        answer = self._questions.answer(body, self.now_ns)
        self.usage.extra(ip, answer_weight(kind, len(answer) if isinstance(answer, list) else 0), now_ns)
        return kind, answer

    def exchange(self, body: Any, now_ns: int, ip: str = IP) -> bytes:
        """Answer POST /exchange. Raises Refused."""
        return encode(self._exchange(body, now_ns, ip))

    def _exchange(self, body: Any, now_ns: int, ip: str) -> dict[str, Any]:
        action = body.get("action") if isinstance(body, Mapping) else None
        if not isinstance(action, Mapping) or not isinstance(action.get("type"), str):
            raise Refused(422, errors.UNREADABLE)
        self._weigh(ip, action["type"], action_weight(batch_size(action)), now_ns)
        self._roll(now_ns)
        answer = self._actions.handle(body, self.now_ns)
        self._flush(self.now_ns)
        return answer

    def _weigh(self, ip: str, kind: str, weight: int, now_ns: int) -> None:
        if self.config.limits_weight and self.usage.over(ip, weight, now_ns):
            self.usage.refused_429 += 1
            raise Refused(429, errors.TOO_MANY)
        self.usage.weigh(ip, kind, weight, now_ns)

    def posted(self, message: Mapping[str, Any], now_ns: int, ip: str = IP) -> bytes:
        """Answer a WebSocket post with a whole frame. Raises BadRequest for a message that is none."""
        try:
            number, request = message["id"], message["request"]
            kind, payload = request["type"], request["payload"]
        except (KeyError, TypeError) as error:
            raise errors.BadRequest("post") from error
        try:
            if kind == "info":
                asked, answer = self._info(payload, now_ns, ip)
                said: Any = {"type": asked, "data": answer}
            elif kind == "action":
                said = self._exchange(payload, now_ns, ip)
            else:
                raise errors.BadRequest(f"type {kind!r}")
        except Refused as refused:
            kind, said = "error", f"{refused.status}: {refused.body}"
        return frame("post", {"id": number, "response": {"type": kind, "payload": said}})

    # --- what befalls the venue ---------------------------------------------------------------------------------------

    def delist(self, name: str, now_ns: int) -> None:
        """Take a name off the list: its orders end, its position is settled, its index stays. KeyError if unknown."""
        self._roll(now_ns)
        asset, ticks = self.listing.assets[name], self._tape.mark_ticks(name)
        for account in self.accounts.values():
            account.delist(asset, ticks, self.now_ns)
        self.listing.delisted.add(name)
        self._flush(self.now_ns)
        for key, (topic, _) in self._watched.items():
            if topic.kind == "l2Book" and topic.coin == name:
                self._say(self.now_ns, key, self._book_frame(topic))

    def lose_orders(self, now_ns: int) -> None:
        """Every order that rests is gone."""
        self._roll(now_ns)
        for account in self.accounts.values():
            for order in list(account.live.values()):
                account.cancel(order, self.now_ns)
        self._flush(self.now_ns)

    def halt(self, name: str, until_ns: int) -> None:
        """Refuse all orders of a name until a time; what rests goes on resting."""
        self._placing.halted[name] = until_ns

    def cap(self, name: str, until_ns: int) -> None:
        """Refuse orders that would make a position in a name larger, until a time: its open interest is full."""
        self._placing.capped[name] = until_ns

    def restart(self, until_ns: int) -> None:
        """A network upgrade has just happened: until a time only post-only orders are allowed."""
        self._placing.post_only_ns = until_ns

    def scarce(self, share: float, until_ns: int, name: str = "") -> None:
        """Until a time orders find only a share of the liquidity that is shown; of one name or of all."""
        self._scarce[name] = (Fraction(str(share)), until_ns)
        for coin in self._tape.names if not name else [name]:
            book = self._tape.book(coin)
            if book is not None:
                self._rebook(self._thinned(book, self.now_ns))

    def _rebook(self, book: MarketEvent) -> None:
        for account in self.accounts.values():
            house = account.house(self.listing.assets[book.symbol])
            account.absorb(house.hear([book]), self.now_ns)
        self._flush(self.now_ns)

    def _thinned(self, event: MarketEvent, at_ns: int) -> MarketEvent:
        """What of a book or a trade there is for orders of accounts."""
        share, until_ns = self._scarce.get(event.symbol) or self._scarce.get("", (Fraction(1), 0))
        if at_ns >= until_ns:
            return event
        lot = self.listing.assets[event.symbol].lot
        if isinstance(event, Trade):
            return replace(event, size=_part(event.size, share, lot))
        bids, asks = (
            tuple(replace(level, size=_part(level.size, share, lot)) for level in side)
            for side in (event.bids, event.asks)
        )
        return replace(event, bids=bids, asks=asks)

    def deposit(self, user: str, usd: Decimal, now_ns: int, dex: str = MAIN) -> None:
        """Money arrives in an account, which is opened if it was not there."""
        self._roll(now_ns)
        user = user.lower()
        if user not in self.accounts:
            self.accounts[user] = self._open(AccountConfig(address=user))
        minor = round(usd * MINOR_PER_USD)
        self.accounts[user].move(dex, minor)
        self.accounts[user].note({"type": "deposit", "usdc": f"{usd:f}"}, self.now_ns, "deposit", self.now_ns)

    def users(self) -> list[str]:
        """Addresses of all accounts."""
        return list(self.accounts)

    def approve(self, agent: str, master: str, name: str = "") -> None:
        """An account approves an API wallet, which then signs for it."""
        self._actions.agents[agent.lower()] = master.lower()
        self._questions.agent_names[agent.lower()] = name


def _part(size: float, share: Fraction, lot: Decimal) -> float:
    """A share of a size in whole lots, never nothing."""
    lots = Fraction(repr(size)) / Fraction(lot)
    return float(max(1, int(lots * share)) * lot)


def _facts(market: MarketSource) -> list[SymbolFacts]:
    """What is known of the market's names, in the order of the universe. Raises ValueError for one it has not."""
    universe = load_universe("perps")
    unknown = [name for name in market.models if name not in universe]
    if unknown:
        raise ValueError(f"{', '.join(unknown)} are no names of the perps universe, which says what is listed")
    return [fact for name, fact in universe.items() if name in market.models]
