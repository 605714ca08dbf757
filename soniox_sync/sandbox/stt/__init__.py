"""The sandbox's side of a transcription."""
