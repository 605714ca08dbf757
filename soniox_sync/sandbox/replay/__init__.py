"""The service's side of a recorded trace, played to a client."""
