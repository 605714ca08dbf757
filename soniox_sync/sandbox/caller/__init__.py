"""Scripted caller: what it says and does, when, and what it hears."""
