"""The proofs. A package, so that helpers import as tests.name and no other distribution can own that name."""
