"""The books: balances, positions and reservations, folded from entries.

`post` turns an event into an entry and changes nothing; `fold` takes an entry in. The ledger actor journals what `post`
gave and folds it then, and a restart folds what was journaled: one code path. Events are posted one by one, each folded
before the next, because an entry stands on what came before it.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from risk.ledger.accounts import INVENTORY, Ledger, account, ledger_of
from risk.ledger.margin import fill_moves, initial_margin_minor, margin_accounts
from risk.ledger.postings import (
    Deposit,
    Entry,
    Event,
    LedgerUnbalanced,
    Phase,
    Release,
    Reservation,
    Reserve,
    Transfer,
    check_balanced,
    linked,
    moved,
)
from risk.ledger.seen import Seen
from risk.position import Position, apply_fill
from venues.market import Fill, FundingPaid, Instrument


class UnknownInstrument(Exception):
    """An event names a symbol whose lots and ticks nobody told us: it cannot be booked."""


class Balance(Struct):
    """What went through one account."""

    debits: int = 0
    credits: int = 0
    debits_pending: int = 0
    credits_pending: int = 0

    @property
    def posted(self) -> int:
        """Debits less credits."""
        return self.debits - self.credits

    @property
    def pending(self) -> int:
        """Debits less credits that are set aside."""
        return self.debits_pending - self.credits_pending


class Money(Struct, frozen=True, kw_only=True):
    """One engine's money in minor units, each with the sign a person expects: fees paid are positive."""

    cash_minor: int
    inventory_minor: int
    realised_minor: int
    fees_minor: int
    funding_minor: int
    capital_minor: int


class Books:
    """All engines' accounts."""

    def __init__(self, instruments: Iterable[Instrument], dust_lots: Mapping[str, float] | None = None):
        self.instruments = {(one.engine, one.symbol): one for one in instruments}
        self.dust_lots = dict(dust_lots or {})  # by engine
        self.balances: dict[str, Balance] = {}
        self.positions: dict[str, dict[str, Position]] = {}  # engine -> symbol -> what is not flat
        self.reservations: dict[str, Reservation] = {}  # by order id
        self.seen: dict[str, Seen] = {}  # by engine
        self.deposited: set[tuple[str, str]] = set()  # (engine, entry): told at every start, so none is forgotten

    # --- what is asked

    def position(self, engine: str, symbol: str) -> Position:
        """What is held of a symbol."""
        return self.positions.get(engine, {}).get(symbol) or Position()

    def posted(self, *name: str) -> int:
        """Debits less credits of an account; 0 for one that was never touched."""
        balance = self.balances.get(account(*name))
        return balance.posted if balance else 0

    def money(self, engine: str) -> Money:
        """One engine's money."""
        return Money(
            cash_minor=self.posted("cash", engine),
            inventory_minor=self.posted("inventory", engine),
            realised_minor=-self.posted("realised", engine),
            fees_minor=self.posted("fees", engine),
            funding_minor=-self.posted("funding", engine),
            capital_minor=-self.posted("capital", engine),
        )

    def instrument(self, engine: str, symbol: str) -> Instrument:
        """The rules of a symbol. Raises UnknownInstrument."""
        try:
            return self.instruments[engine, symbol]
        except KeyError:
            raise UnknownInstrument(f"{engine} has no instrument {symbol!r}, so its lots have no worth") from None

    def knows(self, fill: Fill) -> bool:
        """Whether a fill is booked, or so old that it counts as booked."""
        return self._knows(fill.engine, f"fill:{fill.id}", fill.at_ns)

    # --- what is posted

    def post(self, event: Event) -> Entry | None:
        """The entry that books an event; None when there is nothing to book or it is booked already."""
        match event:
            case Fill():
                return self._fill(event)
            case FundingPaid():
                return self._funding(event)
            case Deposit():
                return self._deposit(event)
            case Reserve():
                return self._reserve(event)
            case Release():
                return self._release(event)

    def _fill(self, fill: Fill) -> Entry | None:
        entry_id = f"fill:{fill.id}"
        if self._knows(fill.engine, entry_id, fill.at_ns):
            return None
        engine, symbol = fill.engine, fill.symbol
        instrument, before = self.instrument(engine, symbol), self.position(engine, symbol)
        after, realised = apply_fill(before, fill, instrument, self.dust_lots.get(engine, 0.0))
        locked = self.posted("margin", engine, symbol)
        margin = fill_moves(fill, instrument, before.lots, locked, self.reservations.get(fill.order_id))
        bought = after.cost_minor - before.cost_minor if instrument.asset_class in INVENTORY else 0
        cash, clearing = account("cash", engine), account("cash_clearing", engine)
        moves = (
            moved(account("position", engine, symbol), account("market", symbol), after.lots - before.lots),
            moved(account("inventory", engine), cash, bought),
            moved(cash, clearing, realised),
            moved(account("realised_clearing", engine), account("realised", engine), realised),
            moved(cash, clearing, -fill.fee_minor),
            moved(account("fees", engine), account("fees_clearing", engine), fill.fee_minor),
            *margin.moves,
        )
        return Entry(
            id=entry_id,
            engine=engine,
            symbol=symbol,
            at_ns=fill.at_ns,
            transfers=linked(entry_id, moves),
            position=after,
            realised_minor=realised,
            order_id=fill.order_id,
            reservation=margin.reservation,
        )

    def _funding(self, paid: FundingPaid) -> Entry | None:
        entry_id, engine = f"funding:{paid.id}", paid.engine
        if paid.amount_minor == 0 or self._knows(engine, entry_id, paid.at_ns):
            return None
        moves = (
            moved(account("cash", engine), account("cash_clearing", engine), paid.amount_minor),
            moved(account("funding_clearing", engine), account("funding", engine), paid.amount_minor),
        )
        return Entry(
            id=entry_id, engine=engine, symbol=paid.symbol, at_ns=paid.at_ns, transfers=linked(entry_id, moves)
        )

    def _deposit(self, deposit: Deposit) -> Entry | None:
        entry_id, engine = f"{DEPOSIT}{deposit.id}", deposit.engine
        nothing = deposit.amount_minor == 0 and entry_id != OPENING  # opened with nothing: a fact to be kept
        if nothing or (engine, entry_id) in self.deposited:
            return None
        moves = (moved(account("cash", engine), account("capital", engine), deposit.amount_minor),)
        return Entry(id=entry_id, engine=engine, symbol="", at_ns=deposit.at_ns, transfers=linked(entry_id, moves))

    def _reserve(self, reserve: Reserve) -> Entry | None:
        order = reserve.order
        if order.id in self.reservations or order.reduce_only or reserve.lots <= 0:
            return None
        entry_id, instrument = f"reserve:{order.id}", self.instrument(order.engine, order.symbol)
        amount = initial_margin_minor(instrument, order.ticks, reserve.lots)
        moves = (moved(*margin_accounts(order.engine, order.symbol), amount, Phase.PENDING),)
        return Entry(
            id=entry_id,
            engine=order.engine,
            symbol=order.symbol,
            at_ns=reserve.at_ns,
            transfers=linked(entry_id, moves),
            order_id=order.id,
            reservation=Reservation(order.engine, order.symbol, reserve.lots, amount),
        )

    def _release(self, release: Release) -> Entry | None:
        reserved = self.reservations.get(release.order_id)
        if reserved is None:
            return None
        entry_id = f"release:{release.order_id}"
        accounts = margin_accounts(reserved.engine, reserved.symbol)
        moves = (moved(*accounts, reserved.amount_minor, Phase.VOID_PENDING),)
        return Entry(
            id=entry_id,
            engine=reserved.engine,
            symbol=reserved.symbol,
            at_ns=release.at_ns,
            transfers=linked(entry_id, moves),
            order_id=release.order_id,
        )

    def _knows(self, engine: str, entry_id: str, at_ns: int) -> bool:
        seen = self.seen.get(engine)
        return seen is not None and seen.knows(entry_id, at_ns)

    # --- what is folded

    def fold(self, entry: Entry) -> None:
        """Take an entry in, all of it or nothing. Raises LedgerUnbalanced."""
        check_balanced(entry)
        for transfer in entry.transfers:
            self._apply(transfer)
        if entry.position is not None:
            held = self.positions.setdefault(entry.engine, {})
            held[entry.symbol] = entry.position
            if not entry.position.lots:
                del held[entry.symbol]
        if entry.order_id:
            self.reservations.pop(entry.order_id, None)
            if entry.reservation is not None:
                self.reservations[entry.order_id] = entry.reservation
        if entry.id.startswith(DEPOSIT):
            self.deposited.add((entry.engine, entry.id))
        elif entry.id.startswith(REPEATABLE):
            self.seen.setdefault(entry.engine, Seen()).remember(entry.id, entry.at_ns)

    def _apply(self, transfer: Transfer) -> None:
        debit = self.balances.setdefault(transfer.debit, Balance())
        credit = self.balances.setdefault(transfer.credit, Balance())
        amount = transfer.amount
        if transfer.phase in (Phase.POSTED, Phase.POST_PENDING):
            debit.debits += amount
            credit.credits += amount
        if transfer.phase is not Phase.POSTED:
            held = amount if transfer.phase is Phase.PENDING else -amount
            debit.debits_pending += held
            credit.credits_pending += held

    def check(self) -> None:
        """Every ledger sums to zero and agrees with the others and with positions. Raises LedgerUnbalanced."""
        sums = {(ledger, what): 0 for ledger in Ledger for what in ("posted", "pending")}
        for name, balance in self.balances.items():
            sums[ledger_of(name), "posted"] += balance.posted
            sums[ledger_of(name), "pending"] += balance.pending
        for (ledger, what), amount in sums.items():
            _refuse(ledger, amount, f"{what} balances do not sum to zero")
        engines = sorted(
            {name.split(":")[1] for name in self.balances if name.startswith("cash:")} | self.positions.keys()
        )
        for engine in engines:
            self._check_engine(engine)
        self._check_reservations()

    def _check_engine(self, engine: str) -> None:
        money = self.money(engine)
        earned = money.realised_minor + money.funding_minor - money.fees_minor
        _refuse(
            Ledger.CASH,
            money.cash_minor + money.inventory_minor - money.capital_minor - earned,
            f"{engine}: cash and inventory are not capital and what was earned",
        )
        _refuse(
            Ledger.CASH, self.posted("cash_clearing", engine) + earned, f"{engine}: clearing is not what was earned"
        )
        held = self.positions.get(engine, {})
        cost = sum(p.cost_minor for s, p in held.items() if self.instrument(engine, s).asset_class in INVENTORY)
        _refuse(Ledger.CASH, money.inventory_minor - cost, f"{engine}: inventory is not what positions cost")
        for name in [name for name in self.balances if name.startswith(f"position:{engine}:")]:
            symbol = name.split(":", 2)[2]
            booked = self.balances[name].posted
            _refuse(Ledger.POSITION, booked - self.position(engine, symbol).lots, f"{name} is not the position")

    def _check_reservations(self) -> None:
        reserved: dict[str, int] = {}
        for one in self.reservations.values():
            name = margin_accounts(one.engine, one.symbol)[0]
            reserved[name] = reserved.get(name, 0) + one.amount_minor
        for name, balance in self.balances.items():
            if name.startswith("margin:"):
                _, engine, symbol = name.split(":", 2)
                if not self.position(engine, symbol).lots:
                    _refuse(Ledger.MARGIN, balance.posted, f"{name} is locked for a flat position")
                _refuse(Ledger.MARGIN, balance.pending - reserved.pop(name, 0), f"{name} is not what orders reserved")
        for name, amount in reserved.items():
            _refuse(Ledger.MARGIN, -amount, f"{name} is not what orders reserved")


DEPOSIT = "deposit:"
OPENING = f"{DEPOSIT}opening"
"""The entry of what an account held when it was first looked at, if that was nothing too: it is asked for once."""

REPEATABLE = ("fill:", "funding:")
"""Entries whose event a venue may tell again; reservations are ours and known by their order."""


def load(
    instruments: Iterable[Instrument], entries: Iterable[Entry], dust_lots: Mapping[str, float] | None = None
) -> Books:
    """Books from a journal, checked. Raises LedgerUnbalanced."""
    books = Books(instruments, dust_lots)
    for entry in entries:
        books.fold(entry)
    books.check()
    return books


def _refuse(ledger: Ledger, amount: int, what: str) -> None:
    if amount:
        raise LedgerUnbalanced(ledger, amount, what)
