"""Looks: what single actors know and nobody says, read out of their minds for who asks for a whole snapshot.

z, imbalance, headroom and the next release change with every book, second or order. To say them would load the graph
for an eye that is seldom there; so they are read when it looks, between two turns of the actors, and nothing is kept.
An actor that is down has nothing to show: its numbers are missing.
"""

from collections.abc import Iterator, Mapping

from actors.circuit_breaker import CircuitBreaker
from actors.feed import Stream
from actors.gate import Gate
from actors.macro_calendar import MacroCalendar
from actors.signal import Signal
from actors.symbol_state import SymbolState
from config.profile import EngineName, RiskLimits
from daemon.snapshot import CalendarRow, EngineLook, HeadroomRow, Look, MarketRow
from daemon.tables import dollars
from risk.circuit_breaker import PPM
from risk.gate_state import GateState
from risk.money import to_minor
from risk.rate import NS_PER_MINUTE
from risk.rules import net_minor
from risk.session import next_open_ns, session_at
from supervisor.clock import NS_PER_MS
from supervisor.supervisor import House

Streams = Mapping[EngineName, Mapping[str, Stream]]


def look_of(house: House, streams: Streams, at_ns: int) -> Look:
    """Everything."""
    return Look(
        markets=tuple(row for engine in streams for row in _markets(house, engine, streams[engine], at_ns)),
        headroom=tuple(row for engine in streams for row in _headroom(house, engine, at_ns)),
        engines=tuple(_engine(house, engine, at_ns) for engine in streams),
        calendar=_calendar(house, at_ns),
    )


def _signal(house: House, engine: str) -> Signal | None:
    mind = house.mind(f"{engine}.signal")
    return mind if isinstance(mind, Signal) else None


def _gate(house: House, engine: str) -> GateState | None:
    mind = house.mind(f"{engine}.gate")
    return mind.state if isinstance(mind, Gate) else None


def _breaker(house: House) -> CircuitBreaker | None:
    mind = house.mind("circuit_breaker")
    return mind if isinstance(mind, CircuitBreaker) else None


# --- markets


def _markets(house: House, engine: str, streams: Mapping[str, Stream], at_ns: int) -> Iterator[MarketRow]:
    signal, gate = _signal(house, engine), _gate(house, engine)
    blackouts = gate.blackouts if gate else {}
    for symbol, stream in streams.items():
        state = signal.symbols.get(symbol) if signal else None
        tier = signal.tiers.get(symbol) if signal else None
        rho, rho_age_ms = _imbalance(signal, state, at_ns)
        yield MarketRow(
            engine=engine,
            symbol=symbol,
            fresh=stream.fresh,
            age_ms=_age_ms(stream.received_ns, at_ns) if stream.received_ns else None,
            bid=stream.bid.price if stream.bid else None,
            ask=stream.ask.price if stream.ask else None,
            z=state.numbers()[1] if state and state.close == state.close else None,
            z_entry=tier.z_entry if tier else None,
            z_exit=tier.z_exit if tier else None,
            rho=rho,
            rho_age_ms=rho_age_ms,
            blackout=blackouts.get(symbol, ""),
        )


def _imbalance(signal: Signal | None, state: SymbolState | None, at_ns: int) -> tuple[float | None, int | None]:
    lean = state.lean() if state else None
    if signal is None or lean is None:
        return None, None
    return signal.obi(lean), _age_ms(lean.received_ns, at_ns)


def _age_ms(then_ns: int, at_ns: int) -> int:
    return max(0, at_ns - then_ns) // NS_PER_MS


# --- headroom


def _headroom(house: House, engine: str, at_ns: int) -> Iterator[HeadroomRow]:
    breaker, gate = _breaker(house), _gate(house, engine)
    if breaker is not None:
        yield from _losses(breaker, engine)
    if gate is not None:
        yield from _exposure(gate)
        yield from _orders(gate, at_ns)


def _losses(breaker: CircuitBreaker, engine: str) -> Iterator[HeadroomRow]:
    """Losses of the account's day; a day in profit has used nothing."""
    account = breaker.accounts[engine]
    known, limits = account.breaker, account.limits
    if not known.readings:
        return
    lost, most = known.loss_minor, limits.daily_loss_minor
    yield HeadroomRow(
        engine=engine,
        rule="daily_loss",
        used=max(0.0, lost / most),
        value=f"{dollars(max(0, lost))} USD",
        bound=f"{dollars(most)} USD",
    )
    down, deepest = known.drawdown_ppm, limits.drawdown_max_ppm
    yield HeadroomRow(
        engine=engine,
        rule="drawdown",
        used=max(0.0, down / deepest),
        value=f"{max(0, down) / PPM:.2%}",
        bound=f"{deepest / PPM:.2%}",
    )


def _exposure(gate: GateState) -> Iterator[HeadroomRow]:
    net, most = net_minor(gate), to_minor(gate.limits.net_cap_usd)
    if net is not None:
        yield HeadroomRow(
            engine=gate.engine,
            rule="net_cap",
            used=abs(net) / most,
            value=f"{dollars(net)} USD",
            bound=f"{dollars(most)} USD",
        )
    fullest = _fullest_sector(gate, gate.limits)
    if fullest is not None:
        sector, held, room = fullest
        yield HeadroomRow(
            engine=gate.engine, rule="sector_cap", used=held / room, value=f"{held} {sector}", bound=str(room)
        )


def _fullest_sector(gate: GateState, limits: RiskLimits) -> tuple[str, int, int] | None:
    """The sector with the least room: its name, what it holds, what it may hold; None while none holds anything."""
    sectors = list(gate.sector_members.values())
    rooms = {one: limits.sector_caps.get(one, limits.sector_cap_default) for one in sectors if one}
    found = [(one, sectors.count(one), room) for one, room in rooms.items()]
    return max(found, key=lambda one: (one[1] / one[2], one[0]), default=None)


def _orders(gate: GateState, at_ns: int) -> Iterator[HeadroomRow]:
    recent = sum(granted_ns > at_ns - NS_PER_MINUTE for granted_ns in gate.rate.granted)
    yield HeadroomRow(
        engine=gate.engine,
        rule="order_rate",
        used=recent / gate.rate.per_minute,
        value=f"{recent} in the last minute",
        bound=str(gate.rate.per_minute),
    )


# --- days, sessions and releases


def _engine(house: House, engine: str, at_ns: int) -> EngineLook:
    signal, gate, breaker = _signal(house, engine), _gate(house, engine), _breaker(house)
    known = breaker.accounts[engine].breaker if breaker else None
    is_open, turns_ns = True, 0
    if signal is not None and signal.profile.risk.session != "always":
        session = session_at(at_ns, signal.calendar)
        is_open = session is not None
        turns_ns = session.closes_ns if session else next_open_ns(at_ns, signal.calendar) or 0
    unwatched = gate is not None and gate.watched_until_ns is not None and gate.watched_until_ns <= at_ns
    return EngineLook(
        engine=engine,
        today_minor=-known.loss_minor if known and known.readings else None,
        account="+".join(known.engines) if known else "",
        session_open=is_open,
        session_ns=turns_ns,
        unwatched=(gate.unwatched or "no dead man watches") if gate and unwatched else "",
    )


def _calendar(house: House, at_ns: int) -> CalendarRow | None:
    mind = house.mind("macro_calendar")
    if not isinstance(mind, MacroCalendar) or mind.said is None:
        return None
    said, following = mind.said, mind.following(at_ns)
    return CalendarRow(
        shut=said.shut,
        event=said.event,
        until_ns=said.until_ns,
        degraded=said.degraded,
        next_event=following.name if following else "",
        next_ns=following.at_ns if following else 0,
    )
