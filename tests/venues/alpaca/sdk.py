"""Alpaca's own SDK, which judges here: it still imports a part of websockets that warns of its end."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.trading.models import Order, TradeAccount, TradeUpdate
    from alpaca.trading.requests import LimitOrderRequest, ReplaceOrderRequest

__all__ = ["LimitOrderRequest", "Order", "ReplaceOrderRequest", "TradeAccount", "TradeUpdate"]
