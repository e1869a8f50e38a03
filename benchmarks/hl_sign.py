"""How long it takes to sign an order for Hyperliquid: ours over the venue's SDK, both on coincurve, in the same run.

The figure is the signing of an action that is there; beside it, an order from its integers or floats to the bytes that
are posted, the SDK without coincurve, and where the SDK's time goes. Each repeat signs nonces that it has not seen.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.backends import get_backend
from eth_keys.backends.coincurve import CoinCurveECCBackend
from hyperliquid.utils import signing as sdk  # type: ignore[import-untyped]
from hyperliquid.utils.types import Cloid  # type: ignore[import-untyped]

from benchmarks.report import NotMeasured, Wrong, interleaved, table
from venues.hyperliquid.actions import Action, cloid, order_wire, place
from venues.hyperliquid.grid import Grid
from venues.hyperliquid.sign import Chain, Signer, action_hash
from venues.market import OrderRequest, Side, TimeInForce

SIGNED = 200
"""Signatures in each repeat."""
SIGNED_SLOWLY = 10
"""The same for the path in plain Python, which takes milliseconds."""
REPEATS = 15
BACKEND, SLOW_BACKEND = "ECC_BACKEND_CLASS", "eth_keys.backends.native.NativeECCBackend"
"""The variable that eth-keys reads at each signature."""
NONCE = 1_700_000_000_000
LIFE_MS = 5_000
KEY = f"{0x4F:02x}" * 32
ASSET = 0
GRID = Grid.of(ASSET, size_decimals=5)
ORDER = OrderRequest(
    id="perps-1",
    intent_id="1",
    engine="perps",
    symbol="BTC",
    side=Side.BUY,
    lots=1230,
    ticks=634600,
    time_in_force=TimeInForce.ALO,
)
SDK_ORDER: Any = {
    "coin": ORDER.symbol,
    "is_buy": True,
    "sz": 0.0123,
    "limit_px": 63460.0,
    "order_type": {"limit": {"tif": "Alo"}},
    "reduce_only": False,
    "cloid": Cloid.from_str(cloid(ORDER.id)),
}


class _Key:
    def get_secret_value(self) -> str:
        """The secret itself; everybody knows this one."""
        return KEY


def ours_body(signer: Signer, nonce: int) -> bytes:
    """An order to what is posted, our way."""
    return signer.l1(place([order_wire(ORDER, ASSET, GRID)]), nonce, None, nonce + LIFE_MS).body()


def sdk_body(wallet: Any, nonce: int) -> bytes:
    """The same as the SDK's Exchange does it."""
    action = sdk.order_wires_to_order_action([sdk.order_request_to_order_wire(SDK_ORDER, ASSET)])
    signature = sdk_sign(wallet, action, nonce)
    payload = {"action": action, "nonce": nonce, "signature": signature}
    return json.dumps({**payload, "vaultAddress": None, "expiresAfter": nonce + LIFE_MS}).encode()


def sdk_sign(wallet: Any, action: Action, nonce: int) -> Any:
    """A signature of the SDK's."""
    return sdk.sign_l1_action(wallet, action, None, nonce, nonce + LIFE_MS, True)


def sdk_sign_slowly(wallet: Any, action: Action, nonce: int) -> Any:
    """The same in plain Python, as it is where coincurve is not installed."""
    os.environ[BACKEND] = SLOW_BACKEND
    try:
        return sdk_sign(wallet, action, nonce)
    finally:
        del os.environ[BACKEND]


def check(signer: Signer, wallet: Any) -> None:
    """Both post the same, or there is no figure."""
    for nonce in range(NONCE, NONCE + SIGNED):
        if json.loads(ours_body(signer, nonce)) != json.loads(sdk_body(wallet, nonce)):
            raise Wrong(f"what is posted differs at nonce {nonce}")


def timed(work: Callable[[int], object], times: int = SIGNED) -> Callable[[], float]:
    """CPU microseconds for each run of the work, on nonces that go on."""
    first = NONCE

    def side() -> float:
        nonlocal first
        first += times
        start_s = time.process_time()
        for nonce in range(first, first + times):
            work(nonce)
        return (time.process_time() - start_s) / times * 1e6

    return side


def measure() -> dict[str, float]:
    """Microseconds of one core for a signature, and how many times fewer than the SDK's."""
    wallet = Account.from_key(KEY)
    if not isinstance(get_backend(), CoinCurveECCBackend):
        raise NotMeasured("the SDK would sign in plain Python: coincurve is not installed")
    signer = Signer(_Key(), Chain.MAINNET)
    check(signer, wallet)
    action = place([order_wire(ORDER, ASSET, GRID)])
    agent = sdk.construct_phantom_agent(action_hash(action, NONCE), True)
    typed = encode_typed_data(full_message=sdk.l1_payload(agent))
    sides = {
        "sign, ours": timed(lambda nonce: signer.l1(action, nonce, None, nonce + LIFE_MS)),
        "sign, SDK": timed(lambda nonce: sdk_sign(wallet, action, nonce)),
        "order to bytes, ours": timed(lambda nonce: ours_body(signer, nonce)),
        "order to bytes, SDK": timed(lambda nonce: sdk_body(wallet, nonce)),
        "  SDK: hash of the action": timed(lambda nonce: sdk.action_hash(action, None, nonce, nonce + LIFE_MS)),
        "  SDK: EIP-712 encoder": timed(lambda _: encode_typed_data(full_message=sdk.l1_payload(agent))),
        "  SDK: hash and sign what it encoded": timed(lambda _: wallet.sign_message(typed)),
        "sign, SDK without coincurve": timed(lambda nonce: sdk_sign_slowly(wallet, action, nonce), SIGNED_SLOWLY),
    }
    for warm in sides.values():
        warm()
    costs_us = interleaved(sides, REPEATS)
    rows = [[name, cost_us] for name, cost_us in costs_us.items()]
    table("one order for Hyperliquid, CPU time of one core", [["", "us"], *rows])
    over = costs_us["sign, SDK"] / costs_us["sign, ours"]
    bytes_over = costs_us["order to bytes, SDK"] / costs_us["order to bytes, ours"]
    print(f"  ours over the SDK: signing {over:.1f}, an order to bytes {bytes_over:.1f}")
    return {"hl_sign_us": costs_us["sign, ours"], "hl_sign_over_sdk": over}
