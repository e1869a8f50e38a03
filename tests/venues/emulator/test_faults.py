"""Schedules of faults: read strictly, the same for the same seed, and each kind of the default within its hour."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venues.emulator import faults
from venues.emulator.faults import ALPACAS, DEFAULT, HARSH, KINDS, BadFaults, Fault, at_once, fault_of, parse, read
from venues.emulator.schedule import Faults, Scope

NS = 1_000_000_000
START_NS = 1_700_000_000 * NS
ONE = [Scope(frozenset({"userFills"}), frozenset({"BTC"}))]


def schedule(*rules: dict, seed: int = 1) -> Faults:
    return Faults([fault_of(rule) for rule in rules], seed, START_NS)


def firings_s(rule: dict, seed: int = 1, until_s: int = 3600, step_s: float = 1.0) -> list[float]:
    """When a rule fires if it is asked each second."""
    at_work, found = schedule(rule, seed=seed), []
    for step in range(int(until_s / step_s) + 1):
        now_ns = START_NS + round(step * step_s * NS)
        upon = KINDS[rule["kind"]].upon
        fired = {
            "request": lambda now: at_work.of_request("exchange", "order", ["BTC"], now),
            "frame": lambda now: at_work.of_fills("userFills", ["BTC"], now),
            "socket": lambda now: at_work.of_sockets(lambda: ONE, now),
            "exchange": lambda now: at_work.of_exchange(["BTC"], now),
        }[upon](now_ns)
        found += [step * step_s] if fired else []
    return found


def test_every_kind_can_be_named_with_each_of_its_fields():
    for kind, about in KINDS.items():
        told = {"kind": kind, "at_s": [1, 2.5], "times": 1, **about.own}
        fault = fault_of(told)
        assert fault.at_s == (1.0, 2.5) and fault.kind == kind
        assert {name: getattr(fault, name) for name in about.own} == about.own


def test_the_documentation_lists_each_kind_and_its_own_fields():
    for kind, about in KINDS.items():
        line = next(line for line in faults.__doc__.splitlines() if line.strip().startswith(f"{kind} "))
        assert all(name in line for name in about.own if name != "for_s" or about.upon not in ("request", "frame")), (
            line
        )


def test_a_file_may_name_the_seed(tmp_path):
    path = tmp_path / "bad_day.toml"
    path.write_text('seed = 7\n[[fault]]\nkind = "close"\nevery_s = 60\ncode = 1001\nsymbols = ["BTC"]\n')
    assert read(str(path)) == ((Fault(kind="close", every_s=60.0, code=1001, symbols=("BTC",)),), 7)
    assert read("none") == ((), None)


@pytest.mark.parametrize(
    ("text", "field", "right"),
    [
        ("[[fault]]\nkind = 3", "fault 1: kind", "one of mute, close"),
        ('[[fault]]\nkind = "moot"', "fault 1: kind", "one of mute, close"),
        ('[[fault]]\nkind = "mute"', "fault 1 (mute): when", "exactly one of probability, every_s and at_s"),
        ('[[fault]]\nkind = "http_429"\nevery_s = 3\nat_s = [1]', "fault 1 (http_429): when", "exactly one"),
        ('[[fault]]\nkind = "mute"\nprobability = 0.1', "fault 1 (mute): probability", "use every_s or at_s"),
        ('[[fault]]\nkind = "http_429"\nprobability = 1.5', "fault 1 (http_429): probability", "a number from 0 to 1"),
        ('[[fault]]\nkind = "http_429"\nprobability = nan', "fault 1 (http_429): probability", "a number from 0 to 1"),
        ('[[fault]]\nkind = "close"\nevery_s = 0', "fault 1 (close): every_s", "a number from 0.001"),
        ('[[fault]]\nkind = "close"\nevery_s = 9\ncode = 999', "fault 1 (close): code", "from 1000 to 4999"),
        ('[[fault]]\nkind = "close"\nat_s = 9', "fault 1 (close): at_s", "a list of seconds"),
        ('[[fault]]\nkind = "mute"\nevery_s = 9\nfor_s = true', "fault 1 (mute): for_s", "a number from 0"),
        (
            '[[fault]]\nkind = "mute"\nevery_s = 9\nrequests = ["a"]',
            "fault 1 (mute): requests",
            "mute has no such field",
        ),
        (
            '[[fault]]\nkind = "http_429"\nevery_s = 9\nrequests = "a"',
            "fault 1 (http_429): requests",
            "a list of names",
        ),
        ('[[fault]]\nkind = "http_429"\nevery_s = 9\ndone = 1', "fault 1 (http_429): done", "true or false"),
        ('[[fault]]\nkind = "inner_error"\nevery_s = 9\ntext = ""', "fault 1 (inner_error): text", "a text"),
        ("seed = -1", "seed", "a whole number from 0"),
        ("faults = 1", "faults", "no such entry"),
        ("fault = 1", "fault", "under its own [[fault]]"),
        ("fault", "faults", "is no TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_field_and_what_is_right(text, field, right):
    with pytest.raises(BadFaults) as caught:
        parse(text)
    assert caught.value.field == field
    assert right in str(caught.value)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(BadFaults, match=r"no_such\.toml.*default, none or a TOML file"):
        read("no_such.toml")


def test_what_fires_now_has_no_times():
    assert at_once({"kind": "mute"}).at_s == (0.0,)
    with pytest.raises(BadFaults, match="it fires now, once"):
        at_once({"kind": "mute", "every_s": 1})


@given(seed=st.integers(0, 2**63 - 1), every_s=st.integers(10, 600))
@settings(max_examples=25)
def test_every_s_fires_once_in_each_stretch(seed, every_s):
    fired = firings_s({"kind": "close", "every_s": every_s}, seed)
    stretches = 3600 // every_s
    assert stretches <= len(fired) <= stretches + 1
    assert all(place * every_s <= at <= (place + 1) * every_s for place, at in enumerate(fired))


def test_the_same_seed_fires_at_the_same_moments_and_another_does_not():
    rule = {"kind": "http_429", "every_s": 60}
    assert firings_s(rule, 5) == firings_s(rule, 5) != firings_s(rule, 6)


def test_probability_is_of_each_opportunity_and_the_same_for_the_same_seed():
    rule = {"kind": "http_429", "probability": 0.1}
    fired = firings_s(rule, until_s=20_000)
    assert 1800 < len(fired) < 2200
    assert fired == firings_s(rule, until_s=20_000)


def test_at_s_fires_at_each_moment_and_times_bounds_it():
    assert firings_s({"kind": "duplicate_fills", "at_s": [60, 10, 60.5]}) == [10, 60, 61]
    assert firings_s({"kind": "duplicate_fills", "at_s": [10, 60], "times": 1}) == [10]
    assert len(firings_s({"kind": "duplicate_fills", "probability": 1, "times": 3})) == 3


def test_what_is_due_waits_for_an_opportunity_and_then_fires_once():
    at_work = schedule({"kind": "close", "every_s": 10})
    assert at_work.of_sockets(lambda: [], START_NS + 95 * NS) == []
    assert len(at_work.of_sockets(lambda: ONE, START_NS + 95 * NS)) == 1
    assert at_work.fired["close"] == 1
    assert sum(len(at_work.of_sockets(lambda: ONE, START_NS + at * NS)) for at in range(96, 111)) in (1, 2)


def test_a_window_befalls_all_that_match_in_it():
    at_work = schedule({"kind": "http_429", "at_s": [10], "for_s": 5, "requests": ["order"]})
    befallen = [at for at in range(20) if at_work.of_request("exchange", "order", (), START_NS + at * NS) is not None]
    assert befallen == [10, 11, 12, 13, 14]
    assert (at_work.fired["http_429"], at_work.befell["http_429"]) == (1, 5)
    assert at_work.of_request("exchange", "cancel", (), START_NS + 12 * NS) is None


def test_scopes_are_doors_types_channels_and_symbols():
    at_work = schedule(
        {"kind": "http_429", "at_s": [0], "requests": ["info"], "symbols": ["ETH"]},
        {"kind": "late_fills", "at_s": [0], "channels": ["userEvents"]},
        {"kind": "mute", "at_s": [0], "channels": ["trades"], "symbols": ["BTC"]},
        {"kind": "inner_error", "at_s": [0]},
    )
    assert at_work.of_request("info", "l2Book", ["BTC"], START_NS) is None
    assert at_work.of_request("info", "l2Book", ["ETH"], START_NS).kind == "http_429"
    assert at_work.of_request("info", "l2Book", ["ETH"], START_NS) is None
    assert at_work.of_request("exchange", "order", ["ETH"], START_NS).kind == "inner_error"
    assert at_work.of_fills("userFills", ["BTC"], START_NS) is None
    assert at_work.of_fills("userEvents", ["BTC"], START_NS).kind == "late_fills"
    sockets = [Scope(frozenset({"trades"}), frozenset({"ETH"})), Scope(frozenset({"trades"}), frozenset({"BTC"}))]
    assert [place for _, place in at_work.of_sockets(lambda: sockets, START_NS)] == [1]


def test_a_delisting_names_a_symbol_that_is_listed():
    at_work = schedule({"kind": "delist", "at_s": [0, 1]}, {"kind": "delist", "at_s": [0], "symbols": ["SOL"]})
    assert [fault.symbols for fault in at_work.of_exchange(["ETH"], START_NS)] == [("ETH",)]
    assert [fault.symbols for fault in at_work.of_exchange(["SOL"], START_NS + NS)] == [("SOL",), ("SOL",)]


def test_under_the_default_every_kind_fires_within_an_hour():
    rules, seed = parse(DEFAULT)
    assert seed is None and {rule.kind for rule in rules} == {*KINDS} - ALPACAS - HARSH
    at_work = Faults(rules, 1, START_NS)
    for at in range(3600):
        now_ns = START_NS + at * NS
        at_work.of_exchange(["BTC", "ETH"], now_ns)
        at_work.of_sockets(lambda: ONE, now_ns)
        if at % 5 == 0:
            at_work.of_request("info", "l2Book", ["BTC"], now_ns)
        if at % 20 == 0:
            at_work.of_request("exchange", "order", ["BTC"], now_ns)
            at_work.of_fills("userFills", ["BTC"], now_ns)
    assert set(at_work.fired) == {*KINDS} - ALPACAS - HARSH == {*at_work.kinds()}
