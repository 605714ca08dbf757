"""Tests of conversations with their threads, sinks and sources."""
