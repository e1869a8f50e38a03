"""Aleatoric, the embedded synthetic market: numpy only, block by block, the same bytes on every machine."""
