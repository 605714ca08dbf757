"""Whether a source hears what is played meanwhile."""

from __future__ import annotations

import io

from soniox_sync import FileSource, IterableSource, MicrophoneSource, PipeSource


def test_only_a_microphone_hears_the_loudspeaker() -> None:
    """A conversation listens to a microphone only while it does not speak itself."""
    assert MicrophoneSource().echo_free is False
    others = (FileSource("call.wav"), IterableSource([]), PipeSource(io.BytesIO()))
    assert [source.echo_free for source in others] == [True, True, True]
