"""One transcription over one connection."""
