"""Stored sessions written as files of other software: NWB, Parquet, CSV and NumPy.

    session file --reading--> batches of one day --tables--> columns of plain arrays --a module a format--> a file

Memory does not grow with the length of a session: everything is read and written in batches of ticks. The session may
be running meanwhile: what is exported is what it had committed when the export began.
"""
