"""Jobs for many files: submitted a few at a time, and never twice, also after a kill."""
