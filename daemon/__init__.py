"""daemon wires: the graph, the modes, the command line, the control socket and the logs."""
