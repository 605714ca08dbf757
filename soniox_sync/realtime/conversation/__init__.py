"""Conversations: threads, sinks and sources around the decisions of `soniox_sync/conversation`."""
