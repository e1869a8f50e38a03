"""What is said on a connection, without one: each refusal has the consequence that fits it."""

import pytest

from supervisor.clock import NS_PER_S
from tests.venues.alpaca.fake_market import Told
from venues.alpaca.conversation import Conversation, Cover, Outcome, State
from venues.alpaca.login import Login
from venues.alpaca.market_wire import Complaint, Greeted, Subscribed

LOGIN = Login(Told("key "), Told("hunter2\n"))


def covers(*keys):
    return {key: Cover(key) for key in keys}


def books(*symbols):
    return [("orderbooks", symbol) for symbol in symbols]


def logged_in(wanted):
    one = Conversation(LOGIN, wanted, 0)
    assert one.speak(1) is None  # the venue speaks first
    one.hear(Greeted("connected"))
    assert one.speak(2) == {"action": "auth", "key": "key", "secret": "hunter2"}
    assert one.speak(3) is None
    one.hear(Greeted("authenticated"))
    return one


def test_all_that_is_wanted_is_asked_for_at_once_and_confirmed():
    wanted = covers(("orderbooks", "A/USD"), ("trades", "A/USD"), ("orderbooks", "B/USD"))
    one = logged_in(wanted)
    asked = {"action": "subscribe", "orderbooks": ["A/USD", "B/USD"], "trades": ["A/USD"]}
    assert one.speak(4) == asked
    assert one.speak(5) is None
    one.hear(Subscribed({"orderbooks": ("A/USD", "B/USD"), "trades": ("A/USD",)}))
    assert {cover.state for cover in wanted.values()} == {State.HELD}
    assert (one.speak(6), one.due_ns, one.ended) == (None, None, None)
    wanted["trades", "B/USD"] = Cover(("trades", "B/USD"))  # somebody came later
    assert one.speak(7) == {"action": "subscribe", "trades": ["B/USD"]}


def test_a_book_that_is_doubted_is_dropped_and_asked_for_again():
    wanted = covers(*books("A", "B"))
    one = logged_in(wanted)
    one.speak(1)
    one.hear(Subscribed({"orderbooks": ("A", "B")}))
    one.again(books("A"))
    assert one.speak(2) == {"action": "unsubscribe", "orderbooks": ["A"]}
    one.again(books("A"))  # told again meanwhile
    one.hear(Subscribed({"orderbooks": ("B",)}))
    assert one.speak(3) == {"action": "subscribe", "orderbooks": ["A"]}
    assert wanted["orderbooks", "B"].state is State.HELD


def answered(one, limit):
    """Let a venue with room for so many symbols answer until nothing more is asked."""
    held, requests = [], 0
    while (message := one.speak(0)) is not None:
        requests += 1
        symbols = message["orderbooks"]
        if len(held) + len(symbols) > limit:
            one.hear(Complaint(405, "symbol limit exceeded"))
        else:
            held += symbols
            one.hear(Subscribed({"orderbooks": tuple(held)}))
    return held, requests


@pytest.mark.parametrize("limit", [0, 1, 10, 27, 28])
def test_the_venues_own_limit_is_found_and_what_did_not_fit_is_told(limit):
    names = [f"{number:02}" for number in range(28)]
    wanted = covers(*books(*names))
    held, requests = answered(logged_in(wanted), limit)
    assert held == names[:limit]  # in the order of the wish
    assert requests <= 14
    refused = [cover for cover in wanted.values() if cover.state is State.REFUSED]
    assert [cover.key[1] for cover in refused] == names[limit:]
    assert {cover.reason for cover in refused} <= {"405 symbol limit exceeded"}


def test_a_limit_of_books_is_none_of_bars():
    wanted = covers(("bars", "A"), *books("A", "B"), ("bars", "B"))
    one = logged_in(wanted)
    while (message := one.speak(0)) is not None:
        if message.get("orderbooks"):
            one.hear(Complaint(405, "symbol limit exceeded"))
        else:
            held = [symbol for channel, symbol in wanted if wanted[channel, symbol].state is State.HELD]
            one.hear(Subscribed({"bars": (*held, *message["bars"])}))
    states = {key: cover.state for key, cover in wanted.items()}
    assert [key for key, state in states.items() if state is State.HELD] == [("bars", "A"), ("bars", "B")]


def test_one_unknown_name_costs_no_other():
    wanted = covers(*books("A", "B", "nonsense", "C", "D"))
    one = logged_in(wanted)
    held = []
    while (message := one.speak(0)) is not None:
        if "nonsense" in message["orderbooks"]:
            one.hear(Complaint(400, "invalid syntax"))
        else:
            held += message["orderbooks"]
            one.hear(Subscribed({"orderbooks": tuple(held)}))
    assert held == ["A", "B", "C", "D"]
    assert wanted["orderbooks", "nonsense"].reason == "400 invalid syntax"


def test_a_name_that_is_left_out_without_a_word_is_refused():
    wanted = covers(*books("A", "B"))
    one = logged_in(wanted)
    one.speak(0)
    one.hear(Subscribed({"orderbooks": ("A",)}))
    assert wanted["orderbooks", "B"].state is State.REFUSED
    assert one.speak(0) is None


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (400, Outcome.AGAIN),
        (401, Outcome.AGAIN),
        (402, Outcome.WRONG_KEY),
        (404, Outcome.AGAIN),
        (406, Outcome.CROWDED),
        (408, Outcome.NOT_OURS),
        (409, Outcome.NOT_OURS),
        (500, Outcome.AGAIN),
    ],
)
def test_a_login_that_fails(code, outcome):
    one = Conversation(LOGIN, {}, 0)
    one.hear(Greeted("connected"))
    one.speak(0)
    one.hear(Complaint(code, "words"))
    assert (one.ended.outcome, one.ended.text) == (outcome, f"{code} words")
    assert one.speak(0) is None


def test_what_is_no_end():
    one = Conversation(LOGIN, covers(*books("A")), 0)
    one.hear(Greeted("connected"))
    one.speak(0)
    one.hear(Complaint(403, "already authenticated"))
    assert one.live
    one.hear(Complaint(407, "slow client"))
    assert (one.slow, one.ended) == (1, None)
    assert one.speak(0) is not None


@pytest.mark.parametrize("greeted", [False, True])
def test_silence_is_an_end(greeted):
    one = Conversation(LOGIN, covers(*books("A")), 0)
    if greeted:
        one.hear(Greeted("connected"))
        one.speak(0)
    assert one.due_ns == 10 * NS_PER_S
    assert one.speak(10 * NS_PER_S) is None
    assert one.ended.outcome is Outcome.AGAIN


def test_a_subscription_that_is_never_confirmed_is_an_end():
    one = logged_in(covers(*books("A")))
    one.speak(5)
    one.speak(5 + 10 * NS_PER_S)
    assert "confirmation" in one.ended.text


def test_a_login_shows_itself_to_nobody():
    assert repr(LOGIN) == str(LOGIN) == "Login(***)"
    assert LOGIN.headers == {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "hunter2"}
