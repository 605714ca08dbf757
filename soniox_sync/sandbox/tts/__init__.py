"""The sandbox's side of a stream of speech."""
