"""WebSocket transport: websocket-client opens the connection, our own code carries its frames.

`connect` opens sockets (TCP, proxies, TLS, upgrade), `sockets` makes them safe for one reader and
one writer at once, `frames` parses and encodes frames, `sender` writes them; threads wait with
`deadline` and `latch`. Nothing here depends on transcription or speech.
"""
