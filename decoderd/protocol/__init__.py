"""The protocol of a session: its models, and reading and validating protocol files."""
