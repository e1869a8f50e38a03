"""benchmarks measure what the README claims: in one run, on one machine, against others that do the same work."""
