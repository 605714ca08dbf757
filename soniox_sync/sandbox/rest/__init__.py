"""The sandbox's HTTP endpoints."""
