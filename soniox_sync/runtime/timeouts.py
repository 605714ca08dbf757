"""Time limits that several objects share."""

from __future__ import annotations

# closing waits this long for the server's close frame: a round trip and a margin
CLOSE_TIMEOUT_SEC = 2.0
# after a failed send the reader may still find the server's error frame, which says why. 1 s covers
# a round trip; if the server is gone, the caller should not wait longer for an error
READER_REPORT_SEC = 1.0
# how long leaving a `with` block waits for handlers that are already due
CALLBACK_DRAIN_SEC = 10.0
# the server closes after its last message (`finished`, an error); after this time we do
EXPECTED_CLOSE_SEC = 2.0
