"""Transcription jobs over HTTP."""
