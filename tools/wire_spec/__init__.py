"""Generates decoderd/wire/specification from decoderd/wire: JSON Schemas, test vectors, the tables of the README.

python -m tools.wire_spec            write
python -m tools.wire_spec --check    compare; exit status 1, and the names of the files that are stale
"""
