"""Input that cannot be transcribed is refused, with advice, before connecting."""

from __future__ import annotations

import array
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync.audio import RawAudio, wav_header
from soniox_sync.audio.formats import chunk_bytes
from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.sources import FileSource, IterableSource, PipeSource, as_source
from tests.sources.helpers import Collector, deliver

RAW: dict[str, Any] = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
HEADER = wav_header(sample_rate=44_100, data_bytes=0)
ADPCM = bytearray(wav_header(sample_rate=16_000, data_bytes=8) + bytes(8))
ADPCM[20:22] = b"\x02\x00"
M4A = b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(100)
WAV = {"audio_format": "wav"}
# the file is longer than its header: only what follows the length of 0 could be samples
STALE_HEADER = b"RIFF\xe8\3\0\0" + HEADER[8:]
PAGE = b"<!DOCTYPE html>\n<html><body>Not found</body></html>"


def refusal(act: Callable[[], Any]) -> str:
    """Return the message with which a call is refused."""
    with pytest.raises(ConfigurationError) as caught:
        act()
    return str(caught.value)


def start(obj: Any, **options: Any) -> None:
    """Start a source for `obj`, which checks it."""
    source = as_source(obj, **options)
    source.start(Collector().handlers)
    source.stop()


def at_end(data: bytes) -> io.BytesIO:
    file = io.BytesIO(data)
    file.seek(0, os.SEEK_END)
    return file


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (b"", "got no audio: the input is empty"),
        (bytearray(), "got no audio: the input is empty"),
        (io.BytesIO(), "got no audio: the input is empty"),
        (at_end(b"data"), "got no audio: the input is at its end; go back before, with seek(0)"),
        (HEADER, "got no audio: the input is a WAV without samples"),
        (io.BytesIO(HEADER), "got no audio: the input is a WAV without samples"),
        (STALE_HEADER, "got no audio: the input is a WAV without samples"),
        (HEADER + b"\1", "got no audio: the input is a WAV without samples"),
        (memoryview(b""), "got no audio: the input is empty"),
        (array.array("h"), "got no audio: the input is empty"),
        (at_end(HEADER), "got no audio: the input is at its end; go back before, with seek(0)"),
    ],
    ids=range(11),
)
def test_empty_input_is_refused(obj: Any, message: str) -> None:
    """Empty inputs are refused when they are opened, with an error that mentions it."""
    assert f"audio: expected audio to transcribe, {message}" == refusal(lambda: start(obj))


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    """An empty file is refused by name, also if its format was declared."""
    path = tmp_path / "nothing.wav"
    path.touch()
    for options in ({}, RAW):
        assert "got no audio: nothing.wav is empty" in refusal(lambda: start(path, **options))  # noqa: B023
    path.write_bytes(HEADER)
    assert "got no audio: nothing.wav is a WAV without samples" in refusal(lambda: start(path))


def piped(data: bytes) -> io.RawIOBase:
    """Return a stream that cannot seek."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    return Pipe(data)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (b"", {}),
        (b"", RAW),
        (b"", WAV),
        (HEADER, WAV),
        (STALE_HEADER, WAV),
        (HEADER[:40] + b"\4\0\0\0", WAV),
    ],
    ids=range(6),
)
@pytest.mark.parametrize(
    "form",
    [
        piped,
        lambda data: [data],
        lambda data: iter([b"", data, b"", bytearray(), memoryview(b"")]),
        lambda data: (data[at : at + 1] for at in range(len(data))),
    ],
    ids=["pipe", "list", "iterator", "generator"],
)
def test_streams_of_nothing_end_with_an_error(
    form: Callable[[bytes], Any], data: bytes, options: dict[str, Any]
) -> None:
    """A stream without a sample, empty chunks included, is an error, not a normal end."""
    got = deliver(as_source(form(data), **options))
    assert got.names == ["error"]
    assert isinstance(got.error, ConfigurationError)
    assert "audio: expected audio to transcribe, got no audio at all" in str(got.error)


@pytest.mark.parametrize("count", range(1, 8))
def test_the_few_samples_of_a_stream_are_delivered(count: int) -> None:
    """Samples that follow a length of 0 are delivered even if there are fewer than eight bytes."""
    for form in (piped, lambda data: [data]):
        got = deliver(as_source(form(STALE_HEADER + b"samples"[:count]), **WAV))
        assert (got.names, got.data) == (["data", "end"], b"samples"[:count])


@pytest.mark.parametrize("form", [piped, lambda data: [data]], ids=["pipe", "list"])
def test_a_stream_that_is_no_wav_is_named(form: Callable[[bytes], Any]) -> None:
    """A stream declared as WAV that is something else is refused by what it is."""
    got = deliver(as_source(form(M4A), **WAV))
    assert "not a WAV: it does not start with RIFF....WAVE, but like m4a" in str(got.error)
    got = deliver(as_source(form(bytes(ADPCM)), **WAV))
    assert "WAV format 0x0002 (Microsoft ADPCM)" in str(got.error)


@pytest.mark.parametrize("name", ["notes.txt", "talk.mp3", "talk.wav"])
def test_text_files_are_refused(tmp_path: Path, name: str) -> None:
    """A text, such as a web page saved as audio, is refused with the file's name."""
    path = tmp_path / name
    path.write_bytes(PAGE)
    assert f"got text ({name}); pass an audio file" in refusal(lambda: start(path))
    assert "got text; pass an audio file" in refusal(lambda: start(PAGE))


def test_files_that_return_text_are_refused() -> None:
    """An object whose `read()` returns `str` is refused, whatever its class."""

    class Text(io.BytesIO):
        def read(self, size: Any = -1) -> Any:
            return "text"

        read1 = read

    with pytest.raises(InputTypeError, match=r"a file whose .* returns bytes, got str; open it"):
        start(Text(b"text"))
    for options in ({}, RAW, WAV):
        got = deliver(PipeSource(Text(b"text"), **options))
        assert isinstance(got.error, InputTypeError)
        assert "the stream: expected bytes" in str(got.error)


@pytest.mark.parametrize(
    "options",
    [
        {"chunk_ms": 2**40},
        {**RAW, "sample_rate": 2**40},
        {**RAW, "num_channels": 2**20},
        {"pace": float("inf")},
        {"pace": float("nan")},
    ],
    ids=lambda options: next(reversed(options)),
)
def test_absurd_numbers_are_refused_at_once(options: dict[str, Any]) -> None:
    """A number for which no memory would suffice is refused in the call."""
    with pytest.raises(ConfigurationError, match=r"^(chunk_ms|sample_rate|num_channels|pace): "):
        FileSource("a.wav", **options)


def test_less_than_a_frame_is_refused_as_empty() -> None:
    """A raw file shorter than one frame ends with the same error."""
    got = deliver(FileSource(io.BytesIO(b"x"), pace=False, **RAW))
    assert got.names == ["error"]
    assert "no audio" in str(got.error)


def test_a_pipe_that_ends_at_once_is_an_error(tmp_path: Path) -> None:
    """A pipe without a byte is an error; a source that is stopped first is not."""
    for write in (b"", b"abc"):
        reader, writer = os.pipe()
        os.write(writer, write)
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            assert deliver(PipeSource(file)).names == (["data", "end"] if write else ["error"])
    got = Collector()
    source = IterableSource(iter(()))
    source.start(got.handlers)
    source.stop()
    assert got.names in ([], ["error"])


@pytest.mark.parametrize("as_path", [True, False])
def test_unreadable_containers_are_refused(tmp_path: Path, as_path: bool) -> None:
    """An m4a is refused when the file is opened, with the file's name."""
    path = tmp_path / "talk.m4a"
    path.write_bytes(M4A)
    message = refusal(lambda: start(path if as_path else M4A))
    assert "got m4a" in message
    assert ("(talk.m4a)" in message) is as_path
    assert "transcribe_and_wait" in message


@pytest.mark.parametrize("data", [HEADER + bytes(64), M4A], ids=["wav", "m4a"])
def test_a_file_that_contradicts_its_format_is_refused(data: bytes) -> None:
    """A container declared as samples is refused, since it would be sent as noise."""
    assert "audio: expected" in refusal(lambda: start(data, **RAW))


def test_compressed_wav_is_refused() -> None:
    """A WAV with compressed samples is refused as everywhere else."""
    message = refusal(lambda: start(bytes(ADPCM)))
    assert "WAV format 0x0002" in message
    assert "convert it to 16-bit PCM" in message


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ("https://example.com/a.mp3", "got a URL; download it, or let the service do so"),
        ("http://x/y", "client.stt.transcribe_and_wait(audio_url=...)"),
        ("s3://bucket/key.wav", "got a URL"),
        ("file:///home/a.wav", "got a URL; pass the path alone"),
        ("HTTPS://EXAMPLE.COM/A.MP3", "got a URL; download it"),
        ("  https://example.com/a.mp3", "got a URL; download it"),
        (Path("https://example.com/a.mp3"), "got a URL; download it"),
        ("gs://bucket/key.wav", "got a URL"),
        ("data:audio/wav;base64,UklGRg==", "got a URL; decode it: base64.b64decode("),
        ("", "path: expected a path, got ''"),
        ("a\0.wav", "path: expected a path, got one with a null character"),
        ("a\ud800.wav", "path: expected whole characters, got half of a surrogate pair"),
        (b"/home/me/a.wav", "got a path or URL as bytes; pass a path as str"),
        (b"C:\\Users\\a.wav", "pass a path as str"),
        (b"meeting.wav", "pass a path as str"),
        (memoryview(b"meeting.flac"), "pass a path as str"),
        (bytearray(b"https://example.com/a.mp3"), "pass a path as str"),
    ],
)
def test_paths_in_other_forms_are_refused(obj: Any, message: str) -> None:
    """A URL, and a path as bytes, are refused with advice."""
    assert message in refusal(lambda: as_source(obj))


@pytest.mark.parametrize("path", ["C:/a.wav", "C:\\a.wav", "a:b.wav", "data:1.wav", "x y://z"])
def test_a_path_may_contain_a_colon(path: str) -> None:
    """A drive letter, or a colon elsewhere, makes no URL of a path."""
    as_source(path)


@pytest.mark.parametrize("data", [b"a/b" * 2000, b"\0/\0/" * 8, b"\xff/\xfe", b"ID3/" + bytes(20)])
def test_bytes_with_a_slash_are_audio(data: bytes) -> None:
    """Audio may contain the byte of a slash."""
    as_source(data)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A directory is refused with a hint, as path or str."""
    for path in (tmp_path, str(tmp_path)):
        assert "got a directory; pass its files one by one" in refusal(lambda: start(path))  # noqa: B023


def test_missing_files_are_python_s_own_error() -> None:
    """A file that does not exist raises `FileNotFoundError`."""
    with pytest.raises(FileNotFoundError):
        start("no-such-file.wav")


def test_asynchronous_input_is_refused() -> None:
    """An asynchronous file or iterator is refused with what to pass instead."""

    class Upload:
        async def read(self, size: int = -1) -> bytes:
            return b""

    async def chunks() -> AsyncIterator[bytes]:
        yield b""

    with pytest.raises(InputTypeError, match=r"its read\(\) needs an event loop: pass its \.file"):
        as_source(Upload())
    with pytest.raises(InputTypeError, match="no event loop here: pass a plain generator"):
        as_source(chunks())


def test_arrays_must_hold_the_declared_samples() -> None:
    """An array, whole or in chunks, is accepted if it matches the format, otherwise refused."""
    floats, words = array.array("f", [0.5]), array.array("h", [5])
    with pytest.raises(InputTypeError, match="got a buffer of float32"):
        as_source(floats, **RAW)
    with pytest.raises(InputTypeError, match="say what it holds: audio_format='pcm_s16"):
        as_source(words, audio_format="auto")
    assert deliver(as_source(words, **RAW)).data == words.tobytes()
    assert deliver(as_source(iter([words]), **RAW)).data == words.tobytes()
    got = deliver(as_source(iter([words, floats]), **RAW))
    assert got.names == ["data", "error"]
    assert isinstance(got.error, InputTypeError)
    assert "item of chunks: expected samples of pcm_s16le, got a buffer of float32" in str(
        got.error
    )


def test_the_size_of_a_chunk_is_bounded(tmp_path: Path) -> None:
    """The highest numbers that are accepted together need no more memory than 16 MiB a chunk."""
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(8 * 1024))
    extreme = {"audio_format": "pcm_f64le", "sample_rate": 10_000_000, "num_channels": 1024}
    assert chunk_bytes(RawAudio("pcm_f64le", 10_000_000, 1024), 60_000) == 16 * 1024 * 1024
    got = deliver(FileSource(path, pace=False, chunk_ms=60_000, **extreme))  # type: ignore[arg-type]
    assert (got.names, len(got.data)) == (["data", "end"], 8 * 1024)
