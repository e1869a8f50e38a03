"""`obid fund-perp`: one transfer, by the right key, after a question."""

import pytest

from daemon.emulate import address_of
from tests.daemon.runs import obid
from tests.venues.emulator.running import ADDRESS, KEY, running

FUND = ("fund-perp", "--usd")


@pytest.fixture(autouse=True)
def configured(monkeypatch, tmp_path):
    monkeypatch.setenv("OBID_HYPERLIQUID_MASTER_KEY", KEY)
    monkeypatch.setenv("OBID_HYPERLIQUID_MASTER_ADDRESS", ADDRESS)
    monkeypatch.setenv("OBID_HYPERLIQUID_CHAIN", "testnet")
    monkeypatch.setenv("OBID_DATA_DIR", str(tmp_path))


def said(*args: object, code: int = 2) -> str:
    (line,) = obid(*args, code=code).stderr.splitlines()
    return line


def test_it_moves_usdc_or_says_why_not(monkeypatch):
    with running(("BTC",), speed=1.0) as venue:
        monkeypatch.setenv("OBID_HYPERLIQUID_URL", venue.url)
        line = said(*FUND, "5", "--yes", code=1)
        assert "Insufficient balance" in line, "there is nothing in spot"
        account = venue.emulator.doors.exchange.accounts[ADDRESS]
        account.spot_minor = 7_000_000
        assert "done: 5.25 USDC" in obid(*FUND, "5.25", "--yes").stdout
        assert account.spot_minor == 1_750_000
        venue.fault(kind="garbled", requests=["usdClassTransfer"])
        assert "nobody knows whether it was done" in said(*FUND, "1", "--yes", code=1)


@pytest.mark.parametrize("usd", ["0", "-1", "nan", "inf", "ten", "0.0000001", "1e12"])
def test_an_amount_that_is_none_is_refused(usd):
    assert said("fund-perp", f"--usd={usd}", "--yes").startswith("obid: --usd")


def test_nobody_to_ask_means_no(monkeypatch):
    assert said(*FUND, "5").startswith("obid: --yes")


def test_an_agents_key_is_refused_before_anything_is_sent(monkeypatch):
    other = "0x" + "7" * 64
    monkeypatch.setenv("OBID_HYPERLIQUID_MASTER_KEY", other)
    line = said(*FUND, "5", "--yes")
    assert f"is the key of {address_of(other)}, not of the account" in line
    monkeypatch.delenv("OBID_HYPERLIQUID_MASTER_KEY")
    assert "hyperliquid_master_key: is missing" in said(*FUND, "5", "--yes")
