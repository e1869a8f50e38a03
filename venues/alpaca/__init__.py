"""Alpaca: crypto spot and US shares."""
