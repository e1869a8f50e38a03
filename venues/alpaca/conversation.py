"""What is said on one connection to Alpaca's market data: greeting, login, subscriptions, one request at a time.

No socket and no clock in here: what was heard and the time go in, what to say next comes out. Every refusal has a
consequence that fits it (docs.alpaca.markets, "Real-time Stock Data", Errors): a wrong key ends everything (402), a
crowded endpoint is left alone for longer (406), a limit of the plan is found by asking for less until it fits (405,
409) and what did not is told by name.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from supervisor.clock import NS_PER_S
from venues.alpaca.login import Login
from venues.alpaca.market_wire import Complaint, Greeted, Subscribed
from venues.alpaca.plan import COUNTED, Key

CONNECTED, AUTHENTICATED = "connected", "authenticated"
NOT_AUTHENTICATED, AUTH_FAILED, ALREADY, AUTH_TIMEOUT, SYMBOLS, CONNECTIONS, SLOW, NOT_ENABLED, INSUFFICIENT = (
    *range(401, 410),
)
"""The venue's error codes, in its order; 400 is invalid syntax, 500 its own fault."""

LOGIN_NS = 10 * NS_PER_S
"""The venue closes a connection that has not logged in within ten seconds."""

ANSWER_NS = 10 * NS_PER_S
"""For the venue to confirm a subscription."""

ASKED_MAX = 400
"""Subscriptions of one message: 138 shares with quotes, trades and bars are 414, some 4 KB."""


class State(StrEnum):
    """Where a subscription stands."""

    WAITING = "waiting"  # not asked for on the connection that stands, or there is none
    HELD = "held"  # the venue confirmed it
    REFUSED = "refused"  # the venue does not want to, and will not want to on the next connection either


class Cover(Struct):
    """One subscription and what comes of it."""

    key: Key
    state: State = State.WAITING
    reason: str = ""  # of a refusal, in the venue's words


class Outcome(StrEnum):
    """Why a connection has to end."""

    AGAIN = "again"  # a new one may do better
    CROWDED = "crowded"  # somebody else is on it, or the venue thinks so: leave it alone for longer
    WRONG_KEY = "wrong key"  # the operator's to mend
    NOT_OURS = "not in the plan"  # the whole endpoint is not


class Verdict(Struct, frozen=True):
    """The end of a conversation."""

    outcome: Outcome
    text: str


class Conversation:
    """With the venue on one connection, over what is wanted on all of them."""

    def __init__(self, login: Login, covers: Mapping[Key, Cover], now_ns: int):
        self.login = login
        self.covers = covers
        self.ended: Verdict | None = None
        self.live = False  # logged in
        self.asked: tuple[Key, ...] = ()  # what is in flight, to be begun
        self.dropping: tuple[Key, ...] = ()  # the same, to be ended
        self.due_ns: int | None = now_ns + LOGIN_NS  # an answer has to be here by then
        self.slow = 0  # times the venue called us slow
        self._greeted = self._logged_in = False
        self._drop: dict[Key, None] = {}  # to be ended, and then begun again
        self._asked_max = ASKED_MAX
        for cover in covers.values():
            if cover.state is State.HELD:
                cover.state = State.WAITING

    # --- ours ---------------------------------------------------------------------------------------------------------

    def again(self, keys: Iterable[Key]) -> None:
        """End subscriptions and begin them anew, which makes the venue say whole books."""
        held = (key for key in keys if self.covers[key].state is State.HELD)
        self._drop.update((key, None) for key in held if key not in self.dropping)

    def speak(self, now_ns: int) -> dict[str, Any] | None:
        """What to say now, if anything; ends the conversation when an answer is overdue."""
        if self.ended is not None:
            return None
        if self.due_ns is not None and now_ns >= self.due_ns:
            awaited = "a confirmation of subscriptions" if self.live else "a login"
            self._end(Outcome.AGAIN, f"no answer to {awaited} in time")
            return None
        if self._greeted and not self._logged_in:
            self._logged_in = True
            return {"action": "auth", "key": self.login.key, "secret": self.login.secret}
        if not self.live or self.asked or self.dropping:
            return None
        if self._drop:
            self.dropping = tuple(self._drop)
            self._drop.clear()
            self.due_ns = now_ns + ANSWER_NS
            return {"action": "unsubscribe", **_by_channel(self.dropping)}
        waiting = [key for key, cover in self.covers.items() if cover.state is State.WAITING]
        if not waiting:
            return None
        self.asked = tuple(waiting[: self._asked_max])
        self.due_ns = now_ns + ANSWER_NS
        return {"action": "subscribe", **_by_channel(self.asked)}

    # --- the venue's --------------------------------------------------------------------------------------------------

    def hear(self, said: Greeted | Subscribed | Complaint) -> None:
        """Take what is not market."""
        match said:
            case Greeted(text=text):
                self._greeted = self._greeted or text == CONNECTED
                if text == AUTHENTICATED and not self.live:
                    self._open()
            case Subscribed(symbols=symbols):
                self._confirmed({(channel, symbol) for channel, names in symbols.items() for symbol in names})
            case Complaint(code=code, text=text):
                self._complained(code, f"{code} {text}")

    def _open(self) -> None:
        self.live, self.due_ns = True, None

    def _confirmed(self, held: set[Key]) -> None:
        """A confirmation names all that is subscribed to; it may come without having been asked for."""
        for key, cover in self.covers.items():
            if key in held and cover.state is State.WAITING and key not in self.dropping:
                cover.state, cover.reason = State.HELD, ""
            elif key not in held and cover.state is State.HELD:
                cover.state = State.WAITING
        if self.dropping:
            for key in self.dropping:
                if self.covers[key].state is State.HELD:
                    self.covers[key].state = State.WAITING
            self.dropping, self.due_ns = (), None
        elif self.asked:
            for key in self.asked:
                if key not in held:
                    self._refuse(key, "the venue confirmed others, but not this")
            self.asked, self.due_ns = (), None
            self._asked_max = min(ASKED_MAX, 2 * self._asked_max)

    def _complained(self, code: int, text: str) -> None:
        if code == AUTH_FAILED:
            self._end(Outcome.WRONG_KEY, text)
        elif code == CONNECTIONS:
            self._end(Outcome.CROWDED, text)
        elif code == ALREADY:
            if not self.live:
                self._open()
        elif code == SLOW:
            self.slow += 1
        elif not self.live and code in (NOT_ENABLED, INSUFFICIENT):
            self._end(Outcome.NOT_OURS, text)
        elif self.live and code not in (NOT_AUTHENTICATED, AUTH_TIMEOUT) and (self.asked or self.dropping):
            self._declined(code, text)
        else:
            self._end(Outcome.AGAIN, text)

    def _declined(self, code: int, text: str) -> None:
        """A request was refused as a whole: ask for half of it, until what is refused is one."""
        asked, self.asked, self.due_ns = self.asked, (), None
        if self.dropping:  # it can't be ended, so it can't be begun again: only a new connection can
            self._end(Outcome.AGAIN, text)
        elif len(asked) > 1:
            self._asked_max = len(asked) // 2
        else:
            [key] = asked
            self._refuse(key, text)
            kind = COUNTED.get(key[0])
            for other, cover in self.covers.items():
                if code == SYMBOLS and COUNTED.get(other[0]) == kind and cover.state is State.WAITING:
                    self._refuse(other, text)  # a limit that one does not fit into, no other does
            self._asked_max = ASKED_MAX if code == SYMBOLS else 1

    def _refuse(self, key: Key, reason: str) -> None:
        self.covers[key].state, self.covers[key].reason = State.REFUSED, reason

    def _end(self, outcome: Outcome, text: str) -> None:
        self.ended = self.ended or Verdict(outcome, text)


def _by_channel(keys: Iterable[Key]) -> dict[str, list[str]]:
    """As the wire has subscriptions: symbols by channel."""
    channels: dict[str, list[str]] = {}
    for channel, symbol in keys:
        channels.setdefault(channel, []).append(symbol)
    return channels
