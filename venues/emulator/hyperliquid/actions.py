"""POST /exchange: who asks, may they, and what is done. Only here does anybody change an account.

A refused action changes nothing but the count of what was asked: neither nonce nor orders nor money.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from supervisor.clock import NS_PER_MS
from venues import refusals
from venues.emulator.hyperliquid import errors
from venues.emulator.hyperliquid.accounts import Account
from venues.emulator.hyperliquid.clearinghouse import Lever, money
from venues.emulator.hyperliquid.config import MAIN, ExchangeConfig
from venues.emulator.hyperliquid.errors import ActionError, Refused
from venues.emulator.hyperliquid.listing import Asset, Listing
from venues.emulator.hyperliquid.minting import Mint
from venues.emulator.hyperliquid.nonces import Nonces
from venues.emulator.hyperliquid.orders import OPEN, Order
from venues.emulator.hyperliquid.placing import Draft, Flaw, Placing
from venues.emulator.hyperliquid.signers import USER_SIGNED, canonical, signer_of
from venues.market import MINOR_PER_USD

BATCH_MAX = 200
STALE_COST = 5  # an action that came after its expiry costs five times the requests (docs, Exchange endpoint)
LIMITED_EVERY_NS = 10_000_000_000  # an address over its limit may still send one request in this time
CANCELS_MORE = 100_000
CANCELS = frozenset({"cancel", "cancelByCloid", "scheduleCancel"})
SCHEDULE_VOLUME_USD, SCHEDULE_AHEAD_MS, SCHEDULE_DAILY_MAX = 1_000_000, 5_000, 10
DAY_NS = 86_400_000_000_000
DEFAULT: dict[str, Any] = {"type": "default"}
SPOT = "spot"

Action = Mapping[str, Any]


class Actions:
    """The exchange door."""

    def __init__(
        self, config: ExchangeConfig, accounts: dict[str, Account], listing: Listing, placing: Placing, mint: Mint
    ) -> None:
        self._config, self._accounts, self._listing = config, accounts, listing
        self._placing, self._mint, self._nonces = placing, mint, Nonces()
        self.agents: dict[str, str] = {}  # address of an API wallet -> its account's
        self._handlers: dict[str, Callable[[Account, Action, str, int], dict[str, Any]]] = {
            "order": self._order,
            "cancel": self._cancel,
            "cancelByCloid": self._cancel,
            "modify": self._modify,
            "batchModify": self._modify_batch,
            "scheduleCancel": self._schedule,
            "updateLeverage": self._leverage,
            "updateIsolatedMargin": self._isolated_margin,
            "noop": lambda *_: DEFAULT,
            "reserveRequestWeight": self._reserve,
            "usdClassTransfer": self._class_transfer,
            "sendAsset": self._send_asset,
        }

    def handle(self, body: Any, now_ns: int) -> dict[str, Any]:
        """Do what a request says. Raises Refused(422) for what can't be read."""
        try:
            action, nonce = body["action"], body["nonce"]
            kind = action["type"]
        except (KeyError, TypeError) as error:
            raise Refused(422, errors.UNREADABLE) from error
        if not isinstance(kind, str) or kind not in self._handlers or not isinstance(nonce, int):
            raise Refused(422, errors.UNREADABLE)
        told = canonical(action)
        try:
            return {"status": "ok", "response": self._answer(body, told, now_ns)}
        except ActionError as error:
            return {"status": "err", "response": str(error)}

    def _answer(self, body: Mapping[str, Any], action: Action, now_ns: int) -> dict[str, Any]:
        """Who asks, is it in time, is it within limits; then do it."""
        signer = signer_of(body, action, self._config.mainnet)
        account = self._account(signer, body, action)
        nonce = body["nonce"]
        if flaw := self._nonces.flaw(signer, nonce, now_ns // NS_PER_MS):
            raise ActionError(flaw)
        size = batch_size(action)
        if size > BATCH_MAX:
            raise ActionError(errors.OVER_WEIGHT)
        if not size:
            raise ActionError(errors.EMPTY)
        expires_ms = body.get("expiresAfter")
        if expires_ms is not None and action["type"] not in USER_SIGNED and now_ns // NS_PER_MS > expires_ms:
            account.requests_used += STALE_COST * size
            raise ActionError(refusals.EXPIRED)
        self._budget(account, action, size, now_ns)
        answer = self._handlers[action["type"]](account, action, self._mint.hash(signer, nonce), now_ns)
        self._nonces.burn(signer, nonce)
        account.requests_used += size
        return answer

    def _account(self, signer: str, body: Mapping[str, Any], action: Action) -> Account:
        """Whose account the action is for."""
        if action["type"] in USER_SIGNED:  # no agent may: it is the account of its own that it has not
            account = self._accounts.get(signer)
            if account is None or not account.deposited:
                raise ActionError(errors.must_deposit(signer))
            return account
        account = self._accounts.get(self.agents.get(signer, signer))
        if account is None:
            raise ActionError(errors.no_wallet(signer))
        vault = body.get("vaultAddress")
        if vault is not None:
            target = self._accounts.get(str(vault).lower())
            if target is None or target.master != account.address:
                raise ActionError(errors.no_vault(str(vault).lower()))
            account = target
        if not account.deposited:
            raise ActionError(errors.must_deposit(account.address))
        return account

    def _budget(self, account: Account, action: Action, size: int, now_ns: int) -> None:
        """Refuse what is over the address's limit, but for one request each ten seconds."""
        limit = self._config.requests_initial + int(account.volume)
        if action["type"] in CANCELS:
            limit = min(limit + CANCELS_MORE, 2 * limit)
        sent = account.requests_used + size
        if sent <= limit:
            return
        if now_ns - account.limited_ns < LIMITED_EVERY_NS:
            raise ActionError(errors.too_many_requests(sent, limit, f"{account.volume:.2f}"))
        account.limited_ns = now_ns

    # --- orders -------------------------------------------------------------------------------------------------------

    def _order(self, account: Account, action: Action, tx_hash: str, now_ns: int) -> dict[str, Any]:
        drafts: list[Draft | Flaw] = []
        for wire in action["orders"]:
            try:
                drafts.append(self._placing.draft(account, wire, now_ns))
            except Flaw as flaw:
                if flaw.whole:  # one error for all: the venue looked at the payload and no further
                    return _statuses("order", [{"error": str(flaw)}])
                drafts.append(flaw)
        statuses: list[Any] = []
        for draft in drafts:
            if isinstance(draft, Flaw):
                statuses.append({"error": str(draft)})
            elif draft.cloid is not None and account.find(draft.cloid) is not None:  # twice in one batch
                statuses.append({"error": errors.of_asset(errors.DUPLICATE_CLOID, draft.asset.id)})
            else:
                statuses.append(self._placing.place(account, draft, tx_hash, now_ns))
        return _statuses("order", statuses)

    def _cancel(self, account: Account, action: Action, tx_hash: str, now_ns: int) -> dict[str, Any]:
        statuses: list[Any] = []
        for one in action["cancels"]:
            asset, key = (one["a"], one["o"]) if "o" in one else (one["asset"], one["cloid"])
            order = account.find(key) if isinstance(key, int | str) else None
            if order is None or order.status != OPEN or order.asset.id != asset:
                statuses.append({"error": errors.of_asset(refusals.ALREADY_OVER, asset)})
            else:
                account.cancel(order, now_ns)
                statuses.append("success")
        return _statuses("cancel", statuses)

    def _modify(self, account: Account, action: Action, tx_hash: str, now_ns: int) -> dict[str, Any]:
        """One order; unlike a batch it answers without the new order's id."""
        status = self._replace(account, action, tx_hash, now_ns)
        if "error" in status:
            raise ActionError(status["error"])
        return DEFAULT

    def _modify_batch(self, account: Account, action: Action, tx_hash: str, now_ns: int) -> dict[str, Any]:
        return _statuses("order", [self._replace(account, one, tx_hash, now_ns) for one in action["modifies"]])

    def _replace(self, account: Account, one: Action, tx_hash: str, now_ns: int) -> dict[str, Any]:
        """Take an order out and place another one; if that is refused, the old one is gone as well."""
        old = account.find(one["oid"]) if isinstance(one["oid"], int | str) else None
        if old is None or not self._replaces(old, one["order"]):
            return {"error": errors.CANT_MODIFY}
        try:
            draft = self._placing.draft(account, one["order"], now_ns, old)
        except Flaw as flaw:
            return {"error": str(flaw)}
        account.cancel(old, now_ns)
        return self._placing.place(account, draft, tx_hash, now_ns, refusals.DURING_REPLACE)

    @staticmethod
    def _replaces(old: Order, wire: Action) -> bool:
        return old.status == OPEN and old.asset.id == wire["a"]

    def _schedule(self, account: Account, action: Action, tx_hash: str, now_ns: int) -> dict[str, Any]:
        if account.volume < SCHEDULE_VOLUME_USD:
            raise ActionError(errors.volume_needed(f"{account.volume:.2f}".rstrip("0").rstrip(".")))
        at_ms, plan = action.get("time"), account.plan
        if at_ms is None:
            plan.at_ms = 0
            return DEFAULT
        if plan.day == now_ns // DAY_NS and plan.triggered >= SCHEDULE_DAILY_MAX:
            raise ActionError(errors.TOO_OFTEN)
        if at_ms < now_ns // NS_PER_MS + SCHEDULE_AHEAD_MS:
            raise ActionError(errors.TOO_EARLY)
        plan.at_ms = at_ms
        return DEFAULT

    # --- leverage and money -------------------------------------------------------------------------------------------

    def _asset(self, number: Any) -> Asset:
        asset = self._listing.by_id.get(number)
        if asset is None:
            raise ActionError(errors.UNKNOWN_ASSET)
        return asset

    def _leverage(self, account: Account, action: Action, tx_hash: str, now_ns: int) -> dict[str, Any]:
        asset, value, cross = self._asset(action["asset"]), action["leverage"], action["isCross"]
        house = account.house(asset)
        if not isinstance(value, int) or not 1 <= value <= asset.leverage_max:
            raise ActionError(errors.INVALID_LEVERAGE)
        if cross and asset.isolated:
            raise ActionError(errors.CROSS_FORBIDDEN)
        if cross != house.lever(asset).cross and house.lots(asset.name):
            raise ActionError(errors.SWITCH)
        if not house.set_lever(asset, Lever(value, cross)):
            raise ActionError(errors.LOWER_CROSS if cross else errors.LOWER_ISOLATED)
        return DEFAULT

    def _isolated_margin(self, account: Account, action: Action, tx_hash: str, now_ns: int) -> dict[str, Any]:
        asset, minor = self._asset(action["asset"]), action["ntli"]
        house = account.house(asset)
        if house.lever(asset).cross or not house.lots(asset.name):
            raise ActionError(errors.NOT_ISOLATED)
        if minor > house.free_minor():
            raise ActionError(errors.NOT_ENOUGH)
        house.add_margin(asset.name, minor)
        return DEFAULT

    def _reserve(self, account: Account, action: Action, tx_hash: str, now_ns: int) -> dict[str, Any]:
        """Bought requests: half a thousandth of a dollar each."""
        cost = action["weight"] * MINOR_PER_USD // 2_000
        if cost > account.houses[MAIN].free_minor():
            raise ActionError(errors.NOT_ENOUGH)
        account.move(MAIN, -cost)
        account.requests_used -= action["weight"]
        return DEFAULT

    def _class_transfer(self, account: Account, action: Action, tx_hash: str, now_ns: int) -> dict[str, Any]:
        to_perp = action["toPerp"]
        minor = _minor(str(action["amount"]).split(" ")[0])
        self._move(account, SPOT if to_perp else MAIN, MAIN if to_perp else SPOT, minor)
        delta = {"type": "accountClassTransfer", "usdc": money(minor), "toPerp": to_perp}
        account.note(delta, now_ns, action["nonce"])
        return DEFAULT

    def _send_asset(self, account: Account, action: Action, tx_hash: str, now_ns: int) -> dict[str, Any]:
        """Between the account's own pockets; to others nothing goes."""
        if str(action["destination"]).lower() != account.address:
            raise ActionError(errors.NOT_ENOUGH)
        source, target = action["sourceDex"], action["destinationDex"]
        minor = _minor(str(action["amount"]))
        self._move(account, source, target, minor)
        delta = {"type": "send", "user": account.address, "destination": account.address, "sourceDex": source}
        delta |= {"destinationDex": target, "token": "USDC", "amount": money(minor), "usdcValue": money(minor)}
        account.note(delta | {"fee": "0.0"}, now_ns, action["nonce"])
        return DEFAULT

    def _move(self, account: Account, source: str, target: str, minor: int) -> None:
        """Money from one pocket into another."""
        for pocket in (source, target):
            if pocket != SPOT and pocket not in account.houses:
                raise ActionError(errors.NOT_ENOUGH)
        free = account.spot_minor if source == SPOT else account.houses[source].free_minor()
        if minor <= 0 or minor > free:
            raise ActionError(errors.NOT_ENOUGH)
        for pocket, amount in ((source, -minor), (target, minor)):
            if pocket == SPOT:
                account.spot_minor += amount
            else:
                account.move(pocket, amount)


def batch_size(action: Action) -> int:
    """How many requests an action counts as."""
    for name in ("orders", "cancels", "modifies"):
        if isinstance(batch := action.get(name), list):
            return len(batch)
    return 1


def _statuses(kind: str, statuses: Sequence[Any]) -> dict[str, Any]:
    return {"type": kind, "data": {"statuses": list(statuses)}}


def _minor(amount: str) -> int:
    try:
        return int(Decimal(amount) * MINOR_PER_USD)
    except InvalidOperation as error:
        raise Refused(422, errors.UNREADABLE) from error
