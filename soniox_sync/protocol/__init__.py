"""The protocol without I/O: messages to events, dialects, state tables.

Imports no socket, ssl, threading, time or logging, so that every rule of the wire can be tested
with bytes alone. `tokens` holds what users receive, `states` the tables, `stt` and
`tts` the two services, `dialects` how a gateway spells the same messages.
"""
