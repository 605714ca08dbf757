"""The protocol without I/O: messages to events, dialects, state tables.

Nothing here imports socket, ssl, threading, time or logging: every rule of the wire is tested with
bytes alone. `tokens` holds what users receive, `states` the state tables, `stt` and `tts` the two
services, `dialects` how the service and a gateway spell the same messages.
"""
