"""Sessions on the network: session processes with their sockets and control, and the supervisor of many."""
