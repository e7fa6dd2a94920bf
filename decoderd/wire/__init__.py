"""What goes on the wire and into the store: message and input models, their bytes, nothing else.

Imports neither numpy nor zmq, so that a client can use it alone.
"""
