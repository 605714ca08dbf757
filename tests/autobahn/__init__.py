"""The Autobahn test suite against this library's WebSocket (docs/fuzzing.rst)."""
