"""How orders were executed: who waited for whom, what it cost beyond the decision's price, how much was filled."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import isfinite

from actors.messages import OrderPlanned
from daemon.report.booked import COIN_FEE, Booked, Filled
from daemon.report.rows import ExecutionRow, WantRow
from daemon.report.shares import bps, share
from daemon.report.told import Told
from daemon.report.window import Window
from risk.intent import Purpose
from risk.ledger.books import Books
from venues.market import MINOR_PER_USD


def executions(fills: Sequence[Filled], told: Told, books: Books) -> Iterable[ExecutionRow]:
    """Fills by engine, what they were for, and who waited."""
    groups: dict[tuple[str, str, str], list[Filled]] = {}
    in_coins = {fill.id.removesuffix(COIN_FEE): fill.fee_minor for fill in fills if fill.is_coin_fee}
    for fill in fills:
        if fill.is_coin_fee:
            continue
        liquidity = {None: "unknown", True: "maker", False: "taker"}[fill.maker]
        groups.setdefault((fill.engine, _purpose(fill), liquidity), []).append(fill)
    for (engine, purpose, liquidity), group in sorted(groups.items()):
        traded = sum(abs(fill.paid_minor) for fill in group)
        slips = [(abs(fill.paid_minor), slip) for fill in group if (slip := slippage(fill, told, books)) is not None]
        measured, slipped = sum(worth for worth, _ in slips), sum(slip for _, slip in slips)
        fees = sum(fill.fee_minor + in_coins.get(fill.id, 0) for fill in group)
        yield ExecutionRow(
            engine=engine,
            purpose=purpose,
            liquidity=liquidity,
            fills=len(group),
            traded_minor=traded,
            fees_minor=fees,
            fee_bps=bps(fees, traded),
            slippage_minor=slipped,
            slippage_bps=bps(slipped, measured),
            measured_share=share(measured, traded) if traded else None,
        )


def _purpose(fill: Filled) -> str:
    if not fill.order_id:
        return "other"
    return Purpose.ENTRY.value if fill.entry else Purpose.EXIT.value


def slippage(fill: Filled, told: Told, books: Books) -> int | None:
    """What a fill cost beyond the price of its decision, in minor units; None when nobody knows that price."""
    wanted = told.intents.get(fill.intent_id)
    if wanted is None or not isfinite(wanted.close) or not fill.lots:
        return None
    instrument = books.instrument(fill.engine, fill.symbol)
    size = instrument.size(fill.lots) * instrument.multiplier
    return fill.paid_minor - round(Decimal(repr(wanted.close)) * size * MINOR_PER_USD)


def wants(story: Booked, window: Window) -> Iterable[WantRow]:
    """Approved intents of the window, and how much of them was filled."""
    filled: dict[str, int] = {}
    for event in story.booked:
        if isinstance(event, Filled) and event.intent_id:
            filled[event.intent_id] = filled.get(event.intent_id, 0) + abs(event.lots)
    refused = {told.order_id for told, _ in story.rejected}
    chains: dict[str, list[OrderPlanned]] = {}
    begun: dict[str, bool] = {}  # whether its first order is of the window: one that is moved over midnight is one
    for planned in story.planned:
        chains.setdefault(planned.order.order.intent_id, []).append(planned.order)
        begun.setdefault(planned.order.order.intent_id, window.holds(planned.order.at_ns, planned.run))
    groups: dict[tuple[str, str, str], list[list[OrderPlanned]]] = {}
    for intent, chain in chains.items():
        if not begun[intent]:
            continue
        first = chain[0]
        purpose = Purpose.ENTRY if first.entry else Purpose.EXIT
        groups.setdefault((first.engine, purpose.value, first.order.time_in_force.value), []).append(chain)
    for (engine, purpose_name, begun_as), group in sorted(groups.items()):
        parts = [
            min(Decimal(1), Decimal(filled.get(chain[0].order.intent_id, 0)) / chain[0].order.lots) for chain in group
        ]
        yield WantRow(
            engine=engine,
            purpose=purpose_name,
            begun_as=begun_as,
            intents=len(group),
            orders=sum(len(chain) for chain in group),
            whole=sum(part == 1 for part in parts),
            partly=sum(0 < part < 1 for part in parts),
            unfilled=sum(part == 0 for part in parts),
            filled_share=share(sum(parts, Decimal(0)), len(parts)),
            rejected=sum(planned.order.id in refused for chain in group for planned in chain),
        )
