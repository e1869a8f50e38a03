"""POST /info: every question of the venue's page "Info endpoint" that a perpetuals trader asks.

Nothing here changes anything. An agent's address answers empty, as does anybody else's who has no account.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any

from supervisor.clock import NS_PER_MS
from venues.aleatoric.dialects.pieces import pointed
from venues.aleatoric.funding.payments import funding, predicted
from venues.emulator.hyperliquid import errors
from venues.emulator.hyperliquid.accounts import Account
from venues.emulator.hyperliquid.candles import LENGTHS
from venues.emulator.hyperliquid.clearinghouse import Clearinghouse, money
from venues.emulator.hyperliquid.config import MAIN, ExchangeConfig
from venues.emulator.hyperliquid.errors import Refused
from venues.emulator.hyperliquid.frames import BookOptions, book_data
from venues.emulator.hyperliquid.listing import SPOT_META, Listing
from venues.emulator.hyperliquid.minting import Mint
from venues.emulator.hyperliquid.tape import HOUR_NS, MarketSource, Tape

PAGE = 2000  # fills and orders in one answer
FUNDING_PAGE = 500
FOREVER_MS = 1 << 62
AGENT_MS = 180 * 86_400_000  # how long an API wallet is good for at most
FUNDING_LATE_MS = (15, 134)  # funding is stamped this long past the hour
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")

Body = Mapping[str, Any]


class Questions:
    """The info door."""

    def __init__(
        self,
        config: ExchangeConfig,
        accounts: dict[str, Account],
        agents: dict[str, str],
        listing: Listing,
        tape: Tape,
        market: MarketSource,
        mint: Mint,
    ) -> None:
        self._config, self._accounts, self._agents = config, accounts, agents
        self._listing, self._tape, self._market, self._mint = listing, tape, market, mint
        self.agent_names: dict[str, str] = {}
        self.since_ms = 0
        self._answers: dict[str, Callable[[Body, int], Any]] = {
            "meta": lambda body, _: self._listing.meta(_dex(body)),
            "metaAndAssetCtxs": self._meta_and_contexts,
            "perpDexs": lambda *_: self._listing.perp_dexs(),
            "spotMeta": lambda *_: SPOT_META,
            "spotMetaAndAssetCtxs": self._spot,
            "allMids": lambda body, _: self.mids(_dex(body)),
            "l2Book": self._book,
            "recentTrades": self._trades,
            "candleSnapshot": self._candles,
            "fundingHistory": self._funding_history,
            "predictedFundings": self._predicted,
            "clearinghouseState": self._state,
            "spotClearinghouseState": self._spot_state,
            "userAbstraction": lambda *_: "disabled",  # each pocket by itself
            "activeAssetData": self._asset_data,
            "openOrders": self._open_orders,
            "frontendOpenOrders": self._open_orders,
            "orderStatus": self._order_status,
            "historicalOrders": self._historical,
            "userFills": self._fills,
            "userFillsByTime": self._fills_by_time,
            "userFunding": self._user_funding,
            "userNonFundingLedgerUpdates": self._ledger,
            "userRateLimit": self._rate_limit,
            "userFees": self._fees,
            "userRole": self._role,
            "extraAgents": self._extra_agents,
            "subAccounts": self._sub_accounts,
            "userVaultEquities": lambda *_: [],
            "userTwapSliceFills": lambda *_: [],
            "perpsAtOpenInterestCap": lambda *_: [],
            "maxBuilderFee": lambda *_: 0,
            "exchangeStatus": lambda _, now_ns: {"time": now_ns // NS_PER_MS, "specialStatuses": None},
        }

    def kind(self, body: Any) -> str:
        """The type of a question. Raises Refused(422) for one that the venue does not know."""
        kind = body.get("type") if isinstance(body, Mapping) else None
        if not isinstance(kind, str) or kind not in self._answers:
            raise Refused(422, errors.UNREADABLE)
        return kind

    def answer(self, body: Body, now_ns: int) -> Any:
        """The answer to a question. Raises Refused(422) where a field is missing or of the wrong type."""
        try:
            return self._answers[self.kind(body)](body, now_ns)
        except (KeyError, TypeError, AttributeError) as error:
            raise Refused(422, errors.UNREADABLE) from error

    # --- the market ---------------------------------------------------------------------------------------------------

    def mids(self, dex: str) -> dict[str, str]:
        """Middles of all names of a dex."""
        assets = self._listing.dexs.get(dex, [])
        return {asset.name: pointed(self._tape.mid(asset.name)) for asset in sorted(assets, key=lambda one: one.name)}

    def _meta_and_contexts(self, body: Body, now_ns: int) -> Any:
        dex = _dex(body)
        if dex not in self._listing.dexs:
            return None
        return [self._listing.meta(dex), [self._tape.context(one.name, now_ns) for one in self._listing.dexs[dex]]]

    def _spot(self, body: Body, now_ns: int) -> Any:
        context = {
            "prevDayPx": "0.2",
            "dayNtlVlm": "0.0",
            "markPx": "0.2",
            "midPx": None,
            "circulatingSupply": "596357467.0",
            "coin": "PURR/USDC",
            "totalSupply": "596357467.0",
            "dayBaseVlm": "0.0",
        }
        return [SPOT_META, [context]]

    def _book(self, body: Body, now_ns: int) -> Any:
        coin = body["coin"]
        if coin not in self._listing.assets:
            return None
        options = book_options(body)
        return book_data(coin, self._tape.book(coin), now_ns, options)

    def _trades(self, body: Body, now_ns: int) -> Any:
        return self._tape.trades(body["coin"])[::-1]

    def _candles(self, body: Body, now_ns: int) -> Any:
        wanted = body["req"]
        candles = self._tape.candles(wanted["coin"])
        if wanted["interval"] not in LENGTHS:
            raise Refused(422, errors.UNREADABLE)
        start_ms, end_ms = _span(wanted)
        if candles is None:
            return []
        return candles.rows(wanted["interval"], start_ms * NS_PER_MS, end_ms * NS_PER_MS, now_ns)

    def _funding_history(self, body: Body, now_ns: int) -> Any:
        coin, rows = body["coin"], list[dict[str, Any]]()
        model = self._tape.model(coin)
        start_ms, end_ms = _span(body)
        end_ns, hour = min(now_ns, end_ms * NS_PER_MS), -(-start_ms * NS_PER_MS // HOUR_NS)
        while model is not None and hour * HOUR_NS <= end_ns and len(rows) < FUNDING_PAGE:
            for rate in funding([model], self._market.seed, hour * HOUR_NS):
                said = {"coin": coin, "fundingRate": pointed(rate.rate), "premium": pointed(rate.premium.normalize())}
                rows.append(said | {"time": self.funding_ms(hour * HOUR_NS)})
            hour += 1
        return rows

    def funding_ms(self, hour_ns: int) -> int:
        """When the funding of an hour is stamped: a little past it."""
        first, last = FUNDING_LATE_MS
        return hour_ns // NS_PER_MS + first + self._mint.number("funding", hour_ns) % (last - first + 1)

    def _predicted(self, body: Body, now_ns: int) -> Any:
        rows = []
        for name in self._tape.names:
            model = self._tape.model(name)
            if model is not None and ":" not in name:
                period = predicted(model, self._market.seed, now_ns)
                told = {"fundingRate": pointed(period.rate), "nextFundingTime": period.end_ns // NS_PER_MS}
                rows.append([name, [["HlPerp", told | {"fundingIntervalHours": period.interval_h}]]])
        return rows

    # --- accounts -----------------------------------------------------------------------------------------------------

    def _account(self, body: Body) -> Account | None:
        if not ADDRESS.fullmatch(body["user"]):
            raise Refused(422, errors.UNREADABLE)
        return self._accounts.get(body["user"].lower())

    def _state(self, body: Body, now_ns: int) -> Any:
        account, dex = self._account(body), _dex(body)
        if dex not in self._listing.dexs:
            return None
        house = account.houses[dex] if account else Clearinghouse((), self._tape, self._config.fees, Decimal(0))
        return house.state(now_ns // NS_PER_MS)

    def _spot_state(self, body: Body, now_ns: int) -> Any:
        account = self._account(body)
        if account is None or not account.spot_minor:
            return {"balances": []}
        balance = {"coin": "USDC", "token": 0, "total": money(account.spot_minor), "hold": "0.0", "entryNtl": "0.0"}
        return {"balances": [balance]}

    def _asset_data(self, body: Body, now_ns: int) -> Any:
        account, asset = self._account(body), self._listing.assets[body["coin"]]
        if account is None:
            return None
        house = account.house(asset)
        lever, mark = house.lever(asset), self._tape.mark(asset.name)
        free = Decimal(max(0, house.free_minor())) / 1_000_000
        most = (free * lever.value / mark).quantize(asset.lot, rounding="ROUND_DOWN")
        return {
            "user": account.address,
            "coin": asset.name,
            "leverage": {"type": "cross" if lever.cross else "isolated", "value": lever.value},
            "maxTradeSzs": [pointed(most)] * 2,
            "availableToTrade": [pointed(free)] * 2,
            "markPx": pointed(mark),
        }

    def _open_orders(self, body: Body, now_ns: int) -> Any:
        account, dex = self._account(body), _dex(body)
        if account is None:
            return []
        orders = [order for order in reversed(account.live.values()) if order.asset.dex == dex]
        if body["type"] == "openOrders":
            return [order.brief(account.shown(order)) for order in orders]
        return [order.full(account.shown(order)) for order in orders]

    def _order_status(self, body: Body, now_ns: int) -> Any:
        account, key = self._account(body), body["oid"]
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise Refused(422, errors.UNREADABLE)
        order = account.find(key) if account else None
        if account is None or order is None:
            return {"status": "unknownOid"}
        return {"status": "order", "order": order.status_row()}

    def _historical(self, body: Body, now_ns: int) -> Any:
        account = self._account(body)
        orders = reversed(account.orders.values()) if account else ()
        return [order.status_row() for order in islice(orders, PAGE)]

    def _fills(self, body: Body, now_ns: int) -> Any:
        account = self._account(body)
        return account.fills_snapshot(PAGE) if account else []

    def _fills_by_time(self, body: Body, now_ns: int) -> Any:
        """Oldest first, so that the next page starts where this one ended."""
        account, (start, end) = self._account(body), _span(body)
        return [row for row in (account.fills if account else ()) if start <= row["time"] <= end][:PAGE]

    def _user_funding(self, body: Body, now_ns: int) -> Any:
        return self._rows(body, "fundings")[:FUNDING_PAGE]

    def _ledger(self, body: Body, now_ns: int) -> Any:
        return self._rows(body, "ledger")

    def _rows(self, body: Body, name: str) -> list[dict[str, Any]]:
        account, (start, end) = self._account(body), _span(body)
        return [row for row in (getattr(account, name) if account else ()) if start <= row["time"] <= end]

    def _rate_limit(self, body: Body, now_ns: int) -> Any:
        account = self._account(body)
        volume, used = (account.volume, account.requests_used) if account else (Decimal(0), 0)
        cap = self._config.requests_initial + int(volume)
        return {"cumVlm": pointed(volume), "nRequestsUsed": used, "nRequestsCap": cap, "nRequestsSurplus": 0}

    def _role(self, body: Body, now_ns: int) -> Any:
        account = self._account(body)
        address = body["user"].lower()
        if address in self._agents:
            return {"role": "agent", "data": {"user": self._agents[address]}}
        if account is None:
            return {"role": "missing"}
        return {"role": "subAccount", "data": {"master": account.master}} if account.master else {"role": "user"}

    def _extra_agents(self, body: Body, now_ns: int) -> Any:
        account = self._account(body)
        until = self.since_ms + AGENT_MS
        return [
            {"name": self.agent_names.get(agent, ""), "address": agent, "validUntil": until}
            for agent, owner in self._agents.items()
            if account and owner == account.address
        ]

    def _sub_accounts(self, body: Body, now_ns: int) -> Any:
        master = self._account(body)
        subs = [one for one in self._accounts.values() if master and one.master == master.address]
        rows = [
            {
                "name": one.address[:8],
                "subAccountUser": one.address,
                "master": one.master,
                "clearinghouseState": one.houses[MAIN].state(now_ns // NS_PER_MS),
                "spotState": {"balances": []},
            }
            for one in subs
        ]
        return rows or None

    def _fees(self, body: Body, now_ns: int) -> Any:
        self._account(body)
        rates = self._config.fees["native"]
        cross, add = pointed(rates.taker), pointed(rates.maker)
        schedule = {"cross": cross, "add": add, "spotCross": "0.0007", "spotAdd": "0.0004"}
        tiers = {"tiers": {"vip": [], "mm": []}, "referralDiscount": "0.04", "stakingDiscountTiers": []}
        return {
            "dailyUserVlm": [],
            "feeSchedule": schedule | tiers,
            "userCrossRate": cross,
            "userAddRate": add,
            "userSpotCrossRate": "0.0007",
            "userSpotAddRate": "0.0004",
            "activeReferralDiscount": "0.0",
            "trial": None,
            "feeTrialReward": "0.0",
            "nextTrialAvailableTimestamp": None,
            "stakingLink": None,
            "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
        }


def book_options(body: Body) -> BookOptions:
    """What is wanted of a book. Raises Refused(422), or Refused(500) as the venue does for a mantissa of 1."""
    figures, mantissa = body.get("nSigFigs"), body.get("mantissa")
    if mantissa == 1:
        raise Refused(500, "null")
    if figures not in (None, 2, 3, 4, 5) or mantissa not in (None, 2, 5) or (mantissa and figures != 5):
        raise Refused(422, errors.UNREADABLE)
    return BookOptions(bool(body.get("fast")), figures, mantissa)


def _dex(body: Body) -> str:
    dex = body.get("dex")
    return MAIN if dex is None else str(dex)


def _span(body: Body) -> tuple[int, int]:
    """From when until when, in milliseconds. Raises Refused(422) for what is no time."""
    start, end = body["startTime"], body.get("endTime")
    end = FOREVER_MS if end is None else end
    if not all(isinstance(time, int) and not isinstance(time, bool) for time in (start, end)):
        raise Refused(422, errors.UNREADABLE)
    return max(0, start), min(end, FOREVER_MS)
