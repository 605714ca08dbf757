"""Tests of parts of the command line: text, numbers, error messages, lines, live captions."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
from typing import Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.cli.console import Console, OutputFailed, UsageError
from soniox_sync.cli.interrupt import Terminated
from soniox_sync.cli.lines import LineMaker
from soniox_sync.cli.live import LiveView
from soniox_sync.cli.options import number
from soniox_sync.cli.reports import exit_code, report
from soniox_sync.cli.texts import decoded_text, reader_of
from soniox_sync.errors import ConfigurationError, SonioxConnectionError, error_from_frame
from soniox_sync.transcript import segments_to_text
from soniox_sync.transcript.text import text_width
from tests.cli.helpers import Screen, event, token

# --- text from stdin


def _reader(pieces: list[bytes]) -> Callable[[], bytes]:
    waiting = [*pieces, b""]
    return lambda: waiting.pop(0)


def test_text_is_passed_on_as_it_is_read() -> None:
    """Each piece is yielded before the next is read; a split character is joined."""
    read: list[bytes] = ["é\ntwo".encode()[:1], "é\ntwo".encode()[1:], b"\n", b"\xff", b""]
    texts = decoded_text(lambda: read.pop(0))
    assert next(texts) == "é\ntwo"
    assert read == [b"\n", b"\xff", b""]
    assert list(texts) == ["\n", "\ufffd"]


def test_byte_order_mark_is_not_spoken() -> None:
    """A byte order mark before UTF-8 text is left out."""
    assert list(decoded_text(_reader(["\ufeffHello".encode()]))) == ["Hello"]


@given(st.text(max_size=40), st.integers(1, 5))
def test_text_is_complete_at_any_chunking(text: str, size: int) -> None:
    """Text split at any byte is decoded to the same text."""
    data = ("x" + text).encode("utf-8", "replace")
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert "".join(decoded_text(_reader(pieces))) == data.decode()


@pytest.mark.parametrize("pieces", [[], [b" \n", b"\t"]])
def test_blank_text_is_refused_at_its_end(pieces: list[bytes]) -> None:
    """Text that is only white space ends with a usage error."""
    with pytest.raises(UsageError, match="no text"):
        list(decoded_text(_reader(pieces)))


def test_text_that_cannot_be_read_is_a_usage_error() -> None:
    """A stdin that fails is reported with the system's reason."""

    def read() -> bytes:
        raise OSError(21, "Is a directory")

    with pytest.raises(UsageError, match="cannot read stdin: Is a directory"):
        list(decoded_text(read))


def test_pipe_is_read_without_waiting_for_more() -> None:
    """A read returns what is available, however little."""
    read_end, write_end = os.pipe()
    with open(read_end, "rb") as reader:
        read = reader_of(reader)
        os.write(write_end, b"abc")
        assert read() == b"abc"
        os.close(write_end)
        assert read() == b""


# --- numbers


def test_numbers_within_bounds() -> None:
    """A number within its bounds is converted; anything else is refused with the bounds."""
    assert number(int, 1, 9)("3") == 3
    assert number(float, 0)("1e9") == 1e9
    for text in ("x", "0", "10", "1.5"):
        with pytest.raises(argparse.ArgumentTypeError) as raised:
            number(int, 1, 9)(text)
        assert str(raised.value) == f"expected a whole number from 1 to 9, got '{text}'"
    for text in ("nan", "inf", "-1"):
        with pytest.raises(argparse.ArgumentTypeError, match=r"a number of at least 0, got"):
            number(float, 0)(text)


# --- error messages


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("say  what"), 2, "soniox-sync: say what\n"),
        (ConfigurationError("no key"), 2, "soniox-sync: no key\n"),
        (
            PermissionError(13, "Permission denied", "a.wav"),
            2,
            "soniox-sync: cannot read a.wav: Permission",
        ),
        (OSError(28, "No space left on device"), 1, "soniox-sync: No space left on device\n"),
        (SonioxConnectionError("lost"), 1, "soniox-sync: lost\n"),
        (OutputFailed("full"), 1, "soniox-sync: full\n"),
        (RuntimeError("a\nb"), 1, "soniox-sync: internal error: RuntimeError: a b (please"),
        (Terminated(signal.SIGTERM), 143, "soniox-sync: ended by SIGTERM\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_reports(error: BaseException, code: int, line: str) -> None:
    """Every error has an exit code and one line."""
    err = io.StringIO()
    report(error, Console(stderr=err), interrupted=False, verbose=0, as_json=False)
    assert exit_code(error, interrupted=False) == code
    assert err.getvalue().startswith(line) and err.getvalue().count("\n") == (1 if line else 0)


def test_report_as_json() -> None:
    """With --json an error is a line of JSON with the service's details."""
    frame = {"error_code": 429, "error_type": "limit_exceeded", "error_message": "é", "tokens": []}
    err = io.StringIO()
    error = error_from_frame({**frame, "request_id": "r1"})
    report(error, Console(stderr=err), interrupted=False, verbose=0, as_json=True)
    fields = json.loads(err.getvalue())["error"]
    assert err.getvalue().count("\n") == 1
    assert (fields["type"], fields["status_code"]) == ("RealtimeRateLimitError", 429)
    assert fields["exit_code"] == 1
    assert (fields["error_type"], fields["request_id"]) == ("limit_exceeded", "r1")


def test_interrupted_command_ends_with_130() -> None:
    """An error after Ctrl-C is reported, but the exit code stays 130."""
    err = io.StringIO()
    error = SonioxConnectionError("lost")
    report(error, Console(stderr=err), interrupted=True, verbose=0, as_json=False)
    assert exit_code(error, interrupted=True) == 130
    assert "lost" in err.getvalue()


def test_wrapped_interrupt_is_not_an_error() -> None:
    """A KeyboardInterrupt that Python wrapped in another error is not reported as an error."""
    err = io.StringIO()
    error = RuntimeError("Error calling __set_name__")
    error.__cause__ = KeyboardInterrupt()
    report(error, Console(stderr=err), interrupted=True, verbose=0, as_json=False)
    assert (exit_code(error, interrupted=True), err.getvalue()) == (130, "")


# --- lines


def test_lines_end_with_sentences_turns_and_pauses() -> None:
    """A line ends at the end of a sentence, at a change of speaker and at an endpoint."""
    maker = LineMaker()
    assert maker.add(event(token("One."), token(" Two"))) != []
    assert segments_to_text(maker.add(event(kind="endpoint"))) == "Two\n"
    assert maker.add(event(token("Three", speaker="1"), token(" or", final=False))) == []
    done = maker.add(event(token("four", speaker="2")))
    assert segments_to_text(done) == "Speaker 1: Three\n"
    assert segments_to_text(maker.add(event(kind="finished"))) == "Speaker 2: four\n"


def test_lines_end_with_silence_and_width() -> None:
    """Speech without sentences is broken at silences and, in a full line, before the next word."""
    maker = LineMaker(max_columns=12)
    maker.add(event(token("one", start_ms=0, end_ms=300)))
    assert maker.add(event(token(" two", start_ms=400, end_ms=700))) == []
    done = maker.add(event(token(" three", start_ms=1700, end_ms=2000)))
    assert segments_to_text(done) == "one two\n"
    assert maker.add(event(token(" 3" * 3), token("3" * 9))) == []
    assert segments_to_text(maker.add(event(token(" end")))) == "three 3 3 3333333333\n"


def test_decimal_point_is_not_a_sentence_end() -> None:
    """A full stop inside a word does not end a line."""
    maker = LineMaker()
    assert maker.add(event(token("3."), token("5"), token(" km"))) == []


def test_translation_has_its_own_lines() -> None:
    """Chunks of a translation do not break the lines of the original."""
    maker = LineMaker()
    spoken: dict[str, Any] = {"language": "en", "translation_status": "original"}
    other: dict[str, Any] = {"language": "es", "translation_status": "translation"}
    assert maker.add(event(token("Good", **spoken), token("Buenos", **other))) == []
    assert maker.add(event(token(" morning", **spoken), token(" días", **other))) == []
    done = maker.add(event(kind="endpoint"))
    assert segments_to_text(done) == "[en] Good morning\n  -> [es] Buenos días\n"


def test_an_incomplete_transcription_keeps_partial_text() -> None:
    """Tokens that never became final end the last line of an incomplete transcription."""
    maker = LineMaker()
    maker.add(event(token("Hello"), token(" wor", final=False)))
    assert segments_to_text(maker.close(complete=False)) == "Hello wor\n"
    assert maker.close(complete=False) == []


# --- live view


def view(columns: int = 20, *, colour: bool = False) -> tuple[LiveView, Screen, list[str]]:
    """Return a view, its screen, and the list of all it writes."""
    screen, written = Screen(columns), []

    def write(text: str) -> None:
        written.append(text)
        screen.write(text)

    return LiveView(write, lambda: columns, colour=colour), screen, written


def test_view_replaces_partial_text_in_place() -> None:
    """Partial text is replaced completely, and final text stays."""
    live, screen, _ = view()
    live.add(event(token("Hell", final=False), token("o word", final=False)))
    assert screen.text == ["Hello word"]
    live.add(event(token("Hello"), token(" world and all of it", final=False)))
    assert screen.text == ["Hello world and all", "of it"]
    live.add(event(token(" you"), token(".")))
    live.add(event(token(" Next", final=False)))
    assert screen.text == ["Hello you. Next"]
    live.add(event(token(" Next")))
    assert screen.text == ["Hello you.", "Next"]
    live.close(complete=True)
    assert screen.text == ["Hello you.", "Next"]


def test_view_dims_only_partial_text() -> None:
    """Escape codes enclose exactly the text that may still change, and only with colour."""
    live, _, written = view(colour=True)
    live.add(event(token("Hello"), token(" wor", final=False)))
    assert written == ["Hello\x1b[2m wor\x1b[0m"]
    plain, _, written = view()
    plain.add(event(token("Hello"), token(" wor", final=False)))
    assert written == ["Hello wor"]


def test_view_does_not_redraw_the_same() -> None:
    """An event that changes nothing writes nothing."""
    live, _, written = view()
    live.add(event(token("Hi", final=False)))
    live.add(event(token("Hi", final=False)))
    assert written == ["Hi"]


def test_view_shows_speakers_and_translations() -> None:
    """Each speaker has a row; the translation is below the original."""
    live, screen, _ = view(30)
    live.add(
        event(
            token("Good morning", speaker="1", language="en", final=False),
            token("Buenos", language="es", translation_status="translation", final=False),
            token("Yes", speaker="2", language="en", final=False),
        )
    )
    assert screen.text == [
        "Speaker 1 [en]: Good morning",
        "Speaker 2 [en]: Yes",
        "  -> [es] Buenos",
    ]


def test_view_can_be_hidden_for_other_lines() -> None:
    """The rows can be hidden, and shown again below lines written in between."""
    live, screen, _ = view(14)
    live.add(event(token("Hello world", final=False), token(" and more", final=False)))
    live.hide()
    assert screen.text == []
    screen.write("a line\n")
    live.show()
    assert screen.text == ["a line", "Hello world", "and more"]
    live.hide()
    live.hide()
    assert screen.text == ["a line"]


def test_view_counts_rows_after_the_terminal_was_resized() -> None:
    """Rows that the terminal wrapped again when it was resized are erased completely."""
    width, written = [20], []
    live = LiveView(written.append, lambda: width[0], colour=True)
    live.add(event(token("Hello", final=True), token(" world of all", final=False)))
    width[0] = 9  # of ten columns: the row takes two
    live.add(event(token(" world", final=True)))
    assert written[-1].startswith("\r\x1b[1A\x1b[J")


def test_view_draws_no_more_rows_than_the_terminal_has() -> None:
    """Only the last rows are drawn, since rows that scroll away cannot be redrawn."""
    written: list[str] = []
    live = LiveView(written.append, lambda: 5, lambda: 3, colour=False)
    live.add(event(token("one", final=False), *[token(f" w{n:03}", final=False) for n in range(9)]))
    assert written == ["w007\nw008"]


def test_view_replaces_control_characters() -> None:
    """Control characters in the service's text never reach the terminal."""
    live, screen, _ = view()
    live.add(event(token("a\x1b[31mb\x07", speaker="x\r\n"), token("\x9b2J", final=False)))
    live.close(complete=False)
    assert "\ufffd" in "".join(screen.text)


words = st.lists(
    st.builds(
        token,
        st.sampled_from(
            ["Hello", " world", ".", " 日本語", "e\u0301", " \U0001f469\u200d\U0001f467", "x" * 30]
        ),
        final=st.booleans(),
        speaker=st.sampled_from([None, "1"]),
    ),
    max_size=5,
)


@given(st.lists(words, max_size=8), st.integers(2, 40), st.booleans())
def test_view_ends_with_every_line_once(
    events: list[list[object]], columns: int, colour: bool
) -> None:
    """At the end the screen shows every final word once, in rows that fit."""
    live, screen, _ = view(columns, colour=colour)
    for tokens in events:
        finals = [t for t in tokens if t.is_final]  # type: ignore[attr-defined]
        live.add(event(*finals, *[t for t in tokens if not t.is_final]))  # type: ignore
    live.close(complete=True)
    final_text = "".join(t.text for tokens in events for t in tokens if t.is_final)  # type: ignore
    shown = "".join(screen.text).replace("Speaker 1:", "").replace("Speaker1:", "")
    if columns > 12:
        assert "".join(shown.split()) == "".join(final_text.split())
    assert all(text_width(row) <= columns for row in screen.text)
