"""What the venue may change in mid-run: which names are tradable, and when the session of the day closes.

A coin's row comes with the list of its class, 28 coins or one in one answer; the list of shares is 10 MB, so each share
is asked for by itself, one after the other, all of them within `ROUND_S`. Of hours the narrower rule: the calendar that
is asked for each day, and the clock, which knows of a close that was moved this morning.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from config.sessions import load_sessions
from supervisor.clock import NS_PER_S, Clock
from venues.alpaca import calendar
from venues.alpaca.calendar import VenueCalendar
from venues.alpaca.rest import Refused, Rest
from venues.alpaca.rules import CLASSES, SHARE
from venues.alpaca.trading import Desk
from venues.alpaca.trading_wire import Asset, MarketClock, plain_symbol
from venues.market import Instrument, SessionMoved
from venues.venue import VenueMisspoke, VenueUnreachable

ASSETS_PATH, CLOCK_PATH = "/v2/assets", "/v2/clock"
ROUND_S = 300.0
"""All names are looked at in so long: 45 shares are nine requests a minute of the 130 that are for questions."""

CLOCK_S = 60.0
"""Between looks at the clock; what was moved is said again each time: an actor that crashed has not heard it."""

LIFT_NS, LIFT_NS_MAX = 300 * NS_PER_S, 7200 * NS_PER_S
"""A name that is listed as tradable and whose orders are refused as if it were not, a halt, is tried again after so
long, each time twice as long."""

UNTRADABLE = ("not tradable", "is not active")
"""Of what a refused order said: reasons that end when the name is back."""


class Hours:
    """When the day's session closes, where the venue closes sooner than our calendar.

    A day on which the venue has no session at all moves nothing: entries are refused for it, and what is held is left
    when our calendar says so, whoever is wrong.
    """

    def __init__(self, engine: str, tell: Callable[[str], None]):
        self.engine = engine
        self.tell = tell
        self.ours = load_sessions()
        self._told: set[str] = set()

    def moved(self, there: VenueCalendar, clock: MarketClock | None, now_ns: int) -> SessionMoved | None:
        """Today's close by whoever has it first; None where that is our calendar."""
        day = calendar.local_day(now_ns, self.ours.zone)
        ours = calendar.hours_ns(self.ours, day)
        if ours is None:
            return None
        theirs = there.session_ns(day)
        closes_ns = ours[1] if theirs is None else min(ours[1], theirs[1])
        if clock is not None and calendar.local_day(clock.closes_ns, self.ours.zone) == day:
            closes_ns = min(closes_ns, clock.closes_ns)
        if not ours[0] < closes_ns < ours[1]:
            return None
        self._tell_once(day, closes_ns)
        return SessionMoved(self.engine, day.isoformat(), closes_ns, now_ns)

    def _tell_once(self, day: date, closes_ns: int) -> None:
        at = f"{calendar.local_time(closes_ns, self.ours.zone):%H:%M}"
        text = f"{day}: the venue closes at {at}: entries stop and positions are left before that"
        if text not in self._told:
            self._told.add(text)
            self.tell(text)


class Watch:
    """One engine's looks. `shut` says why a name takes no entries now."""

    def __init__(self, rest: Rest, desk: Desk, assets: Mapping[str, Asset], tell: Callable[[str], None]):
        self.rest = rest
        self.desk = desk
        self.tell = tell
        self.shut = {symbol: why for symbol, asset in assets.items() if (why := why_untradable(asset))}
        self._lifts: dict[str, tuple[int, int]] = {}  # symbol -> not before, and the pause then
        self._fault = ""

    @property
    def clock(self) -> Clock:
        """The time."""
        return self.rest.clock

    async def keep_assets(self) -> None:
        """Look at every name, round after round."""
        shares = [one for one in self.desk.instruments.values() if one.asset_class == SHARE]
        coins = [one for one in self.desk.instruments.values() if one.asset_class != SHARE]
        turns: list[Sequence[Instrument]] = [*([coins] if coins else []), *([one] for one in shares)]
        while True:
            for turn in turns:
                await self.clock.sleep(ROUND_S / len(turns))
                try:
                    await self.look(turn)
                    self._fault = ""
                except (VenueUnreachable, VenueMisspoke) as error:
                    if not self._fault:
                        self._fault = f"what is tradable is not known: {type(error).__name__}: {error}"
                        self.tell(self._fault)

    async def look(self, wanted: Sequence[Instrument]) -> None:
        """Look at some names: one share, or coins. Raises VenueUnreachable and VenueMisspoke."""
        if wanted[0].asset_class == SHARE:
            found = await self.rest.ask(Asset, f"{ASSETS_PATH}/{wanted[0].symbol}")
            if isinstance(found, Refused) and not found.missing:
                raise VenueMisspoke(f"{ASSETS_PATH}/{wanted[0].symbol}: HTTP {found.status}: {found.text}")
            self._note(wanted[0].symbol, None if isinstance(found, Refused) else found)
            return
        query = {"status": "active", "asset_class": CLASSES[wanted[0].asset_class]}
        rows = await self.rest.must(tuple[Asset, ...], ASSETS_PATH, query)
        if not rows:
            raise VenueMisspoke(f"{ASSETS_PATH}: no coin at all")
        listed = {plain_symbol(row.symbol): row for row in rows}
        for one in wanted:
            self._note(one.symbol, listed.get(plain_symbol(one.symbol)))

    def _note(self, symbol: str, asset: Asset | None) -> None:
        why, before = why_untradable(asset), self.shut.get(symbol, "")
        if why:
            self.shut[symbol] = why
        else:
            self.shut.pop(symbol, None)
            self._lift(symbol, back=bool(before))
        if why != before:
            self.tell(f"{symbol} {why}: no entries until it is back" if why else f"{symbol} is tradable again")

    def _lift(self, symbol: str, *, back: bool) -> None:
        """Let a name be tried again whose orders were refused because it was not tradable."""
        _, why = self.desk.shut.get(symbol, ("", ""))
        if not any(word in why.lower() for word in UNTRADABLE):
            return
        now_ns = self.clock.now_ns()
        not_before_ns, pause_ns = self._lifts.get(symbol, (0, LIFT_NS))
        if back or now_ns >= not_before_ns:
            del self.desk.shut[symbol]
            self._lifts[symbol] = now_ns + pause_ns, min(2 * pause_ns, LIFT_NS_MAX)

    async def keep_hours(
        self, hours: Hours, there: Callable[[], VenueCalendar | None], put: Callable[[SessionMoved], None]
    ) -> None:
        """Say today's hours while they are narrower than ours; a clock that does not answer says nothing."""
        while True:
            known, told = there(), None
            try:
                answer = await self.rest.ask(MarketClock, CLOCK_PATH)
                told = answer if isinstance(answer, MarketClock) else None
            except (VenueUnreachable, VenueMisspoke) as error:
                self.desk.tell_once(f"the venue's clock is not known: {type(error).__name__}")
            moved = hours.moved(known, told, self.clock.now_ns()) if known is not None else None
            if moved is not None:
                put(moved)
            await self.clock.sleep(CLOCK_S)


def why_untradable(asset: Asset | None) -> str:
    """Why a name takes no orders; empty where it does."""
    if asset is None:
        return "is not listed"
    return "" if asset.tradable and asset.status == "active" else f"is not tradable ({asset.status})"
