"""Fuzzing: hostile bytes for everything that reads what others wrote (docs/fuzzing.rst)."""
