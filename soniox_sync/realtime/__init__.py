"""Transcription and speech over WebSockets; import from the modules below."""
