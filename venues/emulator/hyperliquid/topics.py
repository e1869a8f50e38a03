"""Subscriptions: what the venue understands, the key by which their frames are found, the ack with its defaults."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from venues.emulator.hyperliquid.candles import LENGTHS
from venues.emulator.hyperliquid.errors import BadRequest, Refused, UnknownCoin
from venues.emulator.hyperliquid.frames import BookOptions, frame
from venues.emulator.hyperliquid.listing import Listing
from venues.emulator.hyperliquid.questions import ADDRESS, book_options

COINS = ("l2Book", "bbo", "trades", "candle", "activeAssetCtx")
USERS = ("userFills", "orderUpdates", "userEvents", "userFundings", "userNonFundingLedgerUpdates")


class Topic(Struct, frozen=True):
    """A subscription that the venue understood, with its defaults filled in."""

    key: str
    kind: str
    subscription: dict[str, Any]
    coin: str = ""
    user: str = ""
    options: BookOptions = BookOptions()

    def ack(self, method: str) -> bytes:
        """The frame that confirms it; method is subscribe or unsubscribe."""
        return frame("subscriptionResponse", {"method": method, "subscription": self.subscription})


def topic_of(subscription: Any, listing: Listing) -> Topic:
    """Understand a subscription. Raises UnknownCoin for a name that is not listed, BadRequest for all else."""
    kind = subscription.get("type") if isinstance(subscription, Mapping) else None
    try:
        if kind in COINS:
            return _of_coin(kind, subscription, listing)
        if kind in USERS:
            return _of_user(kind, subscription)
        if kind == "allMids":
            dex = subscription.get("dex") or ""
            if dex not in listing.dexs:
                raise UnknownCoin(dex)
            said = {"type": kind, "dex": dex} if dex else {"type": kind}
            return Topic(f"allMids:{dex}", kind, said, coin=dex)
    except (KeyError, TypeError, Refused) as error:
        raise BadRequest(str(error)) from error
    raise BadRequest(f"type {kind!r}")


def _of_coin(kind: str, said: Mapping[str, Any], listing: Listing) -> Topic:
    coin = said["coin"]
    if coin not in listing.assets:
        raise UnknownCoin(coin)
    subscription: dict[str, Any] = {"type": kind, "coin": coin}
    if kind == "candle":
        interval = said["interval"]
        if interval not in LENGTHS:
            raise BadRequest(f"interval {interval!r}")
        return Topic(f"candle:{coin}:{interval}", kind, subscription | {"interval": interval}, coin)
    if kind != "l2Book":
        return Topic(f"{kind}:{coin}", kind, subscription, coin)
    if said.get("nSigFigs") not in (None, 2, 3, 4, 5):  # the venue drops the socket, as for a coin it does not know
        raise UnknownCoin(coin)
    options = book_options(said)
    subscription |= {"nSigFigs": options.figures, "mantissa": options.mantissa, "fast": options.fast}
    pace = "fast" if options.fast else "slow"
    return Topic(f"l2Book:{coin}:{pace}:{options.figures}:{options.mantissa}", kind, subscription, coin, "", options)


def _of_user(kind: str, said: Mapping[str, Any]) -> Topic:
    user = said["user"]
    if not re.fullmatch(ADDRESS, user):
        raise BadRequest(f"user {user!r}")
    subscription: dict[str, Any] = {"type": kind, "user": user.lower()}
    if kind == "userFills":
        subscription["aggregateByTime"] = bool(said.get("aggregateByTime", False))
    return Topic(f"{kind}:{user.lower()}", kind, subscription, user=user.lower())
