"""Speech streams for many threads over a few connections."""
