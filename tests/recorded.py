"""What tests need to know of a session that was recorded, in memory or in a file."""

import hashlib

from decoderd.wire import codec


def digest(recorded):
    """SHA-256 over its tick messages."""
    found = hashlib.sha256()
    for payload in recorded.payloads("tick"):
        found.update(codec.encode(payload))
    return found.hexdigest()
