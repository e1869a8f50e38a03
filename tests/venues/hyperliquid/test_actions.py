"""Actions: each one's body is byte for byte what the venue's SDK posts, and what it leaves out is said."""

import json

import msgpack
import pytest
from eth_account import Account
from hyperliquid.utils.types import Cloid
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.venues.hyperliquid.judge import (
    ASSETS,
    KEY,
    VAULT,
    Key,
    chains,
    exchange,
    expiries,
    nonces,
    orders,
    texts,
    vaults,
)
from venues.hyperliquid import actions
from venues.hyperliquid.sign import Signer, action_hash, recover_l1
from venues.market import Side

several = st.lists(orders(), min_size=1, max_size=4)
targets = st.integers(0, 2**63)
patched = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def request(asset, order):
    """An order as a user of the SDK says it."""
    return {
        "coin": asset.name,
        "is_buy": order.side is Side.BUY,
        "sz": float(asset.grid.size_text(order.lots)),
        "limit_px": float(asset.grid.price_text(order.ticks)),
        "order_type": {"limit": {"tif": actions.TIFS[order.time_in_force]}},
        "reduce_only": order.reduce_only,
        "cloid": Cloid.from_str(actions.cloid(order.id)),
    }


def wire(asset, order):
    return actions.order_wire(order, asset.id, asset.grid)


def same(drawn, action, asked):
    """Ours and the SDK's post the same bytes, for the same key, chain, nonce, vault and expiry."""
    monkeypatch, chain, nonce, vault, expires_ms = drawn
    sdk = exchange(monkeypatch, Account.from_key(KEY), chain, nonce, vault, expires_ms)
    asked(sdk)
    signer = Signer(Key(KEY), chain)
    signed = signer.l1(action, nonce, vault, expires_ms)
    assert signed.body() == json.dumps(sdk.posted, separators=(",", ":"), ensure_ascii=False).encode()
    assert recover_l1(signed, chain) == signer.address


drawn_signing = st.tuples(chains, nonces, vaults, expiries)


@patched
@given(drawn=drawn_signing, said=several)
def test_orders(monkeypatch, drawn, said):
    action = actions.place([wire(*each) for each in said])
    same((monkeypatch, *drawn), action, lambda sdk: sdk.bulk_orders([request(*each) for each in said]))


@patched
@given(drawn=drawn_signing, said=st.lists(st.tuples(st.sampled_from(ASSETS), targets), min_size=1, max_size=4))
def test_cancels(monkeypatch, drawn, said):
    action = actions.cancel([(asset.id, oid) for asset, oid in said])
    asked = [{"coin": asset.name, "oid": oid} for asset, oid in said]
    same((monkeypatch, *drawn), action, lambda sdk: sdk.bulk_cancel(asked))


@patched
@given(drawn=drawn_signing, said=several)
def test_cancels_by_our_name(monkeypatch, drawn, said):
    action = actions.cancel_by_cloid([(asset.id, actions.cloid(order.id)) for asset, order in said])
    asked = [{"coin": asset.name, "cloid": Cloid.from_str(actions.cloid(order.id))} for asset, order in said]
    same((monkeypatch, *drawn), action, lambda sdk: sdk.bulk_cancel_by_cloid(asked))


@patched
@given(drawn=drawn_signing, said=st.lists(st.tuples(targets | texts, orders()), min_size=1, max_size=3))
def test_modifies(monkeypatch, drawn, said):
    named = [(target if isinstance(target, int) else actions.cloid(target), each) for target, each in said]
    asked = [
        {"oid": target if isinstance(target, int) else Cloid.from_str(target), "order": request(*each)}
        for target, each in named
    ]
    action = actions.batch_modify([(target, wire(*each)) for target, each in named])
    same((monkeypatch, *drawn), action, lambda sdk: sdk.bulk_modify_orders_new(asked))


@patched
@given(drawn=drawn_signing, asset=st.sampled_from(ASSETS), leverage=st.integers(1, 50), cross=st.booleans())
def test_leverage(monkeypatch, drawn, asset, leverage, cross):
    action = actions.update_leverage(asset.id, leverage, cross=cross)
    same((monkeypatch, *drawn), action, lambda sdk: sdk.update_leverage(leverage, asset.name, cross))


@patched
@given(drawn=drawn_signing, at_ms=st.none() | nonces)
def test_scheduled_cancels(monkeypatch, drawn, at_ms):
    same((monkeypatch, *drawn), actions.schedule_cancel(at_ms), lambda sdk: sdk.schedule_cancel(at_ms))


@patched
@given(drawn=drawn_signing)
def test_nothing(monkeypatch, drawn):
    same((monkeypatch, *drawn), actions.noop(), lambda sdk: sdk.noop(drawn[1]))


@patched
@given(chain=chains, nonce=nonces, usd=st.integers(1, 10**9), to_perp=st.booleans(), vault=vaults)
def test_transfers(monkeypatch, chain, nonce, usd, to_perp, vault):
    sdk = exchange(monkeypatch, Account.from_key(KEY), chain, nonce, vault)
    sdk.usd_class_transfer(usd, to_perp)
    action = actions.usd_class_transfer(usd * 10**6, nonce, to_perp=to_perp, subaccount=vault)
    signed = Signer(Key(KEY), chain).user(action)
    assert signed.body() == json.dumps(sdk.posted, separators=(",", ":")).encode()


@settings(max_examples=25)
@given(said=several)
def test_the_bytes_that_are_hashed_are_the_ones_of_the_sdks_library(said):
    action = actions.place([wire(*each) for each in said])
    from msgspec.msgpack import encode

    assert encode(action) == msgpack.packb(action)
    assert action_hash(action, 1) != action_hash(actions.place([*action["orders"], action["orders"][0]]), 1)


@given(orders())
def test_what_is_left_of_an_order_may_be_asked_for_instead(drawn):
    asset, order = drawn
    assert actions.order_wire(order, asset.id, asset.grid, 1)["s"] == asset.grid.size_text(1)
    assert actions.order_wire(order, asset.id, asset.grid) == wire(asset, order)
    with pytest.raises(ValueError, match="size in lots is 0"):
        actions.order_wire(order, asset.id, asset.grid, 0)


def test_a_single_modify_has_its_own_type_and_places_always_only_when_told():
    order = {"a": 0}
    assert json.dumps(actions.modify(5, order)) == '{"type": "modify", "oid": 5, "order": {"a": 0}}'
    assert list(actions.modify("0x1", order, always=True).items())[-1] == ("a", True)
    assert "a" not in actions.batch_modify([(5, order)])
    assert list(actions.batch_modify([(5, order)], always=True).items())[-1] == ("a", True)


@given(texts, texts)
def test_our_names_become_128_bits_that_follow_from_them(one, other):
    name = actions.cloid(one)
    assert Cloid.from_str(name).to_raw() == name == name.lower()
    assert (name == actions.cloid(other)) == (one == other)


def test_a_name_of_an_order_is_the_same_in_every_run():
    assert actions.cloid("perps-1") == "0xe54d42370352f01d8303dcd93f6dfe25"


@pytest.mark.parametrize(("minor", "amount"), [(1, "0.000001"), (1_500_000, "1.5"), (10_000_000, "10")])
def test_amounts_are_dollars_to_the_millionth(minor, amount):
    assert actions.usd_class_transfer(minor, 1, to_perp=True)["amount"] == amount
    said = actions.usd_class_transfer(minor, 1, to_perp=True, subaccount=VAULT)["amount"]
    assert said == f"{amount} subaccount:{VAULT}"


@pytest.mark.parametrize("minor", [0, -1])
def test_a_transfer_of_nothing_is_refused(minor):
    with pytest.raises(ValueError, match="needs a positive amount"):
        actions.usd_class_transfer(minor, 1, to_perp=True)
