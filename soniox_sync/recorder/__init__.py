"""The decisions of a recording: no I/O, no threads, no clock."""
