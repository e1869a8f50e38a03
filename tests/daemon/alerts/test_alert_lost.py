"""A second halt by the breaker wakes as the first did, whatever `alert_level` is and however crowded the hour was."""

from actors.messages import TradingState
from config.settings import Settings
from daemon.alerts.alert import Alert, Level
from daemon.alerts.desk import AlertDesk
from daemon.alerts.limiter import BURST, RESERVE, Limiter
from daemon.alerts.rules import Rules
from risk.intent import Trading
from supervisor.clock import NS_PER_S

AT = 1_800_000_000 * NS_PER_S
MINUTE_NS = 60 * NS_PER_S


class Put:
    """A sender that keeps what it is given."""

    idle = True

    def __init__(self) -> None:
        self.bodies: list[dict] = []

    def put(self, body: dict) -> None:
        self.bodies.append(body)


def state(by: str, what: Trading, minutes: int, reason: str) -> TradingState:
    return TradingState("perps", what, reason, by, AT + minutes * MINUTE_NS)


def test_with_alert_level_critical_the_second_halt_of_an_hour_is_told():
    put = Put()
    desk = AlertDesk(Settings(alert_level="critical"), put, None, "r1")
    desk.write(state("circuit_breaker", Trading.HALTED, 0, "daily_loss"))
    desk.write(state("operator", Trading.ACTIVE, 5, "looked"))
    desk.write(state("circuit_breaker", Trading.HALTED, 30, "drawdown"))
    told = [(body["level"], body["over"], body["text"]) for body in put.bodies]
    assert ("critical", False, "drawdown") in told, told


def alert(key: str, at_ns: int, level: Level = Level.WARNING, **more: object) -> Alert:
    return Alert(key=key, level=level, title="t", at_ns=at_ns, **more)


def test_an_end_that_was_held_back_ends_the_story_all_the_same():
    limiter = Limiter(Level.INFO)
    assert limiter.passes(alert("trading:perps", AT, Level.CRITICAL))
    for number in range(BURST):
        limiter.passes(alert(f"k{number}", AT + 1))  # a bad minute: the warnings' part is used up
    limiter.passes(alert("trading:perps", AT + 2, over=True))  # the operator resumes: held back
    assert limiter.passes(alert("trading:perps", AT + 10 * MINUTE_NS, Level.CRITICAL)), "a new halt"


def test_a_story_that_lasts_is_one_that_was_held_back():
    """`look` says it again each five seconds: that is one alert that nobody got, not hundreds."""
    limiter, mind = Limiter(Level.INFO), Rules({"perps": ("BTC",)}, AT)
    for number in range(BURST - RESERVE):
        assert limiter.passes(alert(f"k{number}", AT))
    at_ns = AT + MINUTE_NS
    told = None
    while told is None and at_ns < AT + 30 * MINUTE_NS:
        for one in mind.look(at_ns):
            told = limiter.passes(one) or told
        at_ns += 5 * NS_PER_S
    assert told is not None and told.text in (
        "BTC: no entries there",
        "BTC: no entries there (and 1 more alerts were held back)",
    ), told.text
