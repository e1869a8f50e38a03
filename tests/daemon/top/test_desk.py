"""Keys and questions: nothing is ordered by a slip, and a question tells what it would do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.top.asking import Question, question, question_lines
from daemon.top.desk import HELP, OVERVIEW, QUIT, Desk
from daemon.top.known import Scope, Silent
from daemon.top.panes import PANES
from tests.daemon.top.given import AT_NS, ENGINE, HALTED, POSITION, SNAPSHOT, TWO, known, text_of

NAMES = {"\r": "enter", "\x1b": "escape", "\x7f": "backspace", "\t": "tab"}


def press(desk, keys):
    """Type; gives what came of the last key."""
    came = None
    for key in keys:
        came = desk.key(NAMES.get(key, key), None if key in "\x1b\t" else key)
    return came


def desk(snapshot=SNAPSHOT, **fields):
    return Desk(known(snapshot), **fields)


@pytest.mark.parametrize(("key", "verb"), [("P", "pause"), ("H", "halt")])
def test_what_is_easily_undone_asks_for_y(key, verb):
    order = press(desk(), key + "y")
    assert (order.verb, order.args) == (verb, {"engine": "", "symbol": "", "reason": f"obid top: {verb}"})


@pytest.mark.parametrize(
    "keys", ["P\r", "Pn", "P\x1b", "Pq", "PP", "H ", "F\r", "Fy", "Fy\r", "Fflat\r", "Fflatten\x1b"]
)
def test_nothing_else_does_anything(keys):
    made = desk()
    assert press(made, keys) is None
    if keys[-1] != "y":
        assert (made.asked, made.note.endswith("nothing was done")) == (None, True)


def test_small_letters_never_ask():
    made = desk()
    press(made, "phfr")
    assert made.asked is None


def test_flatten_wants_its_word_and_forgives_a_slip():
    order = press(desk(), "Fflax\x7ftten\r")
    assert (order.verb, order.symbol) == ("flatten", "")


def test_flatten_goes_as_far_as_the_filter_and_refuses_one_that_names_no_symbol():
    made = desk()
    assert press(made, "/btc\rFflatten\r").args["symbol"] == "BTC"
    press(made, "/\x7f\x7f\rF")
    assert made.asked is None
    assert "no whole name" in made.note


def test_keys_while_a_filter_is_typed_are_letters():
    made = desk()
    press(made, "/PHFRq\x7f")
    assert (made.asked, made.typing) == (None, "PHFR")
    press(made, "\r")
    assert made.scope == Scope("", "PHFR")
    press(made, "\x1b")
    assert made.scope == Scope()


def test_a_pause_is_not_for_a_symbol():
    made = desk()
    press(made, "/btc\rP")
    assert made.asked is None
    assert "never for a symbol" in made.note


def test_resume_is_quick_after_the_operator_and_wants_its_word_after_a_guard():
    operator = replace(HALTED, engines=(replace(HALTED.engines[0], by="operator"),))
    assert press(desk(operator), "Ry").verb == "resume"
    assert press(desk(HALTED), "Ry") is None
    assert press(desk(HALTED), "Rresume\r").verb == "resume"


def test_resume_without_anything_to_lift_says_so():
    made = desk()
    press(made, "R")
    assert "nothing to resume" in made.note


def test_one_engine_of_two_is_chosen_with_e():
    made = desk(TWO)
    assert press(made, "eHy").engine == "perps"
    assert press(made, "eHy").engine == "equities"
    assert press(made, "eHy").engine == ""


def test_what_was_stopped_for_all_is_not_resumed_for_one():
    both = replace(TWO, engines=tuple(replace(row, trading="halted", since_ns=5, by="operator") for row in TWO.engines))
    made = desk(both)
    press(made, "eR")
    assert made.asked is None
    assert "all engines" in made.note
    one = replace(both, engines=(both.engines[0], replace(both.engines[1], since_ns=6)))
    assert press(desk(one), "eRy").engine == "perps"


def test_there_are_no_orders_read_only_or_without_a_daemon():
    made = desk(read_only=True)
    assert press(made, "yH") is None
    assert "--read-only" in made.note
    gone = desk()
    gone.known.hear(Silent(False, "gone", AT_NS))
    assert press(gone, "yH") is None
    assert "no daemon" in gone.note
    assert press(desk(None), "Hy") is None


def test_views_help_and_leaving():
    made = desk()
    for number, name in enumerate((OVERVIEW, *PANES), 1):
        press(made, str(number))
        assert made.view == name
    press(made, "\t")
    assert made.view == OVERVIEW
    press(made, "?")
    assert made.view == HELP
    press(made, "\t\x1b")
    assert made.view == OVERVIEW
    assert press(made, "q") == QUIT
    press(made, "F")
    assert made.key("ctrl+c", "\x03") == QUIT


@given(st.lists(st.sampled_from([*"PHFRphfrqe/?1234567jk \r\x1b\x7f\tBTCbtc"]), max_size=40))
def test_without_y_or_a_typed_word_no_keys_order_anything(keys):
    made = desk(HALTED)
    for key in keys:
        assert not isinstance(press(made, key), Question)


def test_a_question_tells_how_much_is_at_stake():
    asked = question("flatten", Scope(), SNAPSHOT)
    text = text_of(question_lines(asked, "fla", SNAPSHOT))
    for part in ("FLATTEN ALL ENGINES", "1 positions, 738.00 USD", "+1.22", "Cancels 1 orders", "BTC -0.0123", "fla_"):
        assert part in text
    assert "may enter again" in text
    assert "may enter again" not in text_of(question_lines(asked, "", HALTED))


def test_the_resume_question_tells_what_it_lifts():
    text = text_of(question_lines(question("resume", Scope(), HALTED), "", HALTED))
    assert "perps halted since 23:59:59 by circuit_breaker: daily_loss: 501" in text.replace("12-31 23:59", "23:59:59")


def test_many_positions_are_named_largest_first_and_counted():
    many = replace(
        SNAPSHOT,
        positions=tuple(replace(POSITION, symbol=f"C{n}", notional_minor=n * 1_000_000) for n in range(9)),
        engines=(ENGINE,),
    )
    text = text_of(question_lines(question("flatten", Scope(), many), "", many))
    assert text.index("C8") < text.index("C3")
    assert "and 3 more" in text
    assert "C2 " not in text
