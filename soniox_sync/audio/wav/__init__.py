"""WAV: its header, files and streams."""
