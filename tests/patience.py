"""How long tests wait for what must come."""

PATIENCE_S = 30.0
"""It bounds a failure and measures nothing: on a machine that does much else, what takes a moment takes seconds."""
