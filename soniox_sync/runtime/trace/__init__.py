"""Traces: every WebSocket frame and HTTP exchange of a client as lines of JSON (docs/traces.rst).

- `trace`: what a client has, and its connections
- `exchange`: its HTTP calls
- `content`: messages and bodies as JSON
- `redaction`: what no line may show
- `output`: files, file objects and callables
"""
