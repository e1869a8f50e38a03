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

OPTIONAL = frozenset({"builder", "f", "a", "time"})
USER_SIGNED: dict[str, dict[str, type]] = {
    "usdClassTransfer": {"amount": str, "toPerp": bool, "nonce": int, "signatureChainId": str},
    "sendAsset": {
        **dict.fromkeys(("destination", "sourceDex", "destinationDex", "token", "amount", "signatureChainId"), str),
        "nonce": int,
    },
}
TYPES: dict[str, type] = {
    **{"asset": int, "isCross": bool, "leverage": int, "isBuy": bool, "ntli": int, "weight": int, "time": int},
    **{"orders": list, "cancels": list, "modifies": list, "grouping": str, "type": str},
}
"""Types of the keys that are read as they are."""


def canonical(action: Mapping[str, Any]) -> dict[str, Any]:
    """An action as the venue hashes it. Raises Refused(422) for what it can't read."""
    kind = action["type"]
    if kind in USER_SIGNED:
        if not all(_is(action.get(name), of) for name, of in USER_SIGNED[kind].items()):
            raise errors.Refused(422, errors.UNREADABLE)
        return dict(action)
    try:
        kept = {key: action[key] for key in KEYS[kind] if key in action or key not in OPTIONAL}
        if not all(_is(kept[key], of) for key, of in TYPES.items() if kept.get(key) is not None):
            raise TypeError(kind)
        if "orders" in kept:
            kept["orders"] = [_order(order) for order in kept["orders"]]
        if "order" in kept:
            kept["order"] = _order(kept["order"])
        if "modifies" in kept:
            kept["modifies"] = [{"oid": one["oid"], "order": _order(one["order"])} for one in kept["modifies"]]
        if "cancels" in kept:
            names = ("a", "o") if kept["type"] == "cancel" else ("asset", "cloid")
            kept["cancels"] = [{name: one[name] for name in names} for one in kept["cancels"]]
        if "builder" in kept:
            kept["builder"] = {"b": kept["builder"]["b"].lower(), "f": kept["builder"]["f"]}
    except (KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise errors.Refused(422, errors.UNREADABLE) from error
    return kept


def _order(order: Mapping[str, Any]) -> dict[str, Any]:
    """One order; numbers without trailing zeros."""
    kept = {key: order[key] for key in ORDER if key in order}
    kept["p"], kept["s"] = number_text(order["p"]), number_text(order["s"])
    if "trigger" in order["t"]:
        kept["t"] = {"trigger": {key: order["t"]["trigger"][key] for key in TRIGGER}}
    else:
        kept["t"] = {"limit": {"tif": order["t"]["limit"]["tif"]}}
    return kept


def _is(value: Any, kind: type) -> bool:
    """Whether a value is of a type; a bool is no number."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


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
    try:
        said = body["signature"]
        signed = SignedAction(
            dict(action),
            body["nonce"],
            Signature(said["r"], said["s"], said["v"]),
            _address(body.get("vaultAddress")),
            body.get("expiresAfter"),
        )
    except (KeyError, TypeError) as error:
        raise errors.Refused(422, errors.UNREADABLE) from error
    chain = Chain.MAINNET if mainnet else Chain.TESTNET
    try:
        recover = recover_user if action["type"] in USER_SIGNED else recover_l1
        return recover(signed, chain).lower()
    except NotSigned as error:
        raise errors.ActionError(errors.UNRECOVERABLE) from error


def _address(text: str | None) -> AccountAddress | None:
    return None if text is None else AccountAddress(text.lower())
