"""Back-off: twice the silence each time, none after a change."""

from actors.backoff import Backoff

S = 1_000_000_000


def test_silence_doubles_up_to_its_bound():
    backoff, at_ns, lengths = Backoff(1.0, 8.0), 0, []
    for _ in range(6):
        backoff.refused("net_cap", at_ns, 0)
        lengths.append((backoff.until_ns - at_ns) // S)
        assert backoff.silent(backoff.until_ns - 1, 0)
        assert not backoff.silent(backoff.until_ns, 0)
        at_ns = backoff.until_ns
    assert lengths == [1, 2, 4, 8, 8, 8]


def test_another_rule_or_another_world_starts_over():
    backoff = Backoff(1.0, 8.0)
    backoff.refused("net_cap", 0, 0)
    backoff.refused("net_cap", 0, 0)
    assert not backoff.silent(0, 1)
    backoff.refused("net_cap", 0, 1)
    assert backoff.until_ns == S
    backoff.refused("net_cap", 0, 1)
    backoff.refused("symbol_cap", 0, 1)
    assert backoff.until_ns == S


def test_silence_can_be_lifted():
    backoff = Backoff(1.0, 8.0)
    assert not backoff.silent(0, 0)
    backoff.refused("stale", 0, 0)
    backoff.forget()
    assert not backoff.silent(0, 0)
