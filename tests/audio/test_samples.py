"""`buffer_bytes` accepts matching arrays of samples, and refuses others with a conversion."""

from __future__ import annotations

import array
import ctypes
from typing import Any, Optional

import pytest

from soniox_sync.audio.samples import buffer_bytes
from soniox_sync.errors import InputTypeError

np = pytest.importorskip("numpy", reason="needs the extra sandbox: numpy is not installed")

WAVE = np.sin(np.arange(100) / 9)


@pytest.mark.parametrize(
    ("audio_format", "dtype"),
    [
        ("pcm_s16le", "<i2"),
        ("pcm_s16be", ">i2"),
        ("pcm_s32le", "<i4"),
        ("pcm_u16le", "<u2"),
        ("pcm_f32le", "<f4"),
        ("pcm_f64be", ">f8"),
        ("pcm_s8", "i1"),
        ("mulaw", "i1"),
        *[(each, "u1") for each in ("pcm_s16le", "pcm_s24le", "pcm_u8", "mulaw", "auto", "mp3")],
        ("auto", "i1"),
    ],
)
def test_matching_arrays_are_accepted(audio_format: str, dtype: str) -> None:
    """An array of the format's own samples, or of bytes, is accepted."""
    samples = (WAVE * 100).astype(dtype)
    assert buffer_bytes("data", samples, audio_format, 1) == samples.tobytes()


@pytest.mark.parametrize(
    ("audio_format", "dtype", "message", "conversion"),
    [
        ("pcm_s16le", "<f4", "float32", '(x.clip(-1, 1) * 32767).astype("<i2")'),
        ("pcm_s16le", "<f8", "float64", '(x.clip(-1, 1) * 32767).astype("<i2")'),
        ("pcm_s16be", "<f4", "float32", '(x.clip(-1, 1) * 32767).astype(">i2")'),
        ("pcm_s32le", "<f4", "float32", '(x.clip(-1, 1) * 2147483647).astype("<i4")'),
        ("pcm_f32le", "<f8", "float64", 'x.astype("<f4")'),
        ("pcm_f32le", "<i2", "int16", '(x / 32768).astype("<f4")'),
        ("pcm_s16le", ">i2", "big-endian int16", 'x.astype("<i2")'),
        ("pcm_s16le", "<f2", "float16", '(x.clip(-1, 1) * 32767).astype("<i2")'),
        ("pcm_s16le", "<i8", "int64", 'x.astype("<i2")'),
        ("pcm_s16le", "<i4", "int32", '(x >> 16).astype("<i2")'),
        ("pcm_s8", "<i2", "int16", '(x >> 8).astype("i1")'),
    ],
)
def test_others_are_refused_with_a_conversion_that_works(
    audio_format: str, dtype: str, message: str, conversion: str
) -> None:
    """The message names both formats and contains an expression whose result is accepted."""
    x = WAVE.astype(dtype) if "f" in dtype else (WAVE * 100).astype(dtype)
    with pytest.raises(InputTypeError) as caught:
        buffer_bytes("data", x, audio_format)
    expected = f"data: expected samples of {audio_format}, got a buffer of {message}"
    assert expected in str(caught.value)
    assert f"convert it: {conversion}" in str(caught.value)
    assert buffer_bytes("data", eval(conversion, {"x": x}), audio_format)


@pytest.mark.parametrize(
    ("audio_format", "data", "message"),
    [
        ("pcm_s16le", np.zeros(4, "f4"), "or audio_format='pcm_f32le'"),
        ("mulaw", np.zeros(4, "<i2"), "got a buffer of int16; audio_format='pcm_s16le'"),
        ("pcm_s24le", np.zeros(4, "<i4"), "got a buffer of int32; audio_format='pcm_s32le'"),
        ("auto", np.zeros(4, "<i2"), "say what it holds: audio_format='pcm_s16le', sample_rate=.."),
        ("mp3", array.array("f", [0.0]), "encoded audio in bytes, as audio_format='mp3' says"),
        ("auto", np.zeros(4, "f2"), "got a buffer of float16; convert it, for instance (x.clip"),
        ("pcm_s16le", np.zeros(4, "c16"), "elements of 16 bytes"),
        ("pcm_s16le", np.zeros(4, "?"), "elements of 1 bytes"),
        ("pcm_s16le", np.zeros(4, "O"), "elements of 8 bytes ('O')"),
        ("pcm_s16le", np.zeros(4, "S2"), "elements of 2 bytes"),
        ("pcm_s16le", np.zeros(4, [("left", "<i2")]), "elements of 2 bytes"),
        ("pcm_s16le", np.zeros(4, "M8[s]"), "got ndarray; it has none (cannot include dtype 'M'"),
        ("pcm_s16le", memoryview(bytes(8)).cast("f"), "float32"),
        ("pcm_s16le", memoryview(bytes(8)).cast("b"), "int8"),
        ("pcm_u8", array.array("b", [1]), "got a buffer of int8; audio_format='pcm_s8'"),
        ("pcm_s16le", (ctypes.c_float * 4)(), "float32"),
        ("pcm_s16le", memoryview(array.array("f", [0.0])), "float32"),
        ("pcm_s16le", np.zeros(4, "i1"), "int8"),
    ],
)
def test_every_mismatch_is_named(audio_format: str, data: Any, message: str) -> None:
    """A buffer of another type than the format's is refused, and the matching format named."""
    with pytest.raises(InputTypeError) as caught:
        buffer_bytes("data", data, audio_format)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        (ctypes.c_ubyte * 4)(1, 2, 3, 4),
        (ctypes.c_char * 4)(1, 2, 3, 4),
        (ctypes.c_int16 * 2)(0x0201, 0x0403),
        memoryview(bytes((1, 2, 3, 4))).cast("h"),
        memoryview(bytes((0, 4, 3, 0, 2, 1)))[4:3:-1],
        np.frombuffer(bytes((3, 4, 0, 0, 1, 2)), "<i2")[::-2],
        np.int16(0x0201),
        array.array("h", [0x0201]),
    ],
    ids=lambda data: type(data).__name__,
)
def test_buffers_of_every_kind_are_accepted(data: Any) -> None:
    """Bytes and samples of ctypes, memoryviews, slices with steps and scalars are accepted."""
    taken = buffer_bytes("data", data, "pcm_s16le", 1)
    assert taken == memoryview(data).tobytes()
    assert taken[0] in (1, 2)


def test_a_released_memoryview_is_refused() -> None:
    """A memoryview that was released has no bytes: it is refused by its type."""
    view = memoryview(b"abcd")
    view.release()
    with pytest.raises(InputTypeError, match=r"data: expected bytes.*, got memoryview; it has"):
        buffer_bytes("data", view, "pcm_s16le")


def test_advice_for_what_is_often_taken_for_a_buffer() -> None:
    """For a tensor and for a number the message says what to pass instead."""

    class Tensor:
        def __array__(self) -> Any:
            return np.zeros(2)

    with pytest.raises(InputTypeError, match=r"got Tensor; pass numpy.asarray\(x\)"):
        buffer_bytes("data", Tensor(), "pcm_s16le")
    with pytest.raises(InputTypeError, match=r'got float; pass samples as .* array.array\("h"'):
        buffer_bytes("data", 0.5, "pcm_s16le")


@pytest.mark.parametrize("data", ["text", 5, None, [1, 2], object()])
def test_objects_without_a_buffer_are_refused(data: object) -> None:
    """An object that is not bytes-like is refused by its type."""
    with pytest.raises(InputTypeError, match="data: expected bytes or anything with a buffer, got"):
        buffer_bytes("data", data, "pcm_s16le")


@pytest.mark.parametrize(
    ("shape", "channels", "message"),
    [
        ((100, 2), 2, None),
        ((100, 1), 1, None),
        ((1, 100), 1, None),
        ((100, 2), None, None),
        ((2, 100), 2, "got an array of 2 x 100; pass x.T"),
        ((100, 2), 1, "pass num_channels=2, or mix"),
        ((2, 100), 1, "pass num_channels=2, or mix"),
        ((0, 2), 2, None),
        ((2, 0), 2, None),
        ((5, 2, 2), 2, "got an array of 3 dimensions; reshape it"),
    ],
)
def test_the_shape_must_match_the_channels(
    shape: tuple[int, int], channels: Optional[int], message: Optional[str]
) -> None:
    """An array of two dimensions has a row for each frame and a column for each channel."""
    data = np.zeros(shape, "<i2")
    if message is None:
        assert buffer_bytes("data", data, "pcm_s16le", channels) == bytes(data.nbytes)
        return
    with pytest.raises(InputTypeError) as caught:
        buffer_bytes("data", data, "pcm_s16le", channels)
    assert message in str(caught.value)


@pytest.mark.parametrize(("audio_format", "dtype"), [("pcm_u8", "u1"), ("mulaw", "i1")])
def test_the_shape_of_samples_of_one_byte_is_checked(audio_format: str, dtype: str) -> None:
    """Rows of single bytes are frames if the samples have one byte, and nothing otherwise."""
    data = np.zeros((4, 2), dtype)
    assert len(buffer_bytes("data", data, audio_format, 2)) == 8
    assert len(buffer_bytes("data", np.zeros((4, 2), "u1"), "pcm_s16le", 1)) == 8
    with pytest.raises(InputTypeError, match="got an array of 4 x 2"):
        buffer_bytes("data", data, audio_format, 1)


def test_a_transposed_array_is_read_in_logical_order() -> None:
    """`x.T` is read as interleaved, although its memory layout differs."""
    planar = np.array([[1, 2, 3], [7, 8, 9]], "<i2")
    assert (
        buffer_bytes("data", planar.T, "pcm_s16le", 2)
        == np.array([1, 7, 2, 8, 3, 9], "<i2").tobytes()
    )


def test_without_a_format_everything_is_accepted() -> None:
    """If the format is declared elsewhere, elements cannot be checked yet."""
    assert buffer_bytes("data", np.zeros(4, "f4"), None) == bytes(16)
