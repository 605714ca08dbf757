"""Mutation testing on demand: which rules of the library could change without a test noticing.

`python -m tests.mutation [PACKAGE] [--sample N --seed S]` makes small changes to the source, one at
a time, and runs the tests that reach each one. How to read what it prints, the last results, and
what survives for a reason stand in docs/mutation.rst.

Why none of the known tools is beneath. mutmut 3.8 needs Python 3.10, writes a changed copy of the
project and gives each function a trampoline in it; it leaves alone decorated functions, so every
property, and default values that are more than a literal, where this library has its limits. What
cosmic-ray 8.7 offers as a library, `mutate_code()`, replaces operators and numbers, but neither
leaves out a statement nor fixes a condition; it starts a test command for each mutant, and brings
aiohttp, SQLAlchemy and GitPython. Here a mutant costs a fork and the tests that
reach it: `ast` says what can change, coverage which test runs it, and pytest stays loaded.
"""
