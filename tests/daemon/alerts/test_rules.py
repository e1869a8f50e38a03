"""What needs a person, and how often a person is told."""

from hypothesis import given
from hypothesis import strategies as st

from actors.messages import (
    SHUTDOWN,
    CalendarState,
    CashDrift,
    Drift,
    HeldOutside,
    InvariantBroken,
    MacroWindow,
    OrderFaulted,
    Reconciled,
    StreamState,
    TradingState,
)
from daemon.alerts.alert import Alert, Level
from daemon.alerts.limiter import BURST, REFILL_NS, REPEAT_NS, RESERVE, Limiter
from daemon.alerts.rules import STALE_NS, STORM_NS, UNRECONCILED_NS, Rules
from risk.intent import Trading
from supervisor.clock import NS_PER_S
from supervisor.messages import ChildCrashed, GaveUp

AT = 1_800_000_000 * NS_PER_S


def rules(*symbols: str, **more: object) -> Rules:
    return Rules({"perps": symbols}, AT, **more)


def said(mind: Rules, *messages: object) -> list[tuple[str, Level, bool]]:
    return [(one.key, one.level, one.over) for message in messages for one in mind.hear(message)]


def halted(by: str, state: Trading = Trading.HALTED, engine: str = "perps", at_ns: int = AT) -> TradingState:
    return TradingState(engine, state, "drawdown: 1 below 2", by, at_ns)


def test_a_halt_wakes_unless_the_operator_made_it_and_its_end_is_told():
    mind = rules()
    assert said(mind, halted("circuit_breaker")) == [("trading:perps", Level.CRITICAL, False)]
    assert said(mind, halted("operator", Trading.ACTIVE)) == [("trading:perps", Level.WARNING, True)]
    assert said(mind, halted("operator", engine="")) == [("trading:all", Level.WARNING, False)]
    assert said(mind, halted(SHUTDOWN)) == [], "a clean stop is no alarm"
    assert said(mind, halted("operator", Trading.ACTIVE, "crypto")) == [], "it never was anything else"


def test_each_trouble_is_an_alert():
    mind = rules()
    told = said(
        mind,
        InvariantBroken(engine="perps", invariant="balance", what="off by 1", at_ns=AT),
        GaveUp("root", "perps.feed", 5, 30.0, AT),
        Drift("perps", "BTC", 5, 3, "adopted", AT),
        CashDrift("perps", 5, 3, AT),
        HeldOutside("equities", "COST", 5, 0, AT),
        OrderFaulted("perps", "o1", "a fill of an order that was never sent", AT),
        CalendarState("fred", "releases", False, "402", 0, 0, AT),
        CalendarState("fred", "releases", True, "", 4, 0, AT),
    )
    assert [(key.partition(":")[0], level) for key, level, _ in told] == [
        ("broken", Level.CRITICAL),
        ("gave_up", Level.CRITICAL),
        ("drift", Level.WARNING),
        ("cash_drift", Level.WARNING),
        ("held_outside", Level.CRITICAL),
        ("order_faulted", Level.WARNING),
        ("calendar", Level.INFO),
    ]


def test_a_crash_is_borne_and_a_storm_of_them_is_told():
    mind = rules()
    gap = STORM_NS // 2
    crashes = [ChildCrashed("feed", "perps", "ValueError: x", AT + number * gap) for number in range(3)]
    assert said(mind, *crashes) == [("storm:perps.feed", Level.WARNING, False)]
    slow = [ChildCrashed("bars", "perps", "ValueError: x", AT + number * (gap + 1)) for number in range(9)]
    assert said(mind, *slow) == []


def test_a_feed_that_stays_stale_is_told_once_and_when_it_is_back():
    mind = rules("BTC", "ETH")
    list(mind.hear(StreamState("perps", "BTC", True, 0, AT)))
    list(mind.hear(StreamState("perps", "ETH", True, 0, AT)))
    assert list(mind.look(AT + 2 * STALE_NS)) == []
    list(mind.hear(StreamState("perps", "BTC", False, 3_000, AT)))
    assert list(mind.look(AT + STALE_NS - 1)) == []
    (alert,) = mind.look(AT + STALE_NS)
    assert (alert.key, alert.text) == ("stale:perps", "BTC: no entries there")
    list(mind.hear(StreamState("perps", "BTC", True, 0, AT)))
    (alert,) = mind.look(AT + STALE_NS + 1)
    assert (alert.key, alert.over) == ("stale:perps", True)
    assert list(mind.look(AT + STALE_NS + 2)) == []


def test_a_feed_that_never_came_is_told():
    (alert,) = rules("BTC", "ETH").look(AT + STALE_NS)
    assert alert.text == "BTC, ETH: no entries there"


def test_outside_a_session_silence_is_no_news():
    opens_ns = AT + 5 * STALE_NS
    mind = rules("BTC", is_open=lambda _engine, at_ns: at_ns >= opens_ns)
    assert list(mind.look(opens_ns - 1)) == list(mind.look(opens_ns + STALE_NS - 1)) == []
    assert [alert.key for alert in mind.look(opens_ns + STALE_NS)] == ["stale:perps"]


def test_no_reconciliation_for_minutes_is_told():
    mind = rules()
    list(mind.hear(Reconciled("perps", False, 0, 0, 0, "the venue does not answer", AT)))
    list(mind.hear(Reconciled("perps", False, 0, 0, 0, "still", AT + UNRECONCILED_NS // 2)))
    assert list(mind.look(AT + UNRECONCILED_NS - 1)) == []
    assert [alert.key for alert in mind.look(AT + UNRECONCILED_NS)] == ["unreconciled:perps"]
    list(mind.hear(Reconciled("perps", True, 0, 0, 0, "", AT)))
    assert [alert.over for alert in mind.look(AT + UNRECONCILED_NS + 1)] == [True]


def test_a_calendar_that_covers_nothing_is_told_until_one_does():
    mind = rules()
    shut, fine = MacroWindow(True, "no calendar", 0, True, AT), MacroWindow(False, "", 0, False, AT)
    assert said(mind, shut, shut, fine, fine) == [
        ("calendar_degraded", Level.WARNING, False),
        ("calendar_degraded", Level.WARNING, True),
    ]


# --- how often


def alert(key: str = "k", at_ns: int = AT, level: Level = Level.WARNING, **more: object) -> Alert:
    return Alert(key=key, level=level, title="t", at_ns=at_ns, **more)


def test_one_story_is_told_once_an_hour():
    limiter = Limiter(Level.INFO)
    assert limiter.passes(alert())
    assert not limiter.passes(alert(at_ns=AT + REPEAT_NS - 1))
    assert limiter.passes(alert(at_ns=AT + REPEAT_NS))
    assert limiter.passes(alert(at_ns=AT + REPEAT_NS + 1, level=Level.CRITICAL)), "it got graver"
    assert limiter.passes(alert(at_ns=AT + REPEAT_NS + 2, over=True))
    assert not limiter.passes(alert(at_ns=AT + REPEAT_NS + 3, over=True)), "that was told"
    assert limiter.passes(alert(at_ns=AT + REPEAT_NS + 4)), "a new story of the same name"


def test_what_matters_less_is_not_told():
    limiter = Limiter(Level.WARNING)
    assert not limiter.passes(alert(level=Level.INFO))
    assert limiter.passes(alert(level=Level.WARNING))


def test_many_stories_are_held_back_counted_and_leave_room_for_the_worst():
    limiter = Limiter(Level.INFO)
    passed = [limiter.passes(alert(f"k{number}")) for number in range(50)]
    assert sum(map(bool, passed)) == BURST - RESERVE
    worst = limiter.passes(alert("worst", level=Level.CRITICAL))
    assert worst is not None and worst.text == f"(and {50 - BURST + RESERVE} more alerts were held back)"
    later = limiter.passes(alert("later", AT + 2 * REFILL_NS))
    assert later is not None and later.text == ""


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(list(Level)), st.booleans(), st.integers(0, 600)), max_size=300
    )
)
def test_never_more_than_the_burst_and_twenty_an_hour(steps):
    limiter, at_ns, passed = Limiter(Level.INFO), AT, []
    for key, level, over, wait_s in steps:
        at_ns += wait_s * NS_PER_S
        if limiter.passes(alert(f"k{key}", at_ns, level, over=over)):
            passed.append(at_ns)
    for at in passed:
        assert sum(at <= other < at + 3_600 * NS_PER_S for other in passed) <= BURST + 20 + 1
