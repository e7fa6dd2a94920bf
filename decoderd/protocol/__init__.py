"""The protocol of a session: a TOML file, validated as a whole into an immutable configuration."""
