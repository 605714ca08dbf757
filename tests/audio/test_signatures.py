"""`check_start`: audio refused by its first bytes."""

from __future__ import annotations

import pytest

from soniox_sync.audio import wav_header
from soniox_sync.audio.signatures import check_start, container_of
from soniox_sync.errors import ConfigurationError

UNREADABLE = {
    "m4a": b"\0\0\0\x20ftypM4A \0\0\0\0",
    "mp4": b"\0\0\0\x20ftypisom\0\0\2\0",
    "mov": b"\0\0\0\x14ftypqt  \0\0\2\0",
    "3gp": b"\0\0\0\x18ftyp3gp4\0\0\0\0",
    "caf": b"caff\0\1\0\0desc\0\0\0\0",
    "au": b".snd\0\0\0\x18\xff\xff\xff\xff\0\0\0\3",
    "w64": bytes.fromhex("726966662e91cf11a5d628db04c10000"),
    "RIFX": b"RIFX\x24\0\0\0WAVEfmt ",
    "avi": b"RIFF\x24\0\0\0AVI LIST",
    "ape": b"MAC \x96\x0f\0\0\x34\0\0\0\x18\0\0\0",
    "wavpack": b"wvpk\x24\0\0\0\x10\4\0\0\0\0\0\0",
    "midi": b"MThd\0\0\0\6\0\1\0\2\0\x60MT",
    "NIST SPHERE": b"NIST_1A\n   1024\nchan",
    "voc": b"Creative Voice File\x1a",
    "SILK": b"\x02#!SILK_V3\x0c\0\xa7",
    "RIFF CDXA": b"RIFF\x24\0\0\0CDXAfmt ",
    "FORM 8SVX": b"FORM\0\0\1\0" + b"8SVXVHDR",
    "a zip archive": b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0",
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\x03\0\0\0\0\0\0",
    "a PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0",
    "an image": b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
}
# boxes that MP4 and QuickTime files begin with, besides "ftyp" -> name
BOXES = {
    b"moov": "mov",
    b"mdat": "mov",
    b"wide": "mov",
    b"free": "mov",
    b"skip": "mov",
    b"pnot": "mov",
    b"styp": "mp4",
    b"sidx": "mp4",
    b"moof": "mp4",
    b"uuid": "mp4",
}
BRANDS = {b"M4B ": "m4a", b"mp42": "mp4", b"isom": "mp4", b"dash": "mp4", b"3g2a": "3gp"}
READABLE = {
    "wav": wav_header(sample_rate=44_100)[:16],
    "flac": b"fLaC\0\0\0\x22\x10\0\x10\0\0\0\0\0",
    "ogg": b"OggS\0\2\0\0\0\0\0\0\0\0\1\2",
    "mp3": b"ID3\4\0\0\0\0\0\x23TSSE\0\0",
    "webm": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\xf7\x81\1\x42\xf2\x81",
    "asf": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c",
    "amr": b"#!AMR\n\x3c\x48\xf5\x1f\x96\x66\x79\xe1\xe0\1",
    "aiff": b"FORM\0\0\1\0AIFFCOMM",
}


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("audio_format", ["auto", "pcm_s16le", "mp4"])
def test_unreadable_containers_are_refused(name: str, audio_format: str) -> None:
    """A container that real-time transcription cannot read is refused by name, with advice."""
    with pytest.raises(ConfigurationError) as caught:
        check_start(UNREADABLE[name], audio_format, file_name="talk.x")
    said = str(caught.value)
    assert said.startswith(
        f"audio: expected audio that can be transcribed in real time, got {name}"
    )
    assert "(talk.x)" in said
    assert "convert it" in said or "pass an audio file" in said
    assert ("transcribe_and_wait" in said) is (name in ("m4a", "mp4"))


@pytest.mark.parametrize(("box", "name"), BOXES.items())
def test_files_of_boxes_are_refused(box: bytes, name: str) -> None:
    """An MP4 or QuickTime file is refused whichever box it begins with."""
    with pytest.raises(ConfigurationError, match=f"got {name}; convert it"):
        check_start(b"\0\0\0\x18" + box + bytes(20), "auto")


@pytest.mark.parametrize(("brand", "name"), BRANDS.items())
def test_files_of_every_brand_are_refused(brand: bytes, name: str) -> None:
    """An MP4 of any brand is refused, unknown ones included."""
    for each, expected in ((brand, name), (b"xyz1", "mp4")):
        with pytest.raises(ConfigurationError, match=f"got {expected}; convert it"):
            check_start(b"\0\0\0\x18ftyp" + each + bytes(20), "auto")


@pytest.mark.parametrize("name", READABLE)
def test_a_container_is_refused_where_samples_are_declared(name: str) -> None:
    """A container contradicts a headerless format, and is accepted with any other."""
    head = READABLE[name]
    assert container_of(head) == name
    check_start(head, "auto")
    check_start(head, name)
    for raw in ("pcm_s16le", "mulaw", "pcm_f32le"):
        with pytest.raises(ConfigurationError) as caught:
            check_start(head, raw, name="data")
        assert f"data: expected samples without a header, as audio_format={raw!r}" in str(
            caught.value
        )
        assert f"got {name}; leave audio_format out" in str(caught.value)


@pytest.mark.parametrize("name", READABLE)
def test_a_container_is_refused_where_another_is_declared(name: str) -> None:
    """A container contradicts the name of another one."""
    other = "webm" if name != "webm" else "wav"
    with pytest.raises(ConfigurationError) as caught:
        check_start(READABLE[name], other)
    assert f"expected what audio_format={other!r} says, got {name}; leave" in str(caught.value)
    for newer in ("opus", "mkv"):  # names that this library does not know
        check_start(READABLE[name], newer)


@pytest.mark.parametrize("head", [bytes(16), b"\1\0" * 8, b"RIFF\0\0\0\0\1\2\3\4...."])
def test_samples_declared_as_a_wav_are_refused(head: bytes) -> None:
    """Samples without a header are no WAV, and the message says how to declare them."""
    with pytest.raises(ConfigurationError) as caught:
        check_start(head, "wav", name="data", file_name="a.raw")
    assert str(caught.value) == (
        "data: expected a WAV, as audio_format='wav' says, got none (a.raw); headerless samples "
        "need their format, sample_rate and num_channels"
    )


@pytest.mark.parametrize("audio_format", ["mp3", "aac", "flac", "auto"])
def test_a_tag_precedes_several_formats(audio_format: str) -> None:
    """An ID3 tag is accepted before each of the formats that programs tag with it."""
    check_start(READABLE["mp3"], audio_format)


TEXTS = [
    b"<!DOCTYPE html>\n<html>",
    b'{"error": "not found"}',
    b"\xef\xbb\xbfa text with a mark",
    "\tZwölf Boxkämpfer".encode(),
    "Зв".encode() * 4 + b"\xd0",
    b"UklGRiQAAABXQVZFZm10",
]


@pytest.mark.parametrize("head", TEXTS)
def test_text_is_refused(head: bytes) -> None:
    """A text, such as the page of an error, is no audio; as samples it is accepted."""
    for audio_format in ("auto", "mp3"):
        with pytest.raises(ConfigurationError, match="got text; pass an audio file"):
            check_start(head, audio_format)
    for audio_format in ("pcm_u8", "mulaw", "pcm_s16le"):
        check_start(head, audio_format)


@pytest.mark.parametrize(
    "head",
    [
        bytes(16),
        b"\xff" * 16,
        b"RIFF\0\0\0\0\1\2\3\4....",
        b"riff...........\x80",
        b"plain text\0.....",
        b"fewer than 16",
        b"\0\0\0\x18fty\0........",
    ],
)
def test_anything_else_passes(head: bytes) -> None:
    """Samples and unrecognised data are accepted; the service decides."""
    for audio_format in ("auto", "pcm_s16le", "webm"):
        check_start(head, audio_format)
