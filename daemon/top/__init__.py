"""`obid top`: the running daemon on a terminal, over its control socket; the daemon itself loads nothing of it."""
