"""Decisions of a conversation: whose turn it is, what belongs to it, what was heard. No I/O."""
