"""The daemon's figures for Prometheus, from one snapshot: names and units as https://prometheus.io/docs/practices/naming.

Money is in dollars, time in seconds. What grows ends in `_total` and begins again with each run, as scrapers expect.
"""

from collections.abc import Iterator, Mapping

from daemon.logs import event_named
from daemon.prometheus import Family, Labels, Rows, text_of
from daemon.snapshot import ActorRow, EngineRow, Snapshot
from daemon.times import NS_PER_S
from risk.intent import Trading
from venues.market import MINOR_PER_USD

MS_PER_S = 1_000

MONEY = (
    ("equity_dollars", "Equity at the marks.", "equity_minor"),
    ("cash_dollars", "Cash.", "cash_minor"),
    ("realised_pnl_dollars", "Realised since the start of the journal, before fees.", "realised_minor"),
    ("unrealised_pnl_dollars", "Unrealised at the marks.", "unrealised_minor"),
    ("fees_paid_dollars", "Fees paid since the start of the journal; negative: received.", "fees_minor"),
    ("funding_received_dollars", "Funding received since the start of the journal.", "funding_minor"),
)
"""Of each engine: metric, words, field of its row."""


def metrics_text(snapshot: Snapshot, messages: Mapping[str, int], refusals: Mapping[str, int]) -> str:
    """Everything; `messages` are counts by type, `refusals` by rule."""
    return text_of([*_run(snapshot), *_counts(messages, refusals), *_engines(snapshot), *_actors(snapshot.actors)])


def _run(snapshot: Snapshot) -> Iterator[Family]:
    status = snapshot.status
    labels = (status.version, status.mode, status.run_id)
    yield Rows("obid_info", "The run that answers.", "gauge", ("version", "mode", "run"), [(labels, 1)])
    yield _one("obid_healthy", "Whether every actor makes progress within its deadline.", int(status.healthy))
    yield _one("obid_start_time_seconds", "When the run began, since 1970.", status.started_ns / NS_PER_S)
    yield _one("obid_clock_seconds", "The run's clock, since 1970.", status.at_ns / NS_PER_S)
    yield _one("obid_loop_lag_seconds", "How late the loop was at worst in the last minute.", status.lag_ms / MS_PER_S)
    yield _one("obid_books_total", "Books heard.", status.books, "counter")
    yield _one("obid_decisions_total", "Decisions in the digest.", status.decisions, "counter")


def _one(name: str, text: str, value: float, kind: str = "gauge") -> Rows:
    return Rows(name, text, kind, (), [((), value)])


def _counts(messages: Mapping[str, int], refusals: Mapping[str, int]) -> Iterator[Family]:
    events = sorted((event_named(name), count) for name, count in messages.items())
    rows: list[tuple[Labels, float]] = [((event,), count) for event, count in events]
    yield Rows("obid_messages_total", "Messages by event.", "counter", ("event",), rows)
    rules: list[tuple[Labels, float]] = [((rule,), count) for rule, count in sorted(refusals.items())]
    yield Rows("obid_refusals_total", "Refusals by the gate, by rule.", "counter", ("rule",), rules)


def _engines(snapshot: Snapshot) -> Iterator[Family]:
    engines = snapshot.engines

    def rows(name: str, text: str, values: Mapping[str, float]) -> Rows:
        return Rows(name, text, "gauge", ("engine",), [((engine,), value) for engine, value in values.items()])

    states = [((row.engine, state.value), int(row.trading == state)) for row in engines for state in Trading]
    yield Rows("obid_trading_state", "1 for the state that an engine is in.", "gauge", ("engine", "state"), states)
    yield rows("obid_reconciled", "Whether venue and ledger agreed.", {r.engine: int(r.reconciled) for r in engines})
    yield rows("obid_streams", "Symbols that are traded.", {row.engine: row.symbols for row in engines})
    yield rows("obid_streams_fresh", "Of them fresh.", {row.engine: row.symbols_fresh for row in engines})
    waiting = {row.engine: row.symbols_unlearnt for row in engines}
    yield rows("obid_streams_unlearnt", "Of them with data and without their history yet.", waiting)
    for name, text, field in MONEY:
        yield rows(f"obid_{name}", text, {row.engine: _dollars(row, field) for row in engines})
    open_orders = {row.engine: sum(order.engine == row.engine for order in snapshot.orders) for row in engines}
    yield rows("obid_open_orders", "Orders that are not over.", open_orders)
    held = [((row.engine, row.symbol), row.notional_minor / MINOR_PER_USD) for row in snapshot.positions]
    yield Rows("obid_position_dollars", "What is held, signed, at the mark.", "gauge", ("engine", "symbol"), held)


def _dollars(row: EngineRow, field: str) -> float:
    return float(getattr(row, field)) / MINOR_PER_USD


def _actors(actors: tuple[ActorRow, ...]) -> Iterator[Family]:
    def rows(name: str, text: str, kind: str, values: list[float]) -> Rows:
        named = [((row.name, row.engine), value) for row, value in zip(actors, values, strict=True)]
        return Rows(f"obid_{name}", text, kind, ("actor", "engine"), named)

    yield rows("actor_healthy", "Whether it is alive and in time.", "gauge", [int(row.healthy) for row in actors])
    yield rows("actor_restarts_total", "How often it was restarted.", "counter", [row.restarts for row in actors])
    yield rows("mailbox_messages", "Messages that wait.", "gauge", [row.waiting for row in actors])
    yield rows("mailbox_messages_max", "The most that ever waited.", "gauge", [row.high_water for row in actors])
    ages: list[float] = [row.age_ms / MS_PER_S for row in actors]
    yield rows("mailbox_age_seconds", "How long the oldest has waited.", "gauge", ages)
    yield rows("mailbox_heard_total", "Messages heard.", "counter", [row.heard for row in actors])
    conflated: list[float] = [row.conflated for row in actors]
    yield rows("mailbox_conflated_total", "Books replaced by newer ones unread.", "counter", conflated)
