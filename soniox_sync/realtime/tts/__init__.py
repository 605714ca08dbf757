"""Streams of speech and the connection that carries them."""
