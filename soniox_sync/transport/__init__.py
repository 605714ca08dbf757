"""The WebSocket line: websocket-client opens it, our own frames run over it.

`connect` opens sockets (TCP, proxies, TLS, upgrade), `sockets` makes them safe for one reader and
one writer at once, `frames` is the strict frame reader and the one-shot encoder, `sender` the one
way out, `deadline` the arithmetic of waiting. Knows no transcription and no speech.
"""
