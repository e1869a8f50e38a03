"""config declares: settings, limits, universes and profiles; it imports nothing of ours."""
