"""Recognising containers by their first bytes, and refusing those that cannot be transcribed."""

from __future__ import annotations

import codecs
from typing import Optional

from .._support.checks import refused
from .formats import STT_CONTAINERS, is_raw

# Enough to recognise every container below, and text: fewer printable bytes may be anything.
SIGNATURE_BYTES = 16

_READABLE = (
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"\x1a\x45\xdf\xa3", "webm"),
    (b"\x30\x26\xb2\x75", "asf"),
    (b"#!AMR", "amr"),
)
_UNREADABLE = (
    (b"RIFX", "RIFX (big-endian WAV)"),
    (b"riff\x2e\x91\xcf\x11", "w64"),
    (b"NIST_1A", "NIST SPHERE"),
    (b"caff", "caf"),
    (b".snd", "au"),
    (b"dns.", "au"),
    (b"Creative Voi", "voc"),
    (b"#!SILK", "SILK"),
    (b"\x02#!SILK", "SILK"),
    (b"MAC ", "ape"),
    (b"wvpk", "wavpack"),
    (b"TTA1", "tta"),
    (b"ajkg", "shorten"),
    (b"MPCK", "musepack"),
    (b"MP+", "musepack"),
    (b"DSD ", "dsf"),
    (b"FRM8", "dff"),
    (b".RMF", "realmedia"),
    (b"FLV\x01", "flv"),
    (b"MThd", "midi"),
    (b"\x00\x00\x01\xba", "mpeg"),
)
_NOT_AUDIO = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"%PDF-", "a PDF"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff\xe0", "an image"),
    (b"\xff\xd8\xff\xe1", "an image"),
    (b"GIF8", "an image"),
)
# the boxes that a QuickTime file, and a fragment of an MP4, may begin with, after their length
_MOV_BOXES = (b"moov", b"mdat", b"wide", b"pnot", b"free", b"skip")
_MP4_BOXES = (b"styp", b"sidx", b"moof", b"uuid")
_BRANDS = {b"M4A ": "m4a", b"M4B ": "m4a", b"M4P ": "m4a", b"qt  ": "mov"}
_RIFF_FORMS = {b"AVI ": "avi", b"RMID": "midi"}


def container_of(head: bytes) -> Optional[str]:
    """Return the container that begins with `head` and can be transcribed; `None` for others."""
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    return _first(_READABLE, head)


def unreadable_container(head: bytes) -> Optional[str]:
    """Return the container that begins with `head` and cannot be transcribed in real time."""
    box = head[4:8]
    if box == b"ftyp":
        brand = head[8:12]
        return "3gp" if brand[:2] == b"3g" else _BRANDS.get(brand, "mp4")
    if box in _MOV_BOXES:
        return "mov"
    if box in _MP4_BOXES:
        return "mp4"
    form = head[8:12]
    if head[:4] in (b"RIFF", b"FORM") and container_of(head) is None and form.strip().isalnum():
        return _RIFF_FORMS.get(form, f"{head[:4].decode()} {form.decode()}".rstrip())
    return _first(_UNREADABLE, head)


def _first(signatures: tuple[tuple[bytes, str], ...], head: bytes) -> Optional[str]:
    return next((name for magic, name in signatures if head.startswith(magic)), None)


def _is_text(head: bytes) -> bool:
    """Return whether audio that begins with `head` is a text, such as a web page."""
    if len(head) < SIGNATURE_BYTES:
        return False
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)  # the end may be cut
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char in "\t\n\r\f" for char in text)


def check_start(
    head: bytes, audio_format: str, *, name: str = "audio", file_name: str = ""
) -> None:
    """Refuse audio whose first bytes show that it cannot be transcribed as declared.

    `head`: at least the first `SIGNATURE_BYTES`. `name`: of the argument, for errors.
    `file_name`: of the file that contains the audio.

    Raises
        ConfigurationError: a container that real-time transcription cannot read, text or another
            file that is no audio, or a container that is not what `audio_format` says.
    """
    of_file = f" ({file_name})" if file_name else ""
    readable = "audio that can be transcribed in real time"
    kind = unreadable_container(head)
    if kind is not None:
        convert = "convert it, for instance with ffmpeg -i INPUT -ac 1 -ar 16000 output.wav"
        async_reads_it = kind in ("m4a", "mp4")
        way_out = "; client.stt.transcribe_and_wait() reads it as it is" if async_reads_it else ""
        raise refused(name, readable, f"{kind}{of_file}", convert + way_out)
    found, expects_samples = container_of(head), is_raw(audio_format)
    kind = _first(_NOT_AUDIO, head)
    # samples may look like text; containers that the service reads do not begin with it
    if found is None and kind is None and not expects_samples and _is_text(head):
        kind = "text"
    if kind is not None:
        raise refused(name, readable, f"{kind}{of_file}", "pass an audio file")
    if found is None:
        if audio_format == "wav":
            advice = "headerless samples need their format, sample_rate and num_channels"
            raise refused(name, "a WAV, as audio_format='wav' says", f"none{of_file}", advice)
        return
    expected = ""
    if expects_samples:
        expected = f"samples without a header, as audio_format={audio_format!r} says"
    elif audio_format in STT_CONTAINERS and audio_format not in _also(found):
        expected = f"what audio_format={audio_format!r} says"
    if expected:
        advice = 'leave audio_format out, or pass audio_format="auto"'
        raise refused(name, expected, f"{found}{of_file}", advice)


def _also(found: str) -> tuple[str, ...]:
    """Return the formats that a file which begins like `found` may have."""
    return (found, "aac", "flac") if found == "mp3" else (found,)  # after the tag "ID3"
