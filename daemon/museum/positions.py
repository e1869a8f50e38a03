"""Exhibits: what is held, and where nobody looked for it."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec.structs import replace

from actors.messages import Drift, Restated
from actors.reconciler import Reconciler, ReconcilerMind, Told
from config.universe import load_universe
from daemon.museum.bench import ENGINE, NOW_NS, Bookkeeper, filled, intent, open_gate
from daemon.museum.desk import BTC, EVERY, MASTER, TSLA, Desk
from daemon.museum.exhibit import Exhibit
from daemon.museum.scene import PaperVenue, papers, perform
from risk.gate import judge
from risk.intent import Approved
from venues.hyperliquid import info
from venues.hyperliquid.meta import assets_of, dexs_of, universe_of
from venues.market import VenuePosition

NAMES = ("BTC", "ETH", "xyz:TSLA")


def _closed_by_hand() -> int:
    """Ten are believed, the venue holds none: what is believed a minute later."""
    books = Bookkeeper()
    books.tell(filled(10, "f1", ""))
    believed = books.mind._position(ENGINE, "BTC", 0, NOW_NS)
    said = perform(
        "reconciler",
        Reconciler,
        lambda: Reconciler(ReconcilerMind(ENGINE), PaperVenue(papers()), Told(NOW_NS)),  # type: ignore[arg-type]
        ((0.5, believed), (1, Restated(ENGINE, "reconciler"))),
        seconds=60,
    )
    books.tell(*(one for one in said if isinstance(one, Drift)))
    return books.held()


def _refuses_every_exit() -> int:
    """Each exit is held against the live position, refused, and memory stays as it is."""
    memory, live = 10, 0
    for _ in range(60):
        memory = memory if live == 0 else 0
    return memory


STALE_MEMORY = Exhibit(
    name="l12-stale-memory",
    story="Memory held what the venue did not; every exit was blocked because there was nothing to leave.",
    sources=("L12",),
    stake="a symbol that never trades again",
    right=_closed_by_hand,
    wrong=_refuses_every_exit,
    check=lambda lots: lots == 0,
)


def _enters_on_dust(lots: int) -> bool:
    state = replace(open_gate(), positions={"BTC": lots})
    return isinstance(judge(intent(250), state, NOW_NS)[0], Approved)


def _any_lot_counts(lots: int) -> bool:
    """Flat is nothing at all."""
    return lots == 0


DUST = Exhibit(
    name="l12-dust",
    story="One lot that rounding had left counted as a position, and no entry passed any more.",
    sources=("L12",),
    stake="a symbol that never trades again",
    right=lambda: _enters_on_dust(-1),
    wrong=lambda: _any_lot_counts(-1),
    check=lambda passes: passes is True,
)

# --- several dexs -----------------------------------------------------------------------------------------------------


def _two_dexs() -> Desk:
    desk = Desk()
    desk.trade(BTC, "buy", "66100", "0.01")
    desk.trade(TSLA, "buy", "401", "1")
    desk.wait(1)
    return desk


def _held_at(dexs: Iterable[str]) -> list[str]:
    """Names that are held on these dexs, as the exchange tells."""
    desk, names = _two_dexs(), []
    for dex in dexs:
        ask = info.clearinghouse_state(MASTER.address, dex)
        names += [row.position.coin for row in ask.read(desk.info(ask.body)).asset_positions]
    return names


ONE_CLEARINGHOUSE = Exhibit(
    name="l16-one-clearinghouse",
    story="Only the venue's own clearinghouse was asked, so positions on builder dexs looked flat.",
    sources=("L16",),
    stake="five real positions without an owner",
    right=lambda: _held_at(dexs_of(NAMES)),
    wrong=lambda: _held_at(("",)),
    check=lambda names: names == ["BTC", "xyz:TSLA"],
)


def _capital(dexs: Iterable[str]) -> Decimal:
    desk, total = Desk(usd={"": 2_000, "xyz": 10_000}), Decimal(0)
    for dex in dexs:
        ask = info.clearinghouse_state(MASTER.address, dex)
        total += ask.read(desk.info(ask.body)).margin_summary.account_value
    return total


SIXTH_OF_THE_CAPITAL = Exhibit(
    name="l16-sixth-of-the-capital",
    story="A watchdog for losses saw the money of one dex alone, 17 % of what there was.",
    sources=("L16",),
    stake="a loss limit that looks the other way",
    right=lambda: _capital(dexs_of(NAMES)),
    wrong=lambda: _capital(("",)),
    check=lambda usd: usd == 12_000,
)


def _over_the_cap() -> bool:
    return isinstance(judge(intent(100_000), open_gate(), NOW_NS)[0], Approved)


def _caps_on_paper() -> bool:
    """Caps stand in a table that the sending of orders does not read."""
    caps_usd = {"BTC": 400}
    return bool(caps_usd)


DECORATIVE_CAPS = Exhibit(
    name="l16-decorative-caps",
    story="Caps were configured, printed and documented, and no order was ever held against them.",
    sources=("L16",),
    stake="a hundred thousand dollars under a cap of a few hundred",
    right=_over_the_cap,
    wrong=_caps_on_paper,
    check=lambda sent: sent is False,
)


def _found(names: Sequence[str]) -> list[str]:
    """Which of these the exchange's lists know."""
    desk = Desk(NAMES)
    dexs = info.perp_dexs().read(desk.info({"type": "perpDexs"}))
    metas = {dex: info.meta(dex).read(desk.info(info.meta(dex).body)) for dex in EVERY}
    facts = load_universe("perps")
    wanted = [replace(facts["xyz:TSLA"], symbol=name) for name in names]
    return list(universe_of(assets_of(dexs, metas), wanted).assets)


UPPER_CASE = Exhibit(
    name="l17-upper-case",
    story="A name was put into capitals; xyz:MSTR became XYZ:MSTR, was not found, and its position wiped as stale.",
    sources=("L17",),
    stake="a position that is held and not known",
    right=lambda: _found(["xyz:TSLA"]),
    wrong=lambda: _found(["xyz:TSLA".upper()]),
    check=lambda names: names == ["xyz:TSLA"],
)


def _unfunded(*, by_collateral: bool) -> int:
    """Orders that a dex refuses because it takes a collateral that the account does not hold."""
    desk = Desk(NAMES, usd={"": 10_000})
    dexs = info.perp_dexs().read(desk.info({"type": "perpDexs"}))
    metas = {dex: info.meta(dex).read(desk.info(info.meta(dex).body)) for dex in EVERY}
    other = metas["xyz"]
    assert other is not None
    metas["xyz"] = replace(other, collateral_token=7)
    facts = load_universe("perps")
    held = (0,) if by_collateral else (0, 7)
    traded = universe_of(assets_of(dexs, metas), [facts[name] for name in NAMES], held).assets
    prices = {"BTC": ("66100", "0.01"), "ETH": ("2001", "0.1"), "xyz:TSLA": ("401", "1")}
    answers = [desk.trade(asset.asset_id, "buy", *prices[name]) for name, asset in traded.items()]
    return sum(b"error" in answer for answer in answers)


UNFUNDED_DEX = Exhibit(
    name="l23-unfunded-dex",
    story="A dex whose collateral the account lacked was traded, and refused every order.",
    sources=("L23",),
    stake="a session of refusals",
    right=lambda: _unfunded(by_collateral=True),
    wrong=lambda: _unfunded(by_collateral=False),
    check=lambda refused: refused == 0,
)


def _asked(dexs: Iterable[str]) -> int:
    return len(set(dexs))


MANY_DEXS = ("", *(f"dex{number}" for number in range(300)))
EVERY_DEX = Exhibit(
    name="nt-4861",
    story="Each start asked every builder dex that there is, one after the other, and ran into its own deadline.",
    sources=("nt-4861",),
    stake="an engine that cannot start while positions are open",
    right=lambda: _asked(dexs_of(NAMES)),
    wrong=lambda: _asked(MANY_DEXS),
    check=lambda questions: questions <= 2,
)

# --- what a look makes of it ------------------------------------------------------------------------------------------


def _compared(books: Bookkeeper, lots: int) -> Bookkeeper:
    """A ledger after a minute beside a venue that holds so much."""
    believed = books.mind._position(ENGINE, "BTC", 0, NOW_NS)
    held = [VenuePosition("BTC", lots, 1_000_000.0)] if lots else []
    said = perform(
        "reconciler",
        Reconciler,
        lambda: Reconciler(ReconcilerMind(ENGINE), PaperVenue(papers(held=held)), Told(NOW_NS)),  # type: ignore[arg-type]
        ((0.5, believed), (1, Restated(ENGINE, "reconciler"))),
        seconds=60,
    )
    books.tell(*(one for one in said if isinstance(one, Drift)))
    return books


def _held(lots: int) -> Bookkeeper:
    books = Bookkeeper()
    books.tell(filled(lots, "f1", ""))
    return books


def _restarted_with_what_is_held() -> int:
    return _compared(_held(10).restarted(), 10).held()


def _undone_at_the_start() -> int:
    """What a start finds in its memory is undone by a made-up fill the other way, to begin with a clean slate."""
    memory = 10
    memory += -memory
    return memory


FLATTENED_BY_A_START = Exhibit(
    name="nt-4736",
    story="A warm restart booked an equal and opposite fill that nobody made, and a second position could be opened.",
    sources=("nt-4736",),
    stake="twice the position that is believed",
    right=_restarted_with_what_is_held,
    wrong=_undone_at_the_start,
    check=lambda lots: lots == 10,
)


def _refuses_to_start() -> int:
    """What cannot be derived from the fills of the last days is an error, and the books stay as they are."""
    memory, fills_of_days = 75, 0
    return memory + fills_of_days


THROUGH_ZERO = Exhibit(
    name="nt-3104",
    story="75 lots were believed, the venue was 65 short by older trades than it tells, and the node would not start.",
    sources=("nt-3104",),
    stake="a position on the other side that nobody manages",
    right=lambda: _compared(_held(75), -65).held(),
    wrong=_refuses_to_start,
    check=lambda lots: lots == -65,
)


def _told_after_it_was_adopted() -> int:
    books = _compared(Bookkeeper(), 10)
    books.tell(filled(10, "late", ""))
    return books.held()


def _on_top() -> int:
    """The difference is booked, and so is the fill that it was."""
    memory = 0
    for lots in (10, 10):
        memory += lots
    return memory


LATE_AND_ADOPTED = Exhibit(
    name="reconcile-late-fill",
    story="A fill that a page had hidden was adopted as a difference, came after all and was booked a second time.",
    sources=("reconcile",),
    stake="twice the position, until the next look sells it again at another price",
    right=_told_after_it_was_adopted,
    wrong=_on_top,
    check=lambda lots: lots == 10,
)

EXHIBITS = (
    FLATTENED_BY_A_START,
    THROUGH_ZERO,
    LATE_AND_ADOPTED,
    STALE_MEMORY,
    DUST,
    ONE_CLEARINGHOUSE,
    SIXTH_OF_THE_CAPITAL,
    DECORATIVE_CAPS,
    UPPER_CASE,
    UNFUNDED_DEX,
    EVERY_DEX,
)
