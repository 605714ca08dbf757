"""Transcribing an audio source over as many sessions as it takes."""
