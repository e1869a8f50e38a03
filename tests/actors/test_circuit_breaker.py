"""Circuit breaker: trips on confirmed losses, keeps its latches, and obeys only the operator."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from actors.circuit_breaker import CircuitBreaker
from actors.messages import (
    BalanceChanged,
    BreakerChanged,
    CapitalChanged,
    Command,
    Mark,
    Order,
    PositionChanged,
    TradingState,
)
from config.load import load_profile
from config.universe import load_universe
from risk.circuit_breaker import Trip
from risk.intent import Trading
from supervisor.messages import ChildStarted, GaveUp, Tick
from venues.market import MINOR_PER_USD, Instrument

S = 1_000_000_000
T0 = 1_767_600_000 * S
ACTIVE, REDUCING, HALTED = Trading.ACTIVE, Trading.REDUCING, Trading.HALTED
LIMITS = load_profile("perps").risk.model_copy(update={"daily_loss_usd": Decimal(50), "drawdown_max": 0.02})


def instrument():
    facts = load_universe("perps")["BTC"]
    return Instrument(**{name: getattr(facts, name) for name in Instrument.__struct_fields__})


class Bench:
    """A breaker of a perps engine with 10,000 USD and 0.1 BTC bought at 100,000; and of a crypto engine."""

    def __init__(self):
        self.mind = CircuitBreaker({"perps": LIMITS, "crypto": LIMITS}, {"perps": {"BTC": instrument()}, "crypto": {}})
        self.now_s = 0

    def funded(self, cash_usd=10_000):
        self.mind.hear(BalanceChanged("perps", cash_usd * MINOR_PER_USD, 0, 0, 0, 0, T0))
        return self

    def long(self):
        lots = instrument().lots(Decimal("0.1"))
        cost_minor = 10_000 * MINOR_PER_USD
        self.mind.hear(PositionChanged("perps", "BTC", lots, 1_000_000.0, 0, T0, T0, cost_minor))
        return self

    def mark(self, mid):
        return self.mind.hear(Mark("BTC", T0, mid - 0.5, mid + 0.5))

    def tick(self, times=1):
        """What was said at the last of some ticks."""
        said = ()
        for _ in range(times):
            self.now_s += 1
            said = self.mind.hear(Tick(T0 + self.now_s * S))
        return said

    def ready(self):
        self.funded().long().mark(100_000.0)
        self.tick(3)
        return self

    def order(self, order, engine="", at_s=None):
        return self.mind.hear(Command(order, engine, "", "because", T0 + (self.now_s if at_s is None else at_s) * S))


def state(said):
    return [(s.engine, s.state, s.by) for s in said if isinstance(s, TradingState)]


def test_equity_is_cash_and_what_is_held_at_its_mark():
    bench = Bench().ready()
    bench.mark(100_300.5)
    account = bench.mind.accounts["perps"]
    assert account.equity_minor() == 10_000 * MINOR_PER_USD + 30_050_000
    bench.mind.hear(PositionChanged("perps", "BTC", 0, 0.0, 0, 0, T0, 0))
    assert account.equity_minor() == 10_000 * MINOR_PER_USD


def test_a_missing_number_is_no_equity_and_no_news():
    bench = Bench()
    assert bench.tick(5) == ()
    bench.funded().long()
    assert bench.tick(5) == ()
    assert bench.mind.accounts["perps"].equity_minor() is None
    bench.mark(100_000.0)
    (changed,) = bench.tick()
    assert (changed.engine, changed.breaker.equity_minor) == ("perps", 10_000 * MINOR_PER_USD)


def test_three_readings_halt_and_two_do_not():
    bench = Bench().ready()
    bench.mark(99_400.0)  # 60 USD down
    assert state(bench.tick()) == []
    assert state(bench.tick()) == []
    said = bench.tick()
    assert state(said) == [("perps", HALTED, "circuit_breaker")]
    (halt,) = [s for s in said if isinstance(s, TradingState)]
    assert halt.reason.startswith("daily_loss: equity 9940")
    assert state(bench.tick()) == []  # once
    (changed,) = [s for s in said if isinstance(s, BreakerChanged)]
    assert changed.breaker.tripped is not None


def test_one_wild_mark_halts_nothing():
    bench = Bench().ready()
    bench.mark(50_000.0)
    bench.tick()
    bench.mark(100_000.0)
    assert state(bench.tick(5)) == []


def test_the_gate_hears_of_equity_when_it_matters():
    bench = Bench().ready()
    bench.tick()
    bench.mark(100_004.0)  # 0.40 USD, under a hundredth of the bound
    assert bench.tick() == ()
    bench.mark(99_990.0)
    (changed,) = bench.tick()
    assert changed.breaker.loss_minor == MINOR_PER_USD


@pytest.mark.parametrize("engine", ["", "perps"])
def test_only_the_operators_resume_lifts_and_the_day_counts_anew(engine):
    bench = Bench().ready()
    bench.mark(99_400.0)
    bench.tick(3)
    said = bench.order(Order.RESUME, engine)
    assert state(said) == [("perps", ACTIVE, "operator")]
    assert said[0].breaker.tripped is None
    assert state(bench.tick(10)) == []  # the same loss does not trip again
    bench.mark(98_800.0)
    assert state(bench.tick(3)) == [("perps", HALTED, "circuit_breaker")]


def test_the_stricter_state_wins():
    bench = Bench()
    assert state(bench.order(Order.PAUSE, "perps")) == [("perps", REDUCING, "operator")]
    assert bench.order(Order.REDUCE, "perps") == ()
    assert state(bench.order(Order.HALT, "perps")) == [("perps", HALTED, "operator")]
    assert bench.order(Order.PAUSE, "perps") == ()
    assert state(bench.order(Order.HALT)) == [("", HALTED, "operator")]
    assert state(bench.order(Order.RESUME, "perps")) == [("perps", ACTIVE, "operator")]
    assert bench.mind.states[""].state is HALTED
    assert state(bench.order(Order.RESUME)) == [("", ACTIVE, "operator")]
    assert bench.order(Order.RESUME) == ()


@pytest.mark.parametrize("order", [Order.FLATTEN, Order.CANCEL])
def test_what_is_not_about_the_state_is_left_to_others(order):
    assert Bench().order(order) == ()


def test_a_supervisor_that_gave_up_halts_everything():
    (halt,) = Bench().mind.hear(GaveUp("obid", "feed.perps", 5, 30.0, T0))
    assert state([halt]) == [("", HALTED, "supervisor")]
    assert "feed.perps" in halt.reason


def test_a_latch_told_by_the_ledger_holds_after_a_restart():
    bench = Bench()
    bench.mind.hear(TradingState("perps", HALTED, "drawdown", "circuit_breaker", T0 - S))
    assert bench.order(Order.PAUSE, "perps") == ()
    assert state(bench.mind.hear(ChildStarted("gate.perps", "perps", 0, T0))) == [("perps", HALTED, "circuit_breaker")]


def test_an_old_latch_told_again_does_not_undo_a_resume():
    bench = Bench()
    old = TradingState("perps", HALTED, "drawdown", "circuit_breaker", T0 - S)
    bench.mind.hear(old)
    (resumed,) = bench.order(Order.RESUME, "perps")
    assert bench.mind.hear(old) == (resumed,)  # put right, for those who heard it too
    assert bench.mind.hear(resumed) == ()  # our own voice


def test_a_restart_does_not_renew_the_daily_loss():
    first = Bench().ready()
    first.mark(99_600.0)
    (changed,) = first.tick()
    first.tick(2)
    second = Bench()
    second.now_s = 60
    second.mind.hear(changed)
    second.funded().long().mark(99_600.0)
    assert state(second.tick(3)) == []
    second.mark(99_480.0)
    assert state(second.tick(3)) == [("perps", HALTED, "circuit_breaker")]  # 52 USD since the day began


def test_a_tripped_breaker_told_by_the_ledger_halts_even_if_the_latch_was_lost():
    first = Bench().ready()
    first.mark(99_400.0)
    changed = next(s for s in first.tick(3) if isinstance(s, BreakerChanged))
    second = Bench()
    assert state(second.mind.hear(changed)) == [("perps", HALTED, "circuit_breaker")]
    assert second.mind.hear(changed) == ()


def test_engines_are_judged_apart():
    bench = Bench().ready()
    bench.mind.hear(BalanceChanged("crypto", 100 * MINOR_PER_USD, 900 * MINOR_PER_USD, 0, 0, 0, T0))
    bench.tick(3)
    bench.mind.hear(BalanceChanged("crypto", 40 * MINOR_PER_USD, 900 * MINOR_PER_USD, 0, 0, 0, T0))
    assert state(bench.tick(3)) == [("crypto", HALTED, "circuit_breaker")]


def test_whoever_starts_is_told():
    bench = Bench().ready()
    bench.order(Order.HALT)
    said = bench.mind.hear(ChildStarted("gate.perps", "perps", 1, T0 + 9 * S))
    assert state(said) == [("", HALTED, "operator")]
    assert [s.engine for s in said if isinstance(s, BreakerChanged)] == ["perps"]


@pytest.mark.parametrize("usd", [-3_000, 3_000])
def test_money_that_came_or_went_is_neither_loss_nor_profit(usd):
    """A withdrawal halted an engine for its daily loss; a deposit hid what was lost."""
    bench = Bench().ready()
    said = bench.mind.hear(CapitalChanged("perps", usd * MINOR_PER_USD, "withdraw", T0 + 4 * S))
    bench.funded(10_000 + usd)
    assert not [one for one in (*said, *bench.tick(5)) if isinstance(one, TradingState)]
    assert bench.mind.accounts["perps"].breaker.loss_minor == 0
    bench.mark(100_000.0 - 600)
    assert any(one.state is HALTED for _ in range(5) for one in bench.tick() if isinstance(one, TradingState))


# --- two engines, one account


def shared(**known):
    """A breaker of crypto and equities, 5,000 USD each, at one venue; limits of 50 and of 80 USD a day."""
    loose = LIMITS.model_copy(update={"daily_loss_usd": Decimal(80)})
    mind = CircuitBreaker(
        {"crypto": loose, "equities": LIMITS, "perps": loose},
        {"crypto": {}, "equities": {}, "perps": {}},
        {"crypto": "alpaca", "equities": "alpaca", "perps": "perps"},
    )
    for engine, breaker in known.items():
        mind.hear(BreakerChanged(engine, breaker, T0))
    purse(mind, "crypto", 5_000)
    purse(mind, "equities", 5_000)
    purse(mind, "perps", 1_000)
    return mind


def purse(mind, engine, usd):
    mind.hear(BalanceChanged(engine, usd * MINOR_PER_USD, 0, 0, 0, 0, T0))


def ticks(mind, first_s, count=3):
    return [one for number in range(count) for one in mind.hear(Tick(T0 + (first_s + number) * S))]


def test_two_engines_of_one_account_have_one_equity_and_one_halt():
    """Each lost 30 USD of the 50 that the account may."""
    mind = shared()
    said = ticks(mind, 1)
    assert {one.engine: one.breaker.equity_minor for one in said} == {
        "crypto": 10_000 * MINOR_PER_USD,
        "equities": 10_000 * MINOR_PER_USD,
        "perps": 1_000 * MINOR_PER_USD,
    }
    purse(mind, "crypto", 4_970)
    assert state(ticks(mind, 10)) == []
    purse(mind, "equities", 4_970)
    said = ticks(mind, 20)
    assert state(said) == [(engine, HALTED, "circuit_breaker") for engine in ("crypto", "equities")]
    assert mind.accounts["perps"].breaker.tripped is None


def test_an_account_is_not_read_before_every_engine_of_it_is():
    mind = CircuitBreaker(
        {"crypto": LIMITS, "equities": LIMITS},
        {"crypto": {}, "equities": {}},
        dict.fromkeys(("crypto", "equities"), "a"),
    )
    purse(mind, "crypto", 5_000)
    assert ticks(mind, 1) == []
    assert mind.accounts["crypto"].equity_minor() is None


def test_the_day_of_a_shared_account_is_known_over_a_restart():
    before = shared()
    ticks(before, 1)
    known = before.accounts["crypto"].breaker
    assert known.engines == ("crypto", "equities")
    after = shared(crypto=known, equities=known)
    purse(after, "equities", 4_940)
    assert [one[0] for one in state(ticks(after, 100))] == ["crypto", "equities"], "60 USD since the day began"


def test_baselines_of_other_engines_are_not_this_accounts_but_their_halt_is():
    """Alone, crypto had 10,000 USD; beside equities half of them: no loss. What had tripped stays tripped."""
    alone = shared()
    ticks(alone, 1)
    of_perps = alone.accounts["perps"].breaker
    larger = replace(of_perps, engines=("crypto",), opening_minor=10**12, high_water_minor=10**12)
    assert state(ticks(shared(crypto=larger), 100)) == []
    trip = Trip("drawdown", "x", "y", T0)
    mind = shared()
    said = mind.hear(BreakerChanged("crypto", replace(larger, tripped=trip), T0))
    assert [one[0] for one in state(said)] == ["crypto", "equities"]


def test_one_engine_of_an_account_may_be_resumed_alone():
    mind = shared()
    ticks(mind, 1)
    purse(mind, "crypto", 4_900)
    ticks(mind, 10)
    said = mind.hear(Command(Order.RESUME, "crypto", "", "looked at", T0 + 60 * S))
    assert state(said) == [("crypto", ACTIVE, "operator")]
    assert mind.accounts["equities"].breaker.tripped is None
    assert mind.states["equities"].state is HALTED
