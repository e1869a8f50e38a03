"""What is sent: orders, cancels, replaces and leverage, signed, numbered, within the limits, each with a verdict.

Every order carries its cloid and an expiry before the fence that the executor counts on, in the venue's time (skew.py).
A replace is the venue's modify of what is not filled yet: the old order goes, its number with it, and lots are counted
over the chain. Fills that happened while it was under way make the new order too large; `excess` names it, and it is
cancelled.
"""

from collections.abc import Callable, Mapping

from supervisor.clock import NS_PER_MS, NS_PER_S, Clock
from venues.hyperliquid import actions
from venues.hyperliquid.actions import Action
from venues.hyperliquid.answers import Meaning, Refused, Verdict
from venues.hyperliquid.asking import NOT_SENT, Asker
from venues.hyperliquid.budget import Need, Urgency, action_need
from venues.hyperliquid.grid import Grid
from venues.hyperliquid.meta import Asset
from venues.hyperliquid.nonce import ClockBehind
from venues.hyperliquid.nonce_file import NonceFile
from venues.hyperliquid.orders import BY_NUMBER, Orders, Tracked
from venues.hyperliquid.sign import AccountAddress, Signer
from venues.market import Accepted, AccountEvent, Cancelled, CancelRefused, OrderRequest, Rejected, TimeInForce
from venues.skew import LATE_NS_MAX, MARGIN_NS, Skew
from venues.venue import PROOF_NS

ASKED = "asked"


class Desk:
    """One account's orders."""

    def __init__(
        self,
        asker: Asker,
        signer: Signer,
        nonces: NonceFile,
        orders: Orders,
        assets: Mapping[str, Asset],
        skew: Skew,
        *,
        vault: AccountAddress | None = None,
    ):
        self.asker = asker
        self.signer = signer
        self.nonces = nonces
        self.orders = orders
        self.assets = assets
        self.skew = skew
        self.vault = vault
        self.limited = False  # the venue said that the address has used up its requests; ask how many it has
        self.excess: Callable[[Tracked], None] = lambda tracked: None  # an order that may fill too much
        self.tell: Callable[[AccountEvent], None] = lambda event: None  # what the account stream is to say

    @property
    def clock(self) -> Clock:
        """The time."""
        return self.asker.clock

    # --- orders -------------------------------------------------------------------------------------------------------

    async def submit(self, order: OrderRequest) -> Accepted | Rejected:
        """Send an order. Raises VenueUnreachable and VenueMisspoke where it may be at the venue or not."""
        tracked = self.orders.add(order)
        if not order.reduce_only and (why := self.skew.shut()):
            return self._rejected(tracked, f"{NOT_SENT}: {why}")
        try:
            action = actions.place([self._wire(order, tracked.sent_lots)])
        except (ValueError, KeyError) as error:
            return self._rejected(tracked, f"{NOT_SENT}: {error}")
        verdict = await self._send(action, urgency_of(order), order.expires_ns)
        tracked.answered = True
        if isinstance(verdict, Refused):
            return self._rejected(tracked, verdict.reason)
        return self._accepted(order)

    async def replace(self, order: OrderRequest) -> Accepted | Rejected | CancelRefused:
        """Put an order in the place of another, for what that one has not filled.

        A refusal that leaves open what the old one is now, or says that it rests on, is told of that one as well.
        """
        old = self.orders.get(order.replaces)
        replaced = old is not None and self.orders.successor(old) is not None
        tracked = self.orders.add(order)
        if old is None or old.over or replaced or tracked.sent_lots <= 0:
            why = "unknown here" if old is None else "over" if old.over else "replaced" if replaced else "filled"
            return self._not_replaced(tracked, f"{NOT_SENT}: it is {why}")
        try:
            wire = self._wire(order, tracked.sent_lots)
        except (ValueError, KeyError) as error:
            return self._stays(tracked, f"{NOT_SENT}: {error}", unsent=True)
        action = actions.batch_modify([(actions.cloid(order.replaces), wire)])
        verdict = await self._send(action, urgency_of(order), order.expires_ns)
        tracked.answered = True
        if not isinstance(verdict, Refused):
            if tracked.lots_over:
                self.excess(tracked)
            return self._accepted(order)
        if verdict.meaning is not Meaning.OVER:
            return self._stays(tracked, verdict.reason, unsent=verdict.unsent)
        return self._not_replaced(tracked, verdict.reason)

    async def cancel(self, engine: str, symbol: str, order_id: str) -> Cancelled | CancelRefused:
        """Cancel an order: ours by its cloid, any other by the venue's number."""
        asset = self.assets.get(symbol)
        if asset is None:
            why = f"{NOT_SENT}: it is not traded here"
            return CancelRefused(engine, order_id, symbol, why, self.clock.now_ns(), unsent=True)
        tracked = self.orders.get(order_id)
        if tracked is not None:
            tracked.cancel_asked = True
        number = order_id.removeprefix(BY_NUMBER)
        if number != order_id:
            action = actions.cancel([(asset.asset_id, int(number))])
        else:
            action = actions.cancel_by_cloid([(asset.asset_id, actions.cloid(order_id))])
        verdict = await self._send(action, Urgency.EXIT, 0, cancel=True)
        now_ns = self.clock.now_ns()
        if isinstance(verdict, Refused):
            return CancelRefused(engine, order_id, symbol, verdict.reason, now_ns, verdict.unsent)
        filled = tracked.lots_told if tracked else 0
        return Cancelled(engine, order_id, symbol, filled, ASKED, now_ns)

    def proven(self, tracked: Tracked, asked_ns: int) -> bool:
        """Whether "not there", asked at that time, proves that an order never came: far enough behind its fence."""
        fence_ns = tracked.request.expires_ns
        return 0 < fence_ns < asked_ns - PROOF_NS - self.skew.doubt_ns

    async def prove_over(self, tracked: Tracked) -> Cancelled | None:
        """Ask by a cancel, where questions fail, whether an order is over that is not to rest and is past its fence.

        "Never placed, already canceled, or filled" is proof then: it can't arrive any more. Its fills come by the
        account stream. None: the answer proves nothing. Raises VenueUnreachable and VenueMisspoke.
        """
        order = tracked.request
        fenced = self.proven(tracked, self.clock.now_ns())
        may_rest = order.time_in_force is not TimeInForce.IOC and not tracked.cancel_asked
        asset = self.assets.get(order.symbol)
        if asset is None or may_rest or not fenced:
            return None
        action = actions.cancel_by_cloid([(asset.asset_id, actions.cloid(order.id))])
        verdict = await self._send(action, Urgency.EXIT, 0, cancel=True)
        if isinstance(verdict, Refused) and verdict.meaning is not Meaning.OVER:
            return None
        reason = verdict.reason if isinstance(verdict, Refused) else ASKED
        self.orders.end(tracked)
        return Cancelled(order.engine, order.id, order.symbol, tracked.lots_told, reason, self.clock.now_ns())

    async def set_leverage(self, asset: Asset, leverage: int, *, cross: bool) -> str:
        """Set an asset's leverage; why not, or nothing. Raises VenueUnreachable and VenueMisspoke."""
        action = actions.update_leverage(asset.asset_id, leverage, cross=cross)
        verdict = await self._send(action, Urgency.ORDER, 0, asked=0)
        return verdict.reason if isinstance(verdict, Refused) else ""

    async def schedule_cancel(self, ahead_s: float | None) -> str:
        """Let the venue cancel all of the account's orders so far ahead, or (None) not; why not, or nothing.

        Raises VenueUnreachable and VenueMisspoke. The time is the venue's: sooner for a clock of ours that is ahead.
        """
        off_ns = max(-LATE_NS_MAX, min(self.skew.bound_ns, LATE_NS_MAX))
        at_ns = None if ahead_s is None else self.clock.now_ns() + round(ahead_s * NS_PER_S) - off_ns
        action = actions.schedule_cancel(None if at_ns is None else at_ns // NS_PER_MS)
        verdict = await self._send(action, Urgency.EXIT, 0, asked=0, cancel=True)
        return verdict.reason if isinstance(verdict, Refused) else ""

    # --- sending ------------------------------------------------------------------------------------------------------

    async def _send(
        self, action: Action, urgency: Urgency, expires_ns: int, *, asked: int = 1, cancel: bool = False
    ) -> Verdict:
        need: Need = action_need(urgency, cancel=cancel)
        try:
            nonce = await self.nonces.take()
        except ClockBehind as error:
            return Refused(f"{NOT_SENT}: {error}", Meaning.REFUSED, unsent=True)
        # nothing is waited for between this and the sending: the room that was seen is taken
        if refused := await self.asker.room_to_act(need):
            self.limited |= refused.meaning is Meaning.LIMITED
            return refused
        if expires_ns and self.clock.now_ns() >= expires_ns - MARGIN_NS:
            return Refused(f"{NOT_SENT}: it would come too late", Meaning.REFUSED, unsent=True)
        expires_ms = self.skew.expiry_ns(expires_ns) // NS_PER_MS if expires_ns else None
        signed = self.signer.l1(action, nonce, self.vault, expires_ms)
        (verdict,) = await self.asker.act(signed, asked, need)
        if isinstance(verdict, Refused) and verdict.meaning is Meaning.LIMITED:
            self.limited = True
        return verdict

    def _wire(self, order: OrderRequest, lots: int) -> Action:
        asset = self.assets[order.symbol]
        return actions.order_wire(order, asset.asset_id, Grid.of(asset.asset_id, asset.sz_decimals), lots)

    def _accepted(self, order: OrderRequest) -> Accepted:
        return Accepted(order.engine, order.id, order.symbol, self.clock.now_ns())

    def _rejected(self, tracked: Tracked, reason: str) -> Rejected:
        order = tracked.request
        self.orders.end(tracked)
        return Rejected(order.engine, order.id, order.symbol, reason, self.clock.now_ns())

    def _not_replaced(self, tracked: Tracked, reason: str) -> CancelRefused:
        """There was nothing to replace."""
        order = tracked.request
        self.orders.never(tracked)
        return CancelRefused(order.engine, order.id, order.symbol, reason, self.clock.now_ns())

    def _stays(self, tracked: Tracked, reason: str, *, unsent: bool) -> Rejected:
        """The new order is refused. The old one rests on, or was taken out for it: who waits for its end must ask."""
        order = tracked.request
        if unsent:
            self.orders.never(tracked)
        self.tell(CancelRefused(order.engine, order.replaces, order.symbol, reason, self.clock.now_ns(), unsent))
        return self._rejected(tracked, reason)


def urgency_of(order: OrderRequest) -> Urgency:
    """An order that can only make a position smaller may use what is kept for exits."""
    return Urgency.EXIT if order.reduce_only else Urgency.ORDER
