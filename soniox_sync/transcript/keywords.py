"""Keywords of the writers, for editors and type checkers; the library loads none of it.

Each class repeats the fields of an option class, for `**keywords: Unpack[...]`; a test compares
the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypedDict, Union


class CaptionKeywords(TypedDict, total=False):
    """Fields of `CaptionOptions`."""

    max_line_length: int
    max_lines: int
    min_duration_ms: int
    max_duration_ms: int
    chars_per_sec: float
    max_gap_ms: int
    show: Literal["original", "translation"]
    speakers: Union[bool, Mapping[str, str]]
    prefix_speakers: bool
