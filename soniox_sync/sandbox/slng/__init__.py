"""The sandbox's side of the SLNG gateway."""
