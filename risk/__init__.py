"""risk decides: pure, synchronous and deterministic; no input or output, no clock."""
