"""A session: one pure step a tick, and the parts of it that have a module of their own."""
