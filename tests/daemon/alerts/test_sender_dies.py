"""Whatever is wrong with the environment or with one alert, the others leave, and what does not is said."""

import pytest

from tests.daemon.alerts.test_sender import ok, posted


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "ftp://127.0.0.1:3128", "http://127.0.0.1:port"])
async def test_a_proxy_that_cannot_be_used_silences_nobody(monkeypatch, proxy):
    """`ssh -D` in a profile: httpx cannot speak SOCKS without a package that obid does not have."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    got, lost, _ = await posted([{"n": 1}], ok)
    assert got == [{"n": 1}]
    assert lost and "proxy" in lost[0]


async def test_an_alert_that_cannot_be_written_is_lost_alone():
    """The error of a crash may quote a name that is no Unicode."""
    got, lost, _ = await posted([{"text": "no such file: \udcff"}, {"n": 2}], ok)
    assert got == [{"n": 2}]
    assert lost
