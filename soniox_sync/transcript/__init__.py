"""From tokens to what people read: transcripts, segments, utterances, captions.

Everything here is pure: no thread, no socket. Feed it the `Result`s of a session::

    transcript = Transcript()
    for event in session:
        transcript.add_event(event)
    print(transcript.to_srt())
"""

from __future__ import annotations

from .captions import CaptionBuffer, CaptionOptions, Cue, build_cues
from .formats import (
    CaptionWriter,
    cues_to_srt,
    cues_to_vtt,
    event_to_json,
    render_tokens,
    segment_to_dict,
    segments_to_text,
    token_to_dict,
    tokens_to_srt,
    tokens_to_vtt,
)
from .segments import Segment, SegmentBuffer, segment_tokens
from .transcript import Transcript
from .translation import TranslationPair, translation_pairs
from .utterances import Utterance, UtteranceBuffer

__all__ = [
    "CaptionBuffer",
    "CaptionOptions",
    "CaptionWriter",
    "Cue",
    "Segment",
    "SegmentBuffer",
    "Transcript",
    "TranslationPair",
    "Utterance",
    "UtteranceBuffer",
    "build_cues",
    "cues_to_srt",
    "cues_to_vtt",
    "event_to_json",
    "render_tokens",
    "segment_to_dict",
    "segment_tokens",
    "segments_to_text",
    "token_to_dict",
    "tokens_to_srt",
    "tokens_to_vtt",
    "translation_pairs",
]
