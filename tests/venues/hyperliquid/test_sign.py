"""Signatures: the shared vectors, the SDK as judge, the pure path, recovery, and a key that never shows."""

import copy
import json
import pickle
import traceback

import ccxt
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from eth_keys.backends import CoinCurveECCBackend, NativeECCBackend
from eth_keys.datatypes import PrivateKey
from hyperliquid.utils import signing as sdk
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import decode

from tests.venues.hyperliquid.judge import KEY, VAULT, WIRE, Key, chains, expiries, keys, nonces, orders, texts, vaults
from venues.hyperliquid import actions
from venues.hyperliquid.sign import (
    Chain,
    NotSigned,
    Signature,
    SignedAction,
    Signer,
    account_address,
    action_hash,
    recover_l1,
    recover_user,
    warm_up,
)

VECTORS = WIRE / "hl_vectors" / "hyperliquid" / "signing_shared.json"
NONCE = 1_700_000_000_000
ORDER = {
    "type": "order",
    "orders": [{"a": 7, "b": False, "p": "0.012346", "s": "25", "r": True, "t": {"limit": {"tif": "Ioc"}}}],
    "grouping": "na",
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(texts, inner, max_size=20),
    max_leaves=30,
)


def numbers(signature):
    """r, s and v as integers, whoever made them."""
    get = signature.get if isinstance(signature, dict) else lambda name: getattr(signature, name)
    return int(get("r"), 16), int(get("s"), 16), get("v")


def vectors(kind):
    if not VECTORS.exists():
        pytest.skip(f"no vectors at {VECTORS}")
    found = [vector for vector in json.loads(VECTORS.read_text()) if vector["kind"] == kind]
    assert found
    return found


def test_shared_vectors_of_the_trading_layer_hold_and_are_recovered():
    for vector in vectors("l1"):
        told = vector["action"], vector["nonce"], vector["vaultAddress"], vector["expiresAfter"]
        assert "0x" + action_hash(*told).hex() == vector["actionHash"], vector["id"]
        for chain in Chain:
            signer = Signer(Key(vector["key"]), chain)
            signed = signer.l1(*told)
            assert numbers(signed.signature) == numbers(vector[chain.name.lower()]), vector["id"]
            theirs = SignedAction(*told[:2], Signature(**vector[chain.name.lower()]), *told[2:])
            assert recover_l1(theirs, chain) == signer.address == Account.from_key(vector["key"]).address.lower()


def test_shared_vectors_of_hashes_hold():
    for vector in vectors("actionHash"):
        hashed = action_hash(vector["action"], vector["nonce"], vector["vaultAddress"], vector["expiresAfter"])
        assert "0x" + hashed.hex() == vector["actionHash"]


def test_the_shared_vector_that_its_user_signs_holds_and_is_recovered():
    for vector in vectors("usdSend"):
        signer = Signer(Key(vector["key"]), Chain.MAINNET if vector["mainnetFlag"] else Chain.TESTNET)
        signed = signer.user({"type": "usdSend", **vector["message"]})
        assert numbers(signed.signature) == numbers(vector["signature"])
        assert recover_user(signed, signer.chain) == signer.address


OURS = (
    (Chain.MAINNET, None, None, "eea103e76f25435c1fe97d0494f83b8f866b705397cca57037c13f0b76647af3", 27),
    (Chain.TESTNET, VAULT, NONCE + 5_000, "9d6a1cc1d89f21762bb60975fa09a14fa8fa06702cd6562c199a99dbaf02dc0a", 28),
)


@pytest.mark.parametrize(("chain", "vault", "expires_ms", "r", "v"), OURS)
def test_signatures_of_our_own_making_stay_what_they_were(chain, vault, expires_ms, r, v):
    """Made with the SDK 0.24, so that this rests on bytes even where no vectors are."""
    signed_r, _, signed_v = numbers(Signer(Key(KEY), chain).l1(ORDER, NONCE, vault, expires_ms).signature)
    assert (signed_r, signed_v) == (int(r, 16), v)


@settings(max_examples=60)
@given(keys, st.none() | orders(), nonces, vaults, expiries, chains)
def test_signatures_equal_the_sdks_and_tell_who_signed(key, drawn, nonce, vault, expires_ms, chain):
    if drawn is None:
        action = actions.noop()
    else:
        asset, order = drawn
        action = actions.place([actions.order_wire(order, asset.id, asset.grid)])
    signer = Signer(Key(key), chain)
    signed = signer.l1(action, nonce, vault, expires_ms)
    wallet = Account.from_key(key)
    theirs = sdk.sign_l1_action(wallet, action, vault, nonce, expires_ms, chain is Chain.MAINNET)
    assert {"r": signed.signature.r, "s": signed.signature.s, "v": signed.signature.v} == theirs
    assert recover_l1(signed, chain) == signer.address == wallet.address.lower()
    other = Chain.TESTNET if chain is Chain.MAINNET else Chain.MAINNET
    assert recover_l1(signed, other) != signer.address


@settings(max_examples=60)
@given(st.dictionaries(texts, json_values, max_size=5), nonces, vaults, expiries)
def test_any_action_hashes_as_the_sdk_hashes_it(action, nonce, vault, expires_ms):
    assert action_hash(action, nonce, vault, expires_ms) == sdk.action_hash(action, vault, nonce, expires_ms)


@settings(max_examples=8)
@given(keys, nonces, chains)
def test_the_quick_library_signs_as_the_one_in_plain_python(key, nonce, chain):
    signed = Signer(Key(key), chain).l1(ORDER, nonce).signature
    agent = sdk.construct_phantom_agent(sdk.action_hash(ORDER, None, nonce, None), chain is Chain.MAINNET)
    typed = encode_typed_data(full_message=sdk.l1_payload(agent))
    digest = keccak(b"\x19" + typed.version + typed.header + typed.body)
    for backend in (NativeECCBackend(), CoinCurveECCBackend()):
        theirs = PrivateKey(bytes.fromhex(key[2:]), backend).sign_msg_hash(digest)
        assert numbers(signed) == (theirs.r, theirs.s, 27 + theirs.v)


amounts = st.integers(1, 10**15)


@settings(max_examples=40)
@given(keys, chains, amounts, st.booleans(), nonces, vaults)
def test_transfers_are_signed_as_the_sdk_signs_them(key, chain, amount_minor, to_perp, nonce, subaccount):
    action = actions.usd_class_transfer(amount_minor, nonce, to_perp=to_perp, subaccount=subaccount)
    kept = dict(action)
    signer = Signer(Key(key), chain)
    signed = signer.user(action)
    theirs = dict(action)
    signature = sdk.sign_usd_class_transfer_action(Account.from_key(key), theirs, chain is Chain.MAINNET)
    assert action == kept, "what is signed is a copy"
    assert numbers(signed.signature) == numbers(signature)
    assert list(signed.action.items()) == list(theirs.items())
    assert (signed.nonce, signed.vault_address, signed.expires_after) == (nonce, None, None)
    assert recover_user(signed, chain) == signer.address


@settings(max_examples=20)
@given(keys, chains, texts, nonces)
def test_moves_between_dexs_are_recovered_from_the_sdks_signature(key, chain, token, nonce):
    names = ("destination", "sourceDex", "destinationDex", "amount", "fromSubAccount")
    action = {"type": "sendAsset", **dict.fromkeys(names, "spot"), "token": token, "nonce": nonce}
    signature = sdk.sign_send_asset_action(Account.from_key(key), action, chain is Chain.MAINNET)
    signed = SignedAction(action, nonce, Signature(**signature), None, None)
    assert recover_user(signed, chain) == Account.from_key(key).address.lower()


def test_a_byte_elsewhere_is_another_signer():
    signed = Signer(Key(KEY), Chain.TESTNET).l1(ORDER, NONCE)
    mine = recover_l1(signed, Chain.TESTNET)
    other_order = {**ORDER, "orders": [{**ORDER["orders"][0], "s": "26"}]}
    reordered = dict(reversed(ORDER.items()))
    changed = [
        SignedAction(other_order, NONCE, signed.signature, None, None),
        SignedAction(reordered, NONCE, signed.signature, None, None),
        SignedAction(ORDER, NONCE + 1, signed.signature, None, None),
        SignedAction(ORDER, NONCE, signed.signature, account_address("0x" + "00" * 20), None),
        SignedAction(ORDER, NONCE, signed.signature, None, NONCE),
    ]
    for each in changed:
        assert recover_l1(each, Chain.TESTNET) != mine


BIG = hex(2**256)
BAD_SIGNATURES = [("0x0", "0x1", 27), ("0x1", "0x0", 27), (BIG, "0x1", 27), ("0x1", BIG, 28), ("zz", "0x1", 27)]
BAD_SIGNATURES += [("", "0x1", 27), ("0x1", "0x1", 26), ("0x1", "0x1", 29), ("-0x1", "0x1", 28), ("0x5", "0x1", 27)]


@pytest.mark.parametrize(("r", "s", "v"), BAD_SIGNATURES)
def test_a_signature_that_nobody_made_is_said_to_be_that(r, s, v):
    with pytest.raises(NotSigned):
        recover_l1(SignedAction(ORDER, NONCE, Signature(r, s, v), None, None), Chain.TESTNET)


@pytest.mark.parametrize(
    "action",
    [
        {"type": "usdClassTransfer"},
        {"type": "order"},
        {},
        {"type": "usdClassTransfer", "amount": 1, "toPerp": True, "nonce": 1, "signatureChainId": "0x1"},
        {"type": "usdClassTransfer", "amount": "1", "toPerp": 1, "nonce": 1, "signatureChainId": "0x1"},
        {"type": "usdClassTransfer", "amount": "1", "toPerp": True, "nonce": True, "signatureChainId": "0x1"},
        {"type": "usdClassTransfer", "amount": "1", "toPerp": True, "nonce": -1, "signatureChainId": "0x1"},
        {"type": "usdClassTransfer", "amount": "1", "toPerp": True, "nonce": 2**64, "signatureChainId": "0x1"},
        {"type": "usdClassTransfer", "amount": "1", "toPerp": True, "nonce": 1, "signatureChainId": "here"},
        {"type": "usdClassTransfer", "amount": "1", "toPerp": True, "nonce": 1, "signatureChainId": 1},
        {"type": ["usdClassTransfer"]},
    ],
)
def test_a_transfer_that_is_none_has_no_signer(action):
    signature = Signer(Key(KEY), Chain.TESTNET).l1(ORDER, NONCE).signature
    with pytest.raises(NotSigned):
        recover_user(SignedAction(action, NONCE, signature, None, None), Chain.TESTNET)


def test_an_action_that_has_no_bytes_has_no_signer():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    signature = Signer(Key(KEY), Chain.TESTNET).l1(ORDER, NONCE).signature
    for action, nonce, vault in (({"a": 2**70}, 1, None), ({"a": deep}, 1, None), ({}, -1, None), ({}, 1, "0xzz")):
        with pytest.raises(NotSigned):
            recover_l1(SignedAction(action, nonce, signature, vault, None), Chain.TESTNET)


def test_only_transfers_are_signed_by_their_user():
    with pytest.raises(ValueError, match="order is not signed by its user"):
        Signer(Key(KEY), Chain.TESTNET).user(ORDER)


@pytest.mark.parametrize("form", [KEY, KEY[2:], f" {KEY}\n", KEY.upper().replace("0X", "0x")])
def test_a_key_is_read_in_the_forms_people_have_it(form):
    assert Signer(Key(form), Chain.TESTNET).address == Account.from_key(KEY).address.lower()


@pytest.mark.parametrize("digits", ["", "0x", "4f" * 31, "4f" * 33, "zz" * 32, "00" * 32, "ff" * 32, "é" * 64])
def test_a_key_that_is_none_is_refused_without_being_shown(digits):
    with pytest.raises(ValueError, match="the private key is none") as caught:
        Signer(Key(digits), Chain.TESTNET)
    inside = traceback.walk_tb(caught.tb.tb_next)  # the test's own frame knows the digits
    told = str(traceback.StackSummary.extract(inside, capture_locals=True).format())
    assert "no key" in told
    assert not digits.strip("0x") or digits not in told


def test_a_signer_shows_its_address_and_never_its_key():
    signer = Signer(Key(KEY), Chain.MAINNET)
    for shown in (repr(signer), str(signer), f"{signer}", repr([signer]), repr(signer._key)):
        assert KEY[2:] not in shown
        assert str(int(KEY, 16)) not in shown
    assert repr(signer) == f"Signer({signer.address}, Mainnet)"
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not copied"):
            copying(signer)
    with pytest.raises(TypeError):
        json.dumps(vars(signer) if hasattr(signer, "__dict__") else signer)


def test_addresses_are_lower_case_and_checked():
    assert account_address("0x" + "AbCd" * 10) == "0x" + "abcd" * 10
    for text in ("", "0x", "ab" * 20, "0x" + "ab" * 19, "0x" + "zz" * 20, "0x" + "ab" * 21, "0x" + "٣" * 40):
        with pytest.raises(ValueError, match="is no address"):
            account_address(text)


def test_a_body_has_the_sdks_keys_in_the_sdks_order():
    body = json.loads(Signer(Key(KEY), Chain.TESTNET).l1(ORDER, NONCE).body())
    assert list(body) == ["action", "nonce", "signature", "vaultAddress", "expiresAfter"]
    assert list(body["signature"]) == ["r", "s", "v"]
    assert body["vaultAddress"] is body["expiresAfter"] is None


def test_warming_up_is_harmless_and_may_be_done_twice():
    warm_up()
    warm_up()


ccxt_ms = st.integers(2**40, 2**44 - 1)
"""Times since 2004: ccxt writes them with a fixed number of zeros before them."""


@settings(max_examples=10)
@given(orders(), ccxt_ms, st.none() | ccxt_ms, vaults)
def test_signatures_equal_the_ones_of_ccxt(drawn, nonce, expires_ms, vault):
    asset, order = drawn
    action = actions.place([actions.order_wire(order, asset.id, asset.grid)])
    other = ccxt.hyperliquid({"privateKey": KEY})
    theirs = other.sign_l1_action(action, nonce, vault[2:] if vault else None, expires_ms)
    mine = Signer(Key(KEY), Chain.MAINNET).l1(action, nonce, vault, expires_ms)
    assert numbers(mine.signature) == numbers(theirs)


def test_what_is_posted_may_leave_out_what_is_null():
    signer = Signer(Key(KEY), Chain.TESTNET)
    told = json.loads(signer.l1(ORDER, NONCE).body())
    del told["vaultAddress"], told["expiresAfter"]
    assert recover_l1(decode(json.dumps(told), type=SignedAction), Chain.TESTNET) == signer.address
