"""What is kept of a session: the store it is written to, the replay that checks it, the reader that gives arrays."""
