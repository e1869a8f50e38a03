"""Kept changes hold after a restart in whatever order they were last said."""

from decimal import Decimal

from actors.messages import Tuned
from actors.words import tuned_after
from config.load import load_profile
from config.tuning import changed, tuned
from config.tuning_check import check_change
from daemon.tunings import fitting


def kept(base, *changes):
    """What the ledger has after an operator's changes, each checked as `ctl set --keep` is."""
    known, said = {}, {}
    for at_ns, (name, value, symbol) in enumerate(changes, 1):
        key = ("operator", name, symbol)
        text = check_change(base, said, {}, key, value)
        said = changed(said, key, text)
        one = Tuned(
            engine="perps", name=name, symbol=symbol, value=text, source="operator", keep=True, reason="", at_ns=at_ns
        )
        tuned_after(known, one)
    return known, said


def test_a_tighter_order_limit_is_kept_though_the_notional_below_it_was_said_again_later():
    base = load_profile("perps")
    known, said = kept(
        base, ("notional_usd", "100", ""), ("order_notional_usd_max", "150", ""), ("notional_usd", "120", "")
    )
    before = tuned(base, said).risk.order_notional_usd_max
    good, bad = fitting(known.values(), {"perps": base})
    after = tuned(base, {one.key: one.value for one in good}).risk.order_notional_usd_max
    assert (before, after, bad) == (150, 150, [])


def test_thresholds_are_kept_too():
    base = load_profile("perps")
    known, _ = kept(base, ("z_entry", "3", "BTC"), ("z_exit", "2", "BTC"), ("z_entry", "3.5", "BTC"))
    good, bad = fitting(known.values(), {"perps": base})
    assert (len(good), bad) == (2, [])


def test_what_does_not_fit_at_all_is_still_dropped():
    base = load_profile("perps")
    known, _ = kept(base, ("notional_usd", "100", ""), ("order_notional_usd_max", "150", ""))
    strict = base.model_copy(update={"risk": base.risk.model_copy(update={"order_notional_usd_max": Decimal(120)})})
    good, bad = fitting(known.values(), {"perps": strict})
    assert [one.name for one in good] == ["notional_usd"]
    assert [one.name for one, _ in bad] == ["order_notional_usd_max"]
