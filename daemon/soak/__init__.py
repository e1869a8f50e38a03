"""Soak: the whole daemon and emulated venues in one process, in virtual time, under faults drawn from a seed."""
