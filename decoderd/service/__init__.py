"""A session on the network: its process and sockets, control, and the supervisor of many."""
