"""Alpaca's trading REST: questions, which may be asked again, and acts, which are sent once.

Limits: 200 requests a minute for an account (docs, "Usage Limits"), counted here over a minute and told by the headers
X-RateLimit-Limit, -Remaining and -Reset. Acts (an order, a replace, a cancel) go at once; questions leave them a share.
What comes back with 4xx is an answer: Refused, with the venue's code and words. 429, 5xx and silence are none: an act
may have been done then, and only a question can tell.
"""

from collections import deque
from collections.abc import Mapping
from typing import TypeVar

from msgspec import Struct, json

from supervisor.clock import NS_PER_S, Clock
from venues import rest
from venues.alpaca.login import Login
from venues.alpaca.trading_wire import read, read_refusal
from venues.backoff import MINUTE_NS
from venues.rest import Answer, NotAnswered, RestLimits
from venues.venue import VenueMisspoke

T = TypeVar("T")
REQUESTS_PER_MINUTE = 200
SPARE = 10
"""Of the venue's 200 left to whoever else uses the account: its owner's browser is one."""

KEPT_FOR_ACTS = 60
"""Requests of a minute that questions leave: 30 orders, each cancelled or moved."""

TRIES_MAX = 4
"""Of a question. What does not answer four times is down, and who asks has something else to do."""

AGAIN_S = (0.25, 0.75, 1.5)
"""Between tries; together still under the ten seconds that who asks waits."""

WAIT_S_MAX = 4.0
"""A 429 may ask for longer; then the question fails and is asked at the next look."""

LIMITS = RestLimits(answer_bytes_max=32 * 1024 * 1024)
"""The list of all assets is some 10 MB."""

MULTIPLE, TOO_MANY, SERVER_FAULT = 300, 429, 500
NOT_FOUND, TIMED_OUT = 404, 408
"""408 is a proxy that waited for one of the two sides: no word of the venue's."""

DUPLICATE = "client_order_id must be unique"
"""With 422; of an order that is over, too (alpaca-py#260)."""


class Refused(Struct, frozen=True):
    """The venue said no: nothing was done."""

    status: int
    code: int
    message: str

    @property
    def text(self) -> str:
        """The venue's words, with its code."""
        return f"{self.message} ({self.code or self.status})"

    @property
    def duplicate(self) -> bool:
        """Whether the id was used before, which proves that an order of that id exists."""
        return DUPLICATE in self.message

    @property
    def missing(self) -> bool:
        """Whether what was named is not there."""
        return self.status == NOT_FOUND


class Budget:
    """Requests of the last minute, and what the venue itself says is left."""

    def __init__(self, per_minute: int = REQUESTS_PER_MINUTE, spare: int = SPARE):
        self.per_minute = per_minute
        self.spare = spare
        self._sent: deque[int] = deque()
        self._until_ns = 0  # the venue wants no question before

    def spend(self, now_ns: int) -> None:
        """A request is sent."""
        self._sent.append(now_ns)

    def used(self, now_ns: int) -> int:
        """Requests of the last minute."""
        while self._sent and now_ns - self._sent[0] >= MINUTE_NS:
            self._sent.popleft()
        return len(self._sent)

    def told(self, answer: Answer, now_ns: int) -> None:
        """What the headers of an answer say: another program may use the same account."""
        left, reset = answer.headers.get("x-ratelimit-remaining", ""), answer.headers.get("x-ratelimit-reset", "")
        if answer.status == TOO_MANY or (left.isdigit() and int(left) <= self.spare):
            reset_ns = int(reset) * NS_PER_S if reset.isdigit() else 0
            self._until_ns = max(self._until_ns, min(reset_ns, now_ns + MINUTE_NS))

    def question_at_ns(self, now_ns: int) -> int:
        """When a question may be asked: now, or when there is room again."""
        at_ns, room = max(now_ns, self._until_ns), self.per_minute - SPARE - KEPT_FOR_ACTS
        if self.used(now_ns) >= room:
            at_ns = max(at_ns, self._sent[len(self._sent) - room] + MINUTE_NS)
        return at_ns

    def room_for_entry(self, now_ns: int) -> bool:
        """Whether an order that opens something may use what is left; exits and cancels go in any case."""
        return self.used(now_ns) < self.per_minute - SPARE


class Rest:
    """One account's REST."""

    def __init__(self, url: str, login: Login, clock: Clock, limits: RestLimits = LIMITS, spare: int = SPARE):
        self.clock = clock
        self.budget = Budget(spare=spare)
        self._http = rest.Rest(url, limits, login.headers)

    async def ask(self, kind: type[T], path: str, query: Mapping[str, str] | None = None) -> T | Refused:
        """Ask a question, again after 429, 5xx, silence and nonsense. Raises VenueUnreachable, VenueMisspoke.

        A page of a proxy where JSON belongs is as passing as its 502: a start must not fail of one.
        """
        number = 0
        while True:
            await self._room()
            wait_s = AGAIN_S[min(number, len(AGAIN_S) - 1)]
            try:
                answer = await self._once("GET", path, b"", query)
                return _refused(answer) if answer.status >= MULTIPLE else read(kind, answer.body)
            except TooSoon as error:
                wait_s = max(error.wait_s, wait_s)
                if number + 1 >= TRIES_MAX or wait_s > WAIT_S_MAX:
                    raise
            except (NotAnswered, VenueMisspoke):
                if number + 1 >= TRIES_MAX:
                    raise
            number += 1
            await self.clock.sleep(wait_s)

    async def must(self, kind: type[T], path: str, query: Mapping[str, str] | None = None) -> T:
        """Ask what is never refused. Raises VenueUnreachable, VenueMisspoke (a refusal)."""
        answer = await self.ask(kind, path, query)
        if isinstance(answer, Refused):
            raise VenueMisspoke(f"{path}: HTTP {answer.status}: {answer.text}")
        return answer

    async def act(self, kind: type[T], method: str, path: str, body: object = None) -> T | Refused | None:
        """Send an order, a replace or a cancel, once; None where the answer is empty.

        Raises NotAnswered: it may have been done unless `sent` is False. Raises VenueMisspoke: it may have been done.
        """
        answer = await self._once(method, path, b"" if body is None else json.encode(body))
        if answer.status >= MULTIPLE:
            return _refused(answer)
        return read(kind, answer.body) if answer.body else None

    @property
    def answers(self) -> int:
        """How many requests were answered so far."""
        return self._http.answers

    async def _room(self) -> None:
        while (at_ns := self.budget.question_at_ns(self.clock.now_ns())) > self.clock.now_ns():
            await self.clock.sleep_until(at_ns)

    async def _once(self, method: str, path: str, body: bytes, query: Mapping[str, str] | None = None) -> Answer:
        self.budget.spend(self.clock.now_ns())
        answer = await self._http.request(method, path, body, query)
        self.budget.told(answer, self.clock.now_ns())
        status = answer.status
        if status == TOO_MANY:
            after = answer.headers.get("retry-after", "")
            raise TooSoon(path, float(after) if after.isdigit() else 0.0)
        if status >= SERVER_FAULT or status == TIMED_OUT:
            text = f"HTTP {status}: {read_refusal(answer.body).message}"
            raise NotAnswered(path, text, sent=True, status=status)
        if not 200 <= status < MULTIPLE and not 400 <= status < SERVER_FAULT:  # a redirect, mostly
            raise VenueMisspoke(f"{path}: HTTP {status}")
        return answer

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.close()


class TooSoon(NotAnswered):
    """HTTP 429. That an act was not done is likely and nowhere promised: it may have been."""

    def __init__(self, path: str, wait_s: float):
        super().__init__(path, f"HTTP {TOO_MANY}", sent=True, status=TOO_MANY)
        self.wait_s = wait_s


def _refused(answer: Answer) -> Refused:
    said = read_refusal(answer.body)
    return Refused(answer.status, said.code, said.message or f"HTTP {answer.status}")
