"""Dialects of the SLNG gateway."""
