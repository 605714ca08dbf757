"""The library on simulated threads, clock and network: a seed in, the same run out.

`python -m tests.simulation --help`; how to write a scenario and read a schedule stands in
docs/simulation.rst.
"""
