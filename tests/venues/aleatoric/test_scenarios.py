"""Scenarios as data and as text: what is understood, what stands in for what is left out, what is refused and how."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.aleatoric.model import SymbolModel
from venues.aleatoric.scenarios import KINDS, BadScenario, Scenario, describe, duration_text, parse_scenario
from venues.aleatoric.shapes import MODELS


@st.composite
def scenarios(draw, kinds: tuple[str, ...] = tuple(KINDS), at_s_max: int = 3_000, for_s_max: int = 1_500) -> Scenario:
    """Any scenario that makes sense, at times that need not be whole seconds."""
    name = draw(st.sampled_from(kinds))
    kind = KINDS[name]
    sizes = st.floats(kind.size_min, min(kind.size_max, 0.3) if kind.size_max == 0.5 else kind.size_max)
    size = draw(st.integers(0, 1000)) if name == "crossed" else draw(sizes)
    at_s = draw(st.integers(0, at_s_max * 10)) / 10
    for_s = draw(st.integers(1, for_s_max * 10)) / 10
    return Scenario(name, at_s, for_s, size, draw(st.sampled_from(kind.sides or ("",))))


@given(scenarios())
def test_text_json_and_toml_give_back_the_same(scenario):
    assert parse_scenario(scenario.text) == scenario
    assert msgspec.json.decode(msgspec.json.encode(scenario), type=Scenario) == scenario
    assert msgspec.convert(msgspec.to_builtins(scenario), Scenario) == scenario


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_and_a_time_are_enough(kind):
    scenario = parse_scenario(f"{kind}@10m")
    assert (scenario.at_s, scenario.for_s, scenario.size) == (600, KINDS[kind].for_s, KINDS[kind].size)
    assert scenario.side == (KINDS[kind].sides or ("",))[0]
    assert msgspec.json.decode(f'{{"kind": "{kind}", "at_s": 600}}', type=Scenario) == scenario


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("flash_crash@10m,for=2m,size=0.05", "flash_crash@10m,for=2m,size=0.05,side=down"),
        ("flash_crash@90s, side=up ,for=1h30m", "flash_crash@90s,for=90m,size=0.05,side=up"),
        ("frozen@0s,for=2.5s", "frozen@0s,for=2.5s"),
        ("crossed@2h,size=3", "crossed@2h,for=10s,size=3,side=bids"),
        ("trend@1d,size=0.0001", "trend@24h,for=1h,size=0.0001,side=up"),
    ],
)
def test_text(text, whole):
    assert parse_scenario(text).text == whole


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "flash@10m",
            "kind 'flash': one of flash_crash, liquidity_void, one_sided, facade, trend, macro_print, frozen",
        ),
        ("", "scenario '': kind@time"),
        ("gap", "scenario 'gap': kind@time"),
        ("gap@10", "time '10': a length of time as a number and s, m, h or d"),
        ("gap@-1s", "time '-1s'"),
        ("gap@1m,for=0s", "for '0s': must be more than nothing"),
        ("gap@1m,for=8d", "for_s 691200.0: seconds, more than 0 and at most 604800"),
        ("gap@4000d", "at_s 345600000.0: seconds from 0 to 316224000"),
        ("gap@1m,size=nan", "size 'nan': a plain number"),
        ("gap@1m,size=-1", "size '-1': a plain number"),
        ("gap@1m,size=0.6", "size 0.6: gap: share of the price that it went meanwhile, from 0 to 0.5"),
        ("crossed@1m,size=1.5", "size 1.5: crossed: ticks from the best ask up to the best bid, whole, from 0 to 1000"),
        ("frozen@1m,size=1", "size 1.0: frozen: has no size"),
        ("gap@1m,side=bids", "side 'bids': gap: one of down, up"),
        ("gap@1m,side=", "side '': one of down, up"),
        ("frozen@1m,side=up", "side 'up': frozen: has no side"),
        ("gap@1m,depth=3", "scenario 'depth=3': one of for=, size=, side="),
        ("gap@1m,size=0.1,size=0.2", "size '0.2': is given twice"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field_value_and_what_would_be_right(text, says):
    with pytest.raises(BadScenario) as caught:
        parse_scenario(text)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ('"kind": "boom", "at_s": 1', "kind 'boom': one of flash_crash"),
        ('"kind": "gap", "at_s": -1', "at_s -1.0: seconds from 0"),
        ('"kind": "gap", "at_s": 1, "for_s": -3', "for_s -3.0"),
        ('"kind": "gap", "at_s": 1, "size": -0.5', "size -0.5: gap"),
        ('"kind": "gap", "at_s": 1, "seize": 1', "seize"),
        ('"kind": "gap"', "at_s"),
    ],
)
def test_data_that_makes_no_sense_is_refused_with_its_place(fields, says):
    model = msgspec.json.encode(MODELS["hyperliquid_perp_btc"]).decode()
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(model.replace('"scenarios":[]', f'"scenarios":[{{{fields}}}]'), type=SymbolModel)
    assert says in str(caught.value)
    assert "$.scenarios[0]" in str(caught.value)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("field", ["at_s", "for_s", "size"])
def test_numbers_that_are_none_are_refused(field, number):
    with pytest.raises(BadScenario, match=field):
        Scenario(**{"kind": "gap", "at_s": 1.0, field: number})


@given(st.integers(0, 10**9).map(lambda tenths: tenths / 10))
def test_lengths_read_back(seconds):
    assert parse_scenario(f"gap@{duration_text(min(seconds, 3e8))}").at_s == min(seconds, 3e8)


def test_the_table_says_everything_of_each_kind():
    rows = describe()
    assert [row[0] for row in rows] == list(KINDS)
    assert all(all(row) for row in rows)
    assert (rows[6][0], *rows[6][2:]) == ("frozen", "1m", "-", "-")
    assert rows[0][2:] == (
        "15m",
        "share of the price that is lost at the bottom; 0.05",
        f"{KINDS['gap'].side_means}: down or up",
    )


@pytest.mark.parametrize(
    ("at_s", "for_s", "cadence_ns", "steps"),
    [
        (10, 5, 10**9, (9, 14)),  # the book of step 9 is there after 10 s
        (10, 0.001, 10**9, (9, 10)),
        (0, 1, 550_000_000, (0, 1)),
        (1, 1, 550_000_000, (1, 3)),
        (10.2, 0.1, 10**9, (10, 11)),  # no book comes within it: the next one shows it
    ],
)
def test_books_that_arrive_within_it_show_it(at_s, for_s, cadence_ns, steps):
    assert Scenario("gap", at_s, for_s).steps(cadence_ns) == steps
