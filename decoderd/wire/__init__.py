"""Models of messages, inputs, requests and replies, and how they become bytes.

Imports neither NumPy nor ZeroMQ, so that a client can use it alone.
"""
