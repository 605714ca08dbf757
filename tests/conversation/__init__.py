"""Tests of the decisions of a conversation, played by hand and at random in virtual time."""
