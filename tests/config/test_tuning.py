"""What may be changed while it runs: by the ranges of the configuration, limits only stricter, symbols by name."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import ConfigError
from config.load import ENGINES, load_profile, quarrels
from config.profile import Profile, RiskLimits, Tier
from config.tuning import ENTRIES, FILE, OPERATOR, TUNABLES, changed, read, tuned, tuned_risk, tuned_signal, tuned_tier
from config.tuning_check import check_change, configured

PERPS = load_profile("perps")
MSTR = "xyz:MSTR"


def check(name, value, symbol="", base=PERPS, changes=None, measured=None, source=OPERATOR):
    return check_change(base, changes or {}, measured or {}, (source, name, symbol), value)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_name_is_a_value_of_the_configuration(engine):
    profile = load_profile(engine)
    for name, tunable in TUNABLES.items():
        if name != ENTRIES:
            tables = {"tier": Tier, "signal": type(profile.signal), "risk": RiskLimits}
            assert name in tables[tunable.table].model_fields
        for symbol in ("", profile.symbols[0]) if tunable.by_symbol else ("",):
            started = configured(profile, name, symbol)
            if started and not (name == ENTRIES and not symbol):
                assert check(name, started, symbol, profile) == started, "what the file says is allowed, and unchanged"


@pytest.mark.parametrize(
    ("name", "symbol", "typed", "text"),
    [
        ("z_entry", MSTR, "-1.75", "1.75"),  # a long's threshold, as it is often written
        ("z_entry", MSTR, 1.75, "1.75"),
        ("z_exit", "SOL", "0.30", "0.3"),
        ("notional_usd", "", "100", "100"),
        ("notional_usd", "BTC", "99.50", "99.5"),
        ("daily_loss_usd", "", "2.5e1", "25"),
        ("trend_gate", "", "off", "false"),
        ("allow_short", "", False, "false"),
        ("time_stop_s", "", "60", "60"),
        ("entries_max", "", "1", "1"),
        ("entries", "BTC", "off", "off"),
        ("obi_theta", "", "default", ""),
    ],
)
def test_what_is_typed_is_read_as_the_file_would_be(name, symbol, typed, text):
    assert check(name, typed, symbol) == text


@pytest.mark.parametrize(
    ("name", "symbol", "typed", "said"),
    [
        ("z_entry", MSTR, "0", r"perps.tiers.xyz:MSTR.z_entry = 0: must be a finite number above 0"),
        ("z_entry", MSTR, "nan", "finite number"),
        ("z_entry", MSTR, "many", "finite number"),
        ("z_entry", MSTR, True, "finite number"),
        ("z_entry", "xyz:mstr", "2", r"did you mean xyz:MSTR\?"),
        ("z_entry", "BTC/USD", "2", "no such symbol in perps"),
        ("z_enty", "", "2", r"did you mean z_entry\?"),
        ("window_bars", "", "30", "nothing that can be changed while it runs"),
        ("stop_loss", "BTC", "0.01", "one value for all of perps: leave the symbol out"),
        ("entries", "", "off", "needs a symbol"),
        ("entries", "BTC", "maybe", "must be on or off"),
        ("time_stop_s", "", "1.5", "whole number"),
        ("obi_theta", "", "1", "at least 0 and below 1"),
        ("notional_usd", "", "400", r"risk.order_notional_usd_max \(275\) must be at least"),
        ("order_notional_usd_max", "", "200", "must be at least the largest notional"),
        ("z_entry", "SOL", "0.5", r"SOL has z_exit 0.75, which must be below its z_entry 0.5"),
        ("z_exit", "", "1.3", "BTC has z_exit 1.3"),
        ("net_cap_usd", "", "1250.01", "at most 1250, which this run was started with"),
        ("symbol_cap_usd", MSTR, "201", "at most 200"),
        ("stop_loss", "", "0.02", "at most 0.01"),
    ],
)
def test_what_the_file_would_refuse_is_refused_in_one_line(name, symbol, typed, said):
    with pytest.raises(ConfigError, match=said) as error:
        check(name, typed, symbol)
    assert "\n" not in str(error.value)


def test_a_switch_that_the_file_turned_off_stays_off():
    base = PERPS.model_copy(
        update={
            "risk": PERPS.risk.model_copy(update={"entries_off": ("BTC",)}),
            "signal": PERPS.signal.model_copy(update={"allow_short": False}),
        }
    )
    for name, symbol, value in (("entries", "BTC", "on"), ("allow_short", "", "true")):
        with pytest.raises(ConfigError, match=r"must be (off|false), which this run was started with"):
            check(name, value, symbol, base)


def test_a_threshold_is_held_against_what_was_measured_too():
    measured = {MSTR: Tier(z_entry=2.5, z_exit=0.75)}
    assert check("z_entry", "0.8", MSTR, measured=measured)
    with pytest.raises(ConfigError, match=r"z_exit 0\.75"):
        check("z_entry", "0.6", MSTR, measured=measured)


def test_a_kept_threshold_that_meets_another_measure_goes_over_the_files():
    """It was set beside an exit of 0.3; the next start measures 0.75."""
    kept = {(OPERATOR, "z_entry", MSTR): "0.6"}
    now = tuned_tier(PERPS, kept, MSTR, Tier(z_entry=2.5, z_exit=0.75))
    assert (now.z_entry, now.z_exit) == (0.6, 0.3)


def test_a_symbols_own_word_holds_over_the_one_for_all_and_the_operators_over_the_files():
    changes = {
        (FILE, "z_entry", "BTC"): "3",
        (OPERATOR, "z_entry", ""): "2",
        (OPERATOR, "z_entry", "ETH"): "1",
        (OPERATOR, "notional_usd", ""): "50",
        (OPERATOR, "notional_usd", "BTC"): "20",
    }
    assert [tuned_tier(PERPS, changes, symbol).z_entry for symbol in ("BTC", "ETH", "SOL")] == [2, 1, 2]
    now = tuned(PERPS, changes)
    assert [now.notional_usd("native", "BTC"), now.notional_usd("hip3", MSTR)] == [20, 50]
    assert now.risk == PERPS.risk


def test_of_a_limit_the_strictest_word_holds():
    changes = {(OPERATOR, "symbol_cap_usd", ""): "150", (OPERATOR, "symbol_cap_usd", "BTC"): "300"}
    now = tuned(PERPS, changes)
    assert [now.symbol_cap_usd(symbol) for symbol in ("BTC", "ETH", MSTR)] == [150, 150, 150]
    changes = {(FILE, "net_cap_usd", ""): "700", (OPERATOR, "net_cap_usd", ""): "900"}
    assert tuned(PERPS, changes).risk.net_cap_usd == 700


def test_a_change_taken_back_leaves_what_was():
    key = (OPERATOR, "obi_theta", "")
    assert tuned(PERPS, changed(changed({}, key, "0.2"), key, "")) == PERPS


@settings(max_examples=60)
@given(st.data())
def test_no_change_that_is_allowed_loosens_a_limit_or_makes_a_profile_the_file_could_not_say(data):
    """The law of the whole: whatever is typed, in whatever order."""
    changes = {}
    for _ in range(data.draw(st.integers(1, 6))):
        name = data.draw(st.sampled_from(list(TUNABLES)))
        symbol = data.draw(st.sampled_from(["", "BTC", MSTR])) if TUNABLES[name].by_symbol else ""
        number = st.decimals("-3", "600", places=2).map(str)
        value = data.draw(st.one_of(number, st.sampled_from(["on", "off", "true", "default", "0.01", "1", "9e9"])))
        try:
            text = check(name, value, symbol, changes=changes)
        except ConfigError:
            continue
        changes = changed(changes, (OPERATOR, name, symbol), text)
    now = tuned(PERPS, changes)
    again = Profile.model_validate_json(now.model_dump_json())
    assert not list(quarrels(again))
    for name, one in TUNABLES.items():
        if one.limit and one.kind is not bool:
            was, is_ = getattr(getattr(PERPS, one.table), name), getattr(getattr(now, one.table), name)
            assert was is None or is_ <= was
    assert all(now.symbol_cap_usd(symbol) <= PERPS.symbol_cap_usd(symbol) for symbol in PERPS.symbols)
    tiers = [tuned_tier(PERPS, changes, symbol) for symbol in PERPS.symbols]
    assert all(tier.z_exit < tier.z_entry for tier in tiers)


def test_without_changes_nothing_is_made_anew():
    assert tuned_signal(PERPS.signal, {}) is PERPS.signal
    assert tuned_risk(PERPS.risk, {(OPERATOR, "z_entry", ""): "2"}) is PERPS.risk
    assert read("net_cap_usd", "12.5") == Decimal("12.5")
