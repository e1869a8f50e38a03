"""The bug museum: what went wrong in live engines, told again to ours, each beside the naive way that must fail."""
