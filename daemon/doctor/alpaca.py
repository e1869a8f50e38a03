"""Alpaca as the doctor sees it: key, account, clock, symbols, calendar, and what the plan of its data lets be heard."""

from collections.abc import Sequence

from actors.ledger import LedgerMind
from config.profile import Profile
from config.sessions import load_sessions
from config.settings import Settings
from config.universe import load_universe
from daemon.alpaca import adapter_of, data_of, data_urls, login_of, shared_of
from daemon.doctor.line import Line, fail, ok, warn
from daemon.doctor.visit import Put, Step, clock_line, visit, websocket_line
from supervisor.clock import NS_PER_MS, Clock
from venues.alpaca.adapter import ACCOUNT_PATH, FORBIDDEN, UNAUTHORIZED, Alpaca
from venues.alpaca.calendar import span
from venues.alpaca.data import CRYPTO_STREAM, Feed, stream_url
from venues.alpaca.data_stream import MSGPACK
from venues.alpaca.plan import PLANS
from venues.alpaca.rest import REQUESTS_PER_MINUTE, Refused
from venues.alpaca.rules import SHARE
from venues.alpaca.silence import NoMarket
from venues.alpaca.trading_wire import Account
from venues.alpaca.venue_time import VenueTime
from venues.socket import Socket, SocketLimits

NAME = "alpaca"
SEED = 1
"""Of back-offs that nobody waits for here."""
SHOWN_MAX = 3
"""Days of a calendar that are told."""


class Visit:
    """One, for all engines of a run that trade there."""

    def __init__(self, settings: Settings, profiles: Sequence[Profile], clock: Clock, *, trades: bool):
        self.settings = settings
        self.profiles = profiles
        self.clock = clock
        self.trades = trades
        self.live = settings.mode == "live"
        self.shared = shared_of(clock, settings, SEED)
        self.account_row: Account | Refused | None = None
        self._clock_line = ok(f"{NAME} clock", "")

    async def go(self, put: Put) -> None:
        """All of it. What needs the key is left out where the venue refuses it, and named in the key's line."""
        try:
            away = "is the network up? alpaca_url, DNS, firewall"
            await visit(put, (f"{NAME} rest", self.reach, away), self.steps)
        finally:
            await self.shared.rest.close()

    def steps(self) -> dict[str, tuple[Step, str]]:
        """What can be looked at, by what the venue said of the key."""
        spoken: dict[str, tuple[Step, str]] = {
            f"{NAME} websocket": (self.websocket, "is a proxy or a firewall in the way of WebSockets?"),
            f"{NAME} key": (self.key, ""),
        }
        return spoken if isinstance(self.account_row, Refused) else {**spoken, **self.keyed()}

    def keyed(self) -> dict[str, tuple[Step, str]]:
        """What needs the key."""
        return {
            f"{NAME} clock": (self.clock_step, "ask again"),
            f"{NAME} account": (self.account, ""),
            f"{NAME} symbols": (self.symbols, "take out what the venue does not trade"),
            f"{NAME} data": (self.data, "set alpaca_data_key_id and alpaca_data_secret, and alpaca_plan as it is"),
        }

    async def reach(self) -> Line:
        """Whether it answers, and how fast; a key that is refused is an answer."""
        before_ns = self.clock.now_ns()
        self.account_row = await self.shared.rest.ask(Account, ACCOUNT_PATH)
        told = (
            f"{'live' if self.live else 'paper'} answers after {(self.clock.now_ns() - before_ns) / NS_PER_MS:.0f} ms"
        )
        return ok(f"{NAME} rest", told)

    async def websocket(self) -> Line:
        """Whether the stream of market data opens and greets; nobody logs in, so a daemon's is left alone."""
        socket = Socket(self.clock, SocketLimits(connect_s=3.0), lambda: None, MSGPACK)
        url = stream_url(data_urls(self.settings)[0]) + CRYPTO_STREAM
        return await websocket_line(f"{NAME} websocket", socket, url, self.clock)

    async def key(self) -> Line:
        """Whether it is one, and of the right kind: by the venue's word first, by how its id begins second."""
        name, wanted = f"{NAME} key", "live" if self.live else "paper"
        kind, row = login_of(self.settings, live=self.live).kind, self.account_row
        looks = f"its id begins as keys of {kind} do" if kind else "its id begins as no key of Alpaca does"
        if isinstance(row, Refused):
            wrong = row.status in (UNAUTHORIZED, FORBIDDEN)
            told = f"{self.shared.key_field}: the venue {'refuses it' if wrong else 'says'}: {row.text}"
            told = told if kind == wanted else f"{told}; {looks}, and {wanted} is asked for"
            do = f"make a key of {wanted} in the venue's dashboard; not looked at: {', '.join(self.keyed())}"
            return fail(name, told, do)
        if kind != wanted:
            do = f"see that {self.shared.key_field} is a key of {wanted}"
            return warn(name, f"the venue takes it, but {looks}", do)
        return ok(name, f"a key of {wanted}, and the venue takes it")

    async def clock_step(self) -> Line:
        """How far the clocks are apart."""
        time = VenueTime(self.shared.rest, lambda _: None)
        before_ns = self.clock.now_ns()
        await time.look()
        return clock_line(f"{NAME} clock", time.skew.bound_ns, (self.clock.now_ns() - before_ns) // 2)

    async def account(self) -> Line:
        """What it may do and what there is."""
        name, row = f"{NAME} account", self.account_row
        assert isinstance(row, Account), "a refused key is not asked further"
        shorts = "may sell short" if row.shorting_enabled else "may not sell short"
        told = f"{row.status or 'active'}, equity {row.equity:.2f} USD, cash {row.cash:.2f}, {shorts}"
        if row.shut:
            return fail(name, f"{told}; {row.shut}", "nothing is entered: ask the venue")
        if any(one.universe == "crypto" for one in self.profiles) and row.crypto_status not in ("ACTIVE", ""):
            return fail(name, f"{told}; coins are {row.crypto_status}", "sign the crypto agreement in the dashboard")
        if row.equity <= 0:
            return warn(name, told, "there is nothing to trade with: send money, or reset the paper account")
        return ok(name, told)

    async def symbols(self) -> Line:
        """Whether the venue trades what is wanted, opened as a run in shadow opens it. Raises ConfigError: none."""
        name, refused, days, count = f"{NAME} symbols", list[str](), list[str](), 0
        for profile in self.profiles:
            adapter = adapter_of(profile, self.settings, LedgerMind(), self.clock, trades=False, seed=SEED)
            adapter.feed_of = lambda _: NoMarket()
            await adapter.open()
            traded = set(adapter.traded)
            refused += [symbol for symbol in profile.symbols if symbol not in traded]
            count += len(traded)
            days += self._days(adapter)
        told = f"{count} of {count + len(refused)} are traded"
        if refused:
            return warn(name, f"{told}; not {', '.join(refused)}", "take them out of symbols, or leave them")
        if days:
            return warn(name, "; ".join([told, *days[:SHOWN_MAX]]), "entries pass when both calendars are open")
        return ok(name, told)

    def _days(self, adapter: Alpaca) -> list[str]:
        """Days on which the venue's sessions are not those of our calendar."""
        if adapter.calendar is None:
            return []
        ours = load_sessions()
        return list(adapter.calendar.differences(ours, *span(self.clock.now_ns(), ours.zone)))

    async def data(self) -> Line:
        """Whether the login gets market data, and which symbols the plan has room for. Raises ConfigError."""
        name, data, left, count = f"{NAME} data", data_of(self.clock, self.settings, SEED), list[str](), 0
        try:
            for profile in self.profiles:
                coverage = await self._feed(profile).open()
                left += [str(coverage)] if coverage.uncovered or coverage.partly else []
                count += len(coverage.covered)
        finally:
            await data.close()
        plan = PLANS[self.settings.alpaca_plan]
        told = (
            f"plan {plan.name}: {count} symbols heard, {plan.channels_max or 'any number of'} channels and "
            f"{plan.books_max or 'any number of'} books a connection, {plan.requests_per_minute} requests a minute; "
            f"{REQUESTS_PER_MINUTE} a minute for the account"
        )
        if left:
            return warn(
                name, f"{told}; {'; '.join(left)}", "fewer symbols, or alpaca_plan = plus: nothing unheard is entered"
            )
        return ok(name, told)

    def _feed(self, profile: Profile) -> Feed:
        known, data = load_universe(profile.universe), data_of(self.clock, self.settings, SEED)
        shares = any(known[symbol].asset_class == SHARE for symbol in profile.symbols)
        return data.stocks(profile.symbols) if shares else data.crypto(profile.symbols)
