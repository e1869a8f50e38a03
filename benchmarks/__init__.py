"""benchmarks measure: what the README claims, in one run, on one machine, against what others offer for the same work."""
