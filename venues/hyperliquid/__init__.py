"""Hyperliquid: perpetuals, native and builder-deployed."""
