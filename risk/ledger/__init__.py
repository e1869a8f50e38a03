"""Double entry in six ledgers: what was paid, held, reserved, earned and lost, in integers that must sum to zero."""
