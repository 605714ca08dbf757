"""Audio formats, written independently of the client's."""
