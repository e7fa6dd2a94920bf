"""Running a session: the loop, real-time conditions, signals, inputs from a file."""
