"""Recognition of copies of indexed speech: resampled, quieter, or encoded by a lossy codec."""
