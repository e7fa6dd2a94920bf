"""Recorded sessions: the file of a session, the recorder that writes it, its reader, and the replay that checks it."""
