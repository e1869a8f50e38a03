"""Canonical events: what five kinds of market data say, in one form (the seed's CanonicalizationEngine)."""
