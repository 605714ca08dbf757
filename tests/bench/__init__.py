"""Benchmark of soniox_sync against the official SDK and a raw socket; see ``__main__``."""
