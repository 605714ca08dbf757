"""The sandbox's server: sockets, HTTP, WebSockets, routing."""
