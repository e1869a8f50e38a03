"""The venue's own SDK as a judge, off the network, and what is shown to both sides: orders, assets, keys."""

from pathlib import Path
from typing import NamedTuple

from hyperliquid.exchange import Exchange
from hyperliquid.utils.constants import MAINNET_API_URL, TESTNET_API_URL
from hypothesis import strategies as st

from venues.hyperliquid.grid import Grid
from venues.hyperliquid.sign import Chain
from venues.market import OrderRequest, Side, TimeInForce

WIRE = Path(__file__).resolve().parents[4] / "shared" / "data" / "wire"
URLS = {Chain.MAINNET: MAINNET_API_URL, Chain.TESTNET: TESTNET_API_URL}
MASTER = "0x" + "5e" * 20
VAULT = "0x" + "a1" * 20


class Asset(NamedTuple):
    """One name of the universe that the judge is given."""

    name: str
    id: int
    size_decimals: int

    @property
    def grid(self):
        return Grid.of(self.id, self.size_decimals)


ASSETS = (Asset("BTC", 0, 5), Asset("ETH", 1, 4), Asset("kSHIB", 2, 0), Asset("xyz:ABC", 110_000, 3))


class Key:
    """A secret of tests, shown only when asked."""

    def __init__(self, digits):
        self._digits = digits

    def get_secret_value(self):
        return self._digits


KEY = "0x" + "4f" * 32
texts = st.text(st.characters(max_codepoint=0x2FF, exclude_categories=["Cs"]), max_size=20)
"""Of all the kinds of letters that matter in UTF-8; all of Unicode takes a cold machine a second to list."""
keys = st.integers(1, 2**252).map(lambda number: f"0x{number:064x}")
nonces = st.integers(0, 2**53)
vaults = st.sampled_from([None, VAULT])
expiries = st.none() | st.integers(0, 2**53)
chains = st.sampled_from(Chain)


def _universe(prefix):
    named = [asset for asset in ASSETS if asset.name.startswith(prefix) and (":" in asset.name) == bool(prefix)]
    return {"universe": [{"name": asset.name, "szDecimals": asset.size_decimals} for asset in named]}


class Offline(Exchange):
    """The SDK's Exchange, which keeps what it would have posted."""

    def post(self, url_path, payload=None):
        assert url_path == "/exchange"
        self.posted = payload


def exchange(monkeypatch, wallet, chain, nonce, vault=None, expires_after=None):
    """The SDK, set up as a user of these names would, at a given millisecond."""
    told = {"spotMeta": {"universe": [], "tokens": []}, "perpDexs": [None, {"name": "xyz"}]}

    def answer(_, url_path, payload):
        return told[payload["type"]] if payload["type"] in told else _universe(payload.get("dex", ""))

    monkeypatch.setattr("hyperliquid.api.API.post", answer)
    monkeypatch.setattr("hyperliquid.exchange.get_timestamp_ms", lambda: nonce)
    sdk = Offline(wallet, URLS[chain], vault_address=vault, perp_dexs=["", "xyz"])
    sdk.set_expires_after(expires_after)
    return sdk


@st.composite
def orders(draw):
    """(asset, order) with a price and a size that the venue takes."""
    asset = draw(st.sampled_from(ASSETS))
    grid = asset.grid
    order = OrderRequest(
        id=f"perps-{draw(st.integers(0, 10**9))}",
        intent_id="i",
        engine="perps",
        symbol=asset.name,
        side=draw(st.sampled_from(Side)),
        lots=draw(st.integers(1, 10**9)),
        ticks=grid.at_or_below(draw(st.integers(1, 10**9))),
        time_in_force=draw(st.sampled_from(TimeInForce)),
        reduce_only=draw(st.booleans()),
    )
    return asset, order
