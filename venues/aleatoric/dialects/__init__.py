"""Dialects: the generated market in the very bytes that a venue would send."""
