"""The benchmark of signatures is fair: both sides post the same, and where they would not there is no figure."""

import pytest
from eth_account import Account

from benchmarks.hl_sign import KEY, _Key, check
from benchmarks.report import Wrong
from venues.hyperliquid.sign import Chain, Signer


def test_both_sides_post_the_same():
    check(Signer(_Key(), Chain.MAINNET), Account.from_key(KEY))


def test_a_difference_is_no_figure():
    with pytest.raises(Wrong, match="what is posted differs"):
        check(Signer(_Key(), Chain.TESTNET), Account.from_key(KEY))
