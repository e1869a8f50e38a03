"""Hyperliquid as its users meet it: a pure state machine of accounts, orders and frames, and the server around it."""
