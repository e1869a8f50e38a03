"""`obid doctor`: whether this machine, these keys and these venues would let a daemon trade, and what to do if not."""
