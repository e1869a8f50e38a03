"""Every request of `info`, by the name of its type."""

from venues.hyperliquid import info

FROM_MS, TO_MS = 1_790_000_000_000, 1_790_000_600_000


def every_ask(user):
    """One request of each kind."""
    asks = (
        info.meta("xyz"),
        info.meta_and_contexts(),
        info.perp_dexs(),
        info.spot_meta(),
        info.all_mids(),
        info.l2_book("BTC"),
        info.candle_snapshot("BTC", "1m", FROM_MS, TO_MS),
        info.funding_history("BTC", FROM_MS),
        info.exchange_status(),
        info.clearinghouse_state(user, "xyz"),
        info.open_orders(user),
        info.frontend_open_orders(user, "xyz"),
        info.order_status(user, 5),
        info.user_fills(user),
        info.user_fills_by_time(user, FROM_MS, TO_MS),
        info.historical_orders(user),
        info.user_funding(user, FROM_MS),
        info.ledger_updates(user, FROM_MS),
        info.user_rate_limit(user),
        info.user_fees(user),
        info.user_role(user),
        info.extra_agents(user),
    )
    return {ask.kind: ask for ask in asks}
