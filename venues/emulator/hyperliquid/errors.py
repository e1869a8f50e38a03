"""What the venue says no with: HTTP statuses, error frames, and its sentences that no other module has.

Sentences are the venue's own, from its page "Error responses", recorded answers, and testnet transcripts of 2026-07 to
2026-10 that others published; those that are guesses say so. An order's or cancel's own error ends in " asset=N".
"""

from collections.abc import Mapping
from typing import Any

import msgspec

UNREADABLE = "Failed to deserialize the JSON body into the target type"
TOO_MANY = "null"  # the body of a 429

INVALID_SIZE = "Order has invalid size."
TOO_SMALL = "Order must have minimum value of $10."
TOO_FAR = "Order price cannot be more than 80% away from the reference price"
ORACLE = "Price too far from oracle"
OVER_TIER = "Order would cause position to exceed margin tier limit at current leverage"
CAPPED = "Order would increase open interest while open interest is capped"
POST_ONLY_PHASE = "Only post-only orders allowed immediately after network upgrade"
HALTED = "Trading is halted."  # a guess
NO_TRIGGERS = "Invalid TP/SL price."
DUPLICATE_CLOID = "Duplicate cloid."  # a guess; that the venue refuses it is not
CANT_MODIFY = "Cannot modify canceled or filled order"
OVER_WEIGHT = "Signed action over weight limit of 200."
EMPTY = "Empty batch."  # a guess; the venue refuses it as a whole
CROSS_FORBIDDEN = "Cross margin is not allowed for this asset."
SWITCH = "Cannot switch leverage type with open position."
INVALID_LEVERAGE = "Invalid leverage value"
NOT_ISOLATED = "Position does not use isolated margin."
LOWER_CROSS = (
    "Cross position does not have sufficient margin available to decrease leverage. "
    "To decrease leverage, deposit more collateral."
)
LOWER_ISOLATED = LOWER_CROSS.replace("Cross", "Isolated")
NOT_ENOUGH = "Insufficient balance for withdrawal."
TOO_EARLY = "Scheduled cancel time too early, must be at least 5 seconds from now."  # a guess
TOO_OFTEN = "Too many scheduled cancels triggered today."  # a guess
UNKNOWN_ASSET = "Invalid asset"  # a guess
UNRECOVERABLE = "Unable to recover signer."


class Refused(Exception):
    """An HTTP status other than 200, and its text."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


class ActionError(Exception):
    """The whole action is refused: HTTP 200, status "err"."""


class UnknownCoin(Exception):
    """A subscription to a name that is not listed: the venue drops the socket without a word."""


class BadRequest(Exception):
    """A subscription that the venue can't read: an error frame, and the socket stays."""


def no_wallet(address: str) -> str:
    """The signer is nobody: a wrong signature, or an agent that was not approved."""
    return f"User or API Wallet {address} does not exist."


def must_deposit(address: str) -> str:
    """The account never had any money."""
    return f"Must deposit before performing actions. User: {address}"


def no_vault(address: str) -> str:
    """No such vault or sub-account."""
    return f"Vault not registered: {address}"


def duplicate_nonce(nonce: int) -> str:
    """Used before."""
    return f"Invalid nonce: duplicate nonce {nonce}"


def low_nonce(nonce: int, least: int) -> str:
    """Older than the venue remembers, or than two days."""
    return f"Invalid nonce: nonce too low {nonce} < {least}"


def high_nonce(nonce: int, most: int) -> str:
    """More than a day ahead; a guess after the other one."""
    return f"Invalid nonce: nonce too high {nonce} > {most}"


def too_many_requests(sent: int, limit: int, volume: str) -> str:
    """The address has used up what it may send."""
    return (
        f"Too many cumulative requests sent ({sent} > {limit}) for cumulative volume traded ${volume}. "
        "Place taker orders to free up 1 request per USDC traded."
    )


def volume_needed(traded: str) -> str:
    """scheduleCancel is for those who have traded a million."""
    return f"Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: ${traded}."


def of_asset(text: str, asset: int) -> str:
    """The error of one order or cancel."""
    return f"{text} asset={asset}"


def error_frame(text: str) -> bytes:
    """A frame of the channel "error"."""
    return msgspec.json.encode({"channel": "error", "data": text})


def bad_request(message: str) -> bytes:
    """The error frame for a client's message that can't be read."""
    return error_frame(f"Error parsing JSON into valid websocket request: {message}")


def already(subscription: Mapping[str, Any]) -> bytes:
    """The error frame for a second subscription to the same."""
    return error_frame(f"Already subscribed: {msgspec.json.encode(subscription).decode()}")


def not_there(subscription: Mapping[str, Any]) -> bytes:
    """The error frame for the end of a subscription that was not there."""
    return error_frame(f"Already unsubscribed: {msgspec.json.encode(subscription).decode()}")
