"""What the account's money is, and which rows of the venue's ledger change it."""

import json

import pytest

from tests.venues.hyperliquid.said import USER
from venues.hyperliquid import info
from venues.hyperliquid.cash import Purse

OTHER = "0x" + "ab" * 20
PERPS = Purse(USER, ("", "xyz"))
UNIFIED = Purse(USER, ("", "xyz"), unified=True)
HASH = "0x" + "cd" * 32


def update(kind, **delta):
    said = [{"time": 1790000000000, "hash": HASH, "delta": {"type": kind, **delta}}]
    (row,) = info.ledger_updates(USER, 1).read(json.dumps(said))
    return row


def sent(source, target, user=USER, destination=USER, **more):
    return update(
        "send",
        user=user.upper().replace("0X", "0x"),
        destination=destination,
        sourceDex=source,
        destinationDex=target,
        token="USDC",
        amount="7.5",
        usdcValue="7.5",
        fee="0.0",
        **more,
    )


@pytest.mark.parametrize(
    ("row", "perps", "unified"),
    [
        (update("deposit", usdc="2703997.4500000002"), 2703997450000, 2703997450000),
        (update("withdraw", usdc="9.0", nonce=1, fee="1.0"), -10_000_000, -10_000_000),
        (update("accountClassTransfer", usdc="12.0", toPerp=False), -12_000_000, 0),
        (update("accountClassTransfer", usdc="12.0", toPerp=True), 12_000_000, 0),
        (update("perpDexClassTransfer", amount="3.0", token="USDC", dex="xyz", toPerp=True), 3_000_000, 0),
        (update("perpDexClassTransfer", amount="3.0", token="USDC", dex="flx", toPerp=True), 0, 0),
        (update("internalTransfer", usdc="5.0", user=OTHER, destination=USER, fee="1.0"), 5_000_000, 5_000_000),
        (update("internalTransfer", usdc="5.0", user=USER, destination=OTHER, fee="1.0"), -6_000_000, -6_000_000),
        (update("subAccountTransfer", usdc="5.0", user=USER, destination=OTHER), -5_000_000, -5_000_000),
        (sent("", "xyz"), 0, 0),
        (sent("spot", ""), 7_500_000, 0),
        (sent("xyz", "flx"), -7_500_000, 0),
        (sent("", "", user=OTHER), 7_500_000, 7_500_000),
        (sent("", "", destination=OTHER), -7_500_000, -7_500_000),
        (update("send", token="HYPE", amount="1.0", user=OTHER, destination=USER), 0, 0),
        (
            update("spotTransfer", token="USDC", amount="10.5", user=USER, destination=OTHER, fee="1.0", feeToken=""),
            0,
            -11_500_000,
        ),
        (update("vaultDeposit", vault=OTHER, usdc="4.0"), -4_000_000, -4_000_000),
        (update("vaultWithdraw", vault=OTHER, user=USER, netWithdrawnUsd="4.5"), 4_500_000, 4_500_000),
        (update("liquidation", accountValue="1.0", leverageType="Cross", liquidatedPositions=[]), 0, 0),
        (update("moonPhase", usdc="1.0"), None, None),
    ],
)
def test_what_crosses_the_border_of_the_pockets_that_count_is_a_movement(row, perps, unified):
    assert PERPS.amount_minor(row) == perps
    assert UNIFIED.amount_minor(row) == unified


@pytest.mark.parametrize("usdc", [None, "many", "1e9", 5])
def test_an_amount_that_is_none_is_an_error(usdc):
    with pytest.raises(ValueError, match="plain decimal"):
        PERPS.amount_minor(update("deposit", usdc=usdc))


def test_a_row_has_one_id_and_what_the_venue_does_by_itself_has_its_time():
    row = update("deposit", usdc="1.0")
    assert row.id == f"deposit-1790000000000-{HASH}"
    assert row.id != update("withdraw", usdc="1.0").id


def test_cash_is_worth_less_open_profit_or_where_pockets_are_one_what_spot_has_of_the_collateral():
    summary = {"accountValue": "110.5", "totalMarginUsed": "0.0", "totalNtlPos": "0.0", "totalRawUsd": "0.0"}
    held = {"coin": "ETH", "szi": "1.0", "leverage": {"type": "cross", "value": 5}, "marginUsed": "1.0"}
    held |= {"positionValue": "5.0", "unrealizedPnl": "10.5", "entryPx": "4.0"}
    said = {"assetPositions": [{"type": "oneWay", "position": held}], "withdrawable": "0.0"}
    said |= {"marginSummary": summary, "crossMarginSummary": summary}
    state = info.clearinghouse_state(USER).read(json.dumps(said))
    balances = [("USDC", 0, "70.25"), ("HYPE", 150, "9.0")]
    rows = [{"coin": coin, "token": token, "total": total, "hold": "0.0"} for coin, token, total in balances]
    spot = info.spot_state(USER).read(json.dumps({"balances": rows}))
    assert PERPS.cash_minor([state, state], []) == 200_000_000
    assert UNIFIED.cash_minor([state, state], [spot]) == 70_250_000
    assert UNIFIED.cash_minor([state], [info.spot_state(USER).read('{"balances":[]}')]) == 0
