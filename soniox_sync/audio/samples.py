"""Typed buffers (numpy arrays, `array.array`, memoryviews), whose elements must be samples."""

from __future__ import annotations

import sys
from typing import Optional

from .._support.checks import wrong_type
from ..errors import InputTypeError
from .formats import RAW_FORMATS, RawFormat, raw_format

# struct's code -> kind of sample
_KINDS = {
    **dict.fromkeys("bhilqn", "int"),
    **dict.fromkeys("HILQN", "uint"),
    **dict.fromkeys("efdg", "float"),
}
_LETTERS = {"int": "s", "uint": "u", "float": "f"}
_DTYPES = {"int": "i", "uint": "u", "float": "f"}


class SampleBytes(bytes):
    """Bytes of an array whose format is declared elsewhere: the array is checked there.

    A source without a format delivers them, and a recording knows the format.
    """

    array: memoryview


def buffer_bytes(
    name: str, data: object, audio_format: Optional[str], num_channels: Optional[int] = None
) -> bytes:
    """Return the bytes of a buffer whose elements are bytes, or samples of `audio_format`.

    `name` is the argument's name in errors. A buffer of samples with two dimensions must have a row
    for each frame. Without an `audio_format` elements of every type are accepted, and returned as
    `SampleBytes`, for a later check.

    Raises
        InputTypeError: not a buffer, or one whose elements or shape contradict the format; the
            message contains the conversion.
    """
    if isinstance(data, SampleBytes) and audio_format is not None:
        data = data.array
    if isinstance(data, bytes):
        return data
    try:
        view = memoryview(data)  # type: ignore[arg-type]
    except TypeError:
        advice = _array_advice(data)
        raise wrong_type(name, "bytes or anything with a buffer", data, advice) from None
    except ValueError as error:  # a released memoryview, an array of dates
        expected = "bytes or anything with a buffer"
        raise wrong_type(name, expected, data, f"it has none ({error})") from None
    if audio_format is not None:
        if not _holds_bytes(view):
            _check_elements(name, view, audio_format)
        if num_channels is not None:
            _check_shape(name, view, audio_format, num_channels)
    elif view.itemsize > 1 and view.nbytes:
        samples = SampleBytes(view.tobytes())
        samples.array = view
        return samples
    return view.tobytes()


def _array_advice(data: object) -> str:
    """Return how to get a buffer from objects that are often mistaken for one."""
    if hasattr(data, "__array__"):  # tensors and series of other libraries
        return "pass numpy.asarray(x)"
    if isinstance(data, (int, float)):  # an item of a list of samples
        return 'pass samples as an array, such as array.array("h", samples)'
    return ""


def _holds_bytes(view: memoryview) -> bool:
    # ctypes writes a byte order even for single bytes
    return (view.format or "B").lstrip("@=<>!") in ("B", "c")


def _check_elements(name: str, view: memoryview, audio_format: str) -> None:
    code = view.format or "B"
    kind, size = _KINDS.get(code.lstrip("@=<>!")), view.itemsize
    wanted = raw_format(audio_format)
    if kind == "int" and size == 1 and (wanted is None or wanted.encoding in ("mulaw", "alaw")):
        return  # bytes whose type happens to be signed
    little = sys.byteorder == "little" if code[0] not in "<>!" else code[0] == "<"
    found = raw_format(_format_name(kind, size, little)) if kind else None
    if found is not None and found == wanted:
        return
    bits = f"{kind}{size * 8}" if kind else f"elements of {size} bytes ({code!r})"
    if little != (sys.byteorder == "little"):
        bits = f"{'little' if little else 'big'}-endian {bits}"
    advice = _advice(found, kind, size, wanted)
    if wanted is None:
        expected = f"encoded audio in bytes, as audio_format={audio_format!r} says"
    else:
        expected = f"samples of {wanted.name}"
    raise InputTypeError(f"{name}: expected {expected}, got a buffer of {bits}" + advice)


def _format_name(kind: str, size: int, little: bool) -> str:
    end = "" if size == 1 else "le" if little else "be"
    return f"pcm_{_LETTERS[kind]}{size * 8}{end}"


def _advice(
    found: Optional[RawFormat], kind: Optional[str], size: int, wanted: Optional[RawFormat]
) -> str:
    """Return how to convert the array `x`, and the format to declare instead."""
    declare = f"audio_format={found.name!r}" if found is not None else ""
    if wanted is None and found is not None:
        return f"; say what it holds: {declare}, sample_rate=..., num_channels=..."
    conversion = _conversion(kind, size, wanted or RAW_FORMATS["pcm_s16le"])
    if wanted is None and conversion:
        return f"; convert it, for instance {conversion} for pcm_s16le"
    ways = [f"convert it: {conversion}" if conversion else "", declare]
    advice = " or ".join(way for way in ways if way)
    return f"; {advice}" if advice else ""


def _conversion(kind: Optional[str], size: int, wanted: RawFormat) -> str:
    """Return numpy's expression that converts an array `x` to samples of `wanted`; `""`: none."""
    target = wanted.sample_bytes
    if wanted.encoding not in _DTYPES or target not in (1, 2, 4, 8):
        return ""  # 24 bits, mulaw, alaw: numpy has no such elements
    end = "" if target == 1 else "<" if wanted.little_endian else ">"
    dtype = f'astype("{end}{_DTYPES[wanted.encoding]}{target}")'
    # integers of 64 bits are rarely samples of 64 bits, but numpy's default for small numbers
    if kind == wanted.encoding and (size in (target, 8) or kind == "float"):
        return f"x.{dtype}"
    if kind == "float" and wanted.encoding == "int":
        return f"(x.clip(-1, 1) * {2 ** (8 * target - 1) - 1}).{dtype}"
    if kind == "int" and wanted.encoding == "float":
        return f"(x / {2 ** (8 * size - 1)}).{dtype}"
    if kind == "int" and wanted.encoding == "int" and size > target:
        return f"(x >> {8 * (size - target)}).{dtype}"
    return ""


def _check_shape(name: str, view: memoryview, audio_format: str, num_channels: int) -> None:
    wanted = raw_format(audio_format)
    if view.ndim < 2 or wanted is None or wanted.sample_bytes != view.itemsize:
        return  # one dimension is interleaved; bytes of larger samples have no rows
    expected = (
        f"{name}: expected a row for each frame, with {num_channels} channel(s), got an array"
    )
    if view.ndim > 2:
        raise InputTypeError(f"{expected} of {view.ndim} dimensions; reshape it")
    assert view.shape is not None
    rows, columns = view.shape
    if columns == num_channels or (rows == 1 and num_channels == 1) or not view.nbytes:
        return
    if rows == num_channels:
        advice = "pass x.T"
    else:
        advice = f"pass num_channels={min(rows, columns)}, or mix: x.mean(axis=...)"
    raise InputTypeError(f"{expected} of {rows} x {columns}; {advice}")
