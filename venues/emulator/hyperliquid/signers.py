"""Who signed: actions are put into the venue's own order of keys and forms of numbers, and the signer is recovered.

The venue reads an action into its own types and hashes what it read. So the order of keys in the JSON does not matter,
and a signature over another order, over trailing zeros or over capital letters in an address is somebody else's
(docs, Signing; testnet transcripts of 2026-07).
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from venues.emulator.hyperliquid import errors
from venues.hyperliquid.sign import (
    AccountAddress,
    Chain,
    NotSigned,
    Signature,
    SignedAction,
    account_address,
    recover_l1,
    recover_user,
)

ORDER = ("a", "b", "p", "s", "r", "t", "c")
TRIGGER = ("isMarket", "triggerPx", "tpsl")
KEYS: dict[str, tuple[str, ...]] = {
    "order": ("type", "orders", "grouping", "builder"),
    "cancel": ("type", "cancels", "f"),
    "cancelByCloid": ("type", "cancels", "f"),
    "modify": ("type", "oid", "order", "a"),
    "batchModify": ("type", "modifies", "a"),
    "scheduleCancel": ("type", "time"),
    "updateLeverage": ("type", "asset", "isCross", "leverage"),
    "updateIsolatedMargin": ("type", "asset", "isBuy", "ntli"),
    "noop": ("type",),
    "reserveRequestWeight": ("type", "weight"),
}
"""Actions of the trading layer, and their keys in the order that is hashed."""

OPTIONAL = frozenset({"builder", "f", "a", "time"})  # left out of the hash where they are null
USER_SIGNED: dict[str, dict[str, type]] = {
    "usdClassTransfer": {"amount": str, "toPerp": bool, "nonce": int, "signatureChainId": str},
    "sendAsset": {
        **dict.fromkeys(("destination", "sourceDex", "destinationDex", "token", "amount", "signatureChainId"), str),
        "nonce": int,
    },
}
TYPES: dict[str, type] = {
    **{"asset": int, "isCross": bool, "leverage": int, "isBuy": bool, "ntli": int, "weight": int, "time": int},
    **{"orders": list, "cancels": list, "modifies": list, "type": str},
}
"""Types of the keys that are read as they are."""

CANCEL: dict[str, type] = {"a": int, "o": int}
CANCEL_BY_CLOID: dict[str, type] = {"asset": int, "cloid": str}
SIGNATURE: dict[str, type] = {"r": str, "s": str, "v": int}


def canonical(action: Mapping[str, Any]) -> dict[str, Any]:
    """An action as the venue hashes it. Raises Refused(422) for what it can't read."""
    kind = action["type"]
    if kind in USER_SIGNED:
        if not all(_is(action.get(name), of) for name, of in USER_SIGNED[kind].items()):
            raise errors.Refused(422, errors.UNREADABLE)
        return dict(action)
    try:
        kept = {key: action[key] for key in KEYS[kind] if key not in OPTIONAL or action.get(key) is not None}
        if not all(_is(kept[key], of) for key, of in TYPES.items() if key in kept):
            raise TypeError(kind)
        if "orders" in kept:
            kept["orders"] = [_order(order) for order in kept["orders"]]
        if "order" in kept:
            kept["order"] = _order(kept["order"])
        if "modifies" in kept:
            kept["modifies"] = [{"oid": one["oid"], "order": _order(one["order"])} for one in kept["modifies"]]
        for one in (kept, *kept.get("modifies", ())):
            if "oid" in one and not (_is(one["oid"], int) or _is(one["oid"], str)):
                raise TypeError("oid")
        if "cancels" in kept:
            kept["cancels"] = [_typed(one, CANCEL if kind == "cancel" else CANCEL_BY_CLOID) for one in kept["cancels"]]
        if "builder" in kept:
            kept["builder"] = {"b": kept["builder"]["b"].lower(), "f": kept["builder"]["f"]}
    except (KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise errors.Refused(422, errors.UNREADABLE) from error
    return kept


def _order(order: Mapping[str, Any]) -> dict[str, Any]:
    """One order; numbers without trailing zeros."""
    kept = {key: order[key] for key in ORDER if order.get(key) is not None}
    _typed(order, {"a": int, "b": bool, "r": bool})
    if not _is(kept.get("c", ""), str):
        raise TypeError("c")
    kept["p"], kept["s"] = number_text(order["p"]), number_text(order["s"])
    if "trigger" in order["t"]:
        kept["t"] = {"trigger": {key: order["t"]["trigger"][key] for key in TRIGGER}}
    else:
        kept["t"] = {"limit": _typed(order["t"]["limit"], {"tif": str})}
    return kept


def _typed(said: Mapping[str, Any], kinds: Mapping[str, type]) -> dict[str, Any]:
    """Only these keys, in this order. Raises KeyError, TypeError for what is not there or of another type."""
    for name, kind in kinds.items():
        if not _is(said[name], kind):
            raise TypeError(name)
    return {name: said[name] for name in kinds}


def _is(value: Any, kind: type) -> bool:
    """Whether a value is of a type; a bool is no number."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _is_uint(value: Any) -> bool:
    """Whether a value is a number of 64 bits without a sign."""
    return _is(value, int) and 0 <= value < 1 << 64


def number_text(text: Any) -> str:
    """A number as the venue writes it: no exponent, no zeros that say nothing."""
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is no string")
    number = Decimal(text)
    if not number.is_finite():
        raise InvalidOperation(text)
    plain = f"{number.normalize():f}"
    return "0" if plain == "-0" else plain


def signer_of(body: Mapping[str, Any], action: Mapping[str, Any], mainnet: bool) -> str:
    """Who signed a request. Raises Refused(422) for one without a signature, ActionError for one that is nobody's."""
    said: Any = body.get("signature")
    vault, expires = body.get("vaultAddress"), body.get("expiresAfter")
    known = isinstance(said, Mapping) and all(_is(said.get(name), of) for name, of in SIGNATURE.items())
    if not known or not (vault is None or _is(vault, str)) or not (expires is None or _is_uint(expires)):
        raise errors.Refused(422, errors.UNREADABLE)
    if not _is_uint(body["nonce"]):
        raise errors.Refused(422, errors.UNREADABLE)
    signature = Signature(said["r"], said["s"], said["v"])
    signed = SignedAction(dict(action), body["nonce"], signature, _address(vault), expires)
    chain = Chain.MAINNET if mainnet else Chain.TESTNET
    try:
        recover = recover_user if action["type"] in USER_SIGNED else recover_l1
        return recover(signed, chain).lower()
    except NotSigned as error:
        raise errors.ActionError(errors.UNRECOVERABLE) from error


def _address(text: str | None) -> AccountAddress | None:
    try:
        return None if text is None else account_address(text)
    except ValueError as error:
        raise errors.Refused(422, errors.UNREADABLE) from error
