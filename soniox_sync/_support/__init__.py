"""Helpers for every layer of the package: argument checks, reprs, types, optional C code."""
