"""Golden traces: sessions with the sandbox and its faults, recorded with their audio.

`python -m tests.traces.make` makes them anew; the tests replay each.
"""
