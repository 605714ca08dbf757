"""Tests of the parts of the command line: text, numbers, reports, lines, live view."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
from typing import Any, Callable

import pytest
from cli_helpers import Screen, event, token
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

# --- text from stdin


def _reader(pieces: list[bytes]) -> Callable[[], bytes]:
    waiting = [*pieces, b""]
    return lambda: waiting.pop(0)


def test_text_comes_as_it_is_read() -> None:
    """Each piece is given before the next is read; a character cut in two is joined."""
    read: list[bytes] = ["é\ntwo".encode()[:1], "é\ntwo".encode()[1:], b"\n", b"\xff", b""]
    texts = decoded_text(lambda: read.pop(0))
    assert next(texts) == "é\ntwo"
    assert read == [b"\n", b"\xff", b""]
    assert list(texts) == ["\n", "\ufffd"]


def test_byte_order_mark_is_not_spoken() -> None:
    """A mark that editors put before UTF-8 is left out."""
    assert list(decoded_text(_reader(["\ufeffHello".encode()]))) == ["Hello"]


@given(st.text(max_size=40), st.integers(1, 5))
def test_text_is_whole_at_any_chunking(text: str, size: int) -> None:
    """Text cut anywhere comes out as it went in."""
    data = ("x" + text).encode("utf-8", "replace")
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert "".join(decoded_text(_reader(pieces))) == data.decode()


@pytest.mark.parametrize("pieces", [[], [b" \n", b"\t"]])
def test_blank_text_is_refused_at_its_end(pieces: list[bytes]) -> None:
    """Text of white space alone ends with a usage error."""
    with pytest.raises(UsageError, match="no text"):
        list(decoded_text(_reader(pieces)))


def test_text_that_cannot_be_read_is_a_usage_error() -> None:
    """A stdin that fails is named with the system's reason."""

    def read() -> bytes:
        raise OSError(21, "Is a directory")

    with pytest.raises(UsageError, match="cannot read stdin: Is a directory"):
        list(decoded_text(read))


def test_pipe_is_read_without_waiting_for_more() -> None:
    """A pipe gives what it has, however little."""
    read_end, write_end = os.pipe()
    with open(read_end, "rb") as reader:
        read = reader_of(reader)
        os.write(write_end, b"abc")
        assert read() == b"abc"
        os.close(write_end)
        assert read() == b""


# --- numbers


def test_numbers_are_read_within_their_bounds() -> None:
    """A number is given as its kind; others are refused with the bounds."""
    assert number(int, 1, 9)("3") == 3
    assert number(float, 0)("1e9") == 1e9
    for text, reason in (("x", "is not a number"), ("0", "at least 1 and at most 9")):
        with pytest.raises(argparse.ArgumentTypeError, match=reason):
            number(int, 1, 9)(text)
    with pytest.raises(argparse.ArgumentTypeError, match=r"at least 0$"):
        number(float, 0)("nan")


# --- what is reported


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("say  what"), 2, "soniox-sync: say what\n"),
        (ConfigurationError("no key"), 2, "soniox-sync: no key\n"),
        (PermissionError(13, "Permission denied", "a.wav"), 2, "soniox-sync: a.wav: Permission"),
        (OSError(28, "No space left on device"), 1, "soniox-sync: No space left on device\n"),
        (SonioxConnectionError("lost"), 1, "soniox-sync: lost\n"),
        (OutputFailed("full"), 1, "soniox-sync: full\n"),
        (RuntimeError("a\nb"), 1, "soniox-sync: internal error: RuntimeError: a b (run again"),
        (Terminated(signal.SIGTERM), 143, "soniox-sync: ended by SIGTERM\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_reports(error: BaseException, code: int, line: str) -> None:
    """Every error has its code and one line."""
    err = io.StringIO()
    report(error, Console(stderr=err), interrupted=False, verbose=0, as_json=False)
    assert exit_code(error, interrupted=False) == code
    assert err.getvalue().startswith(line) and err.getvalue().count("\n") == (1 if line else 0)


def test_report_as_json() -> None:
    """With --json an error is a line of JSON with what the service said."""
    frame = {"error_code": 429, "error_type": "limit_exceeded", "error_message": "é", "tokens": []}
    err = io.StringIO()
    error = error_from_frame({**frame, "request_id": "r1"})
    report(error, Console(stderr=err), interrupted=False, verbose=0, as_json=True)
    facts = json.loads(err.getvalue())["error"]
    assert err.getvalue().count("\n") == 1
    assert (facts["type"], facts["status_code"], facts["exit_code"]) == ("QuotaError", 429, 1)
    assert (facts["error_type"], facts["request_id"]) == ("limit_exceeded", "r1")


def test_interrupted_command_ends_with_130() -> None:
    """What an interrupted command fails with does not change its exit code, and is told."""
    err = io.StringIO()
    error = SonioxConnectionError("lost")
    report(error, Console(stderr=err), interrupted=True, verbose=0, as_json=False)
    assert exit_code(error, interrupted=True) == 130
    assert "lost" in err.getvalue()


def test_wrapped_interrupt_is_no_error() -> None:
    """Ctrl-C that Python wrapped while it made a class is told as what it is."""
    err = io.StringIO()
    error = RuntimeError("Error calling __set_name__")
    error.__cause__ = KeyboardInterrupt()
    report(error, Console(stderr=err), interrupted=True, verbose=0, as_json=False)
    assert (exit_code(error, interrupted=True), err.getvalue()) == (130, "")


# --- lines


def test_lines_end_with_sentences_turns_and_pauses() -> None:
    """A line ends with its sentence, its speaker, its language or at an endpoint."""
    maker = LineMaker()
    assert maker.take(event(token("One."), token(" Two"))) != []
    assert segments_to_text(maker.take(event(kind="endpoint"))) == "Two\n"
    assert maker.take(event(token("Three", speaker="1"), token(" or", final=False))) == []
    done = maker.take(event(token("four", speaker="2")))
    assert segments_to_text(done) == "Speaker 1: Three\n"
    assert segments_to_text(maker.take(event(kind="finished"))) == "Speaker 2: four\n"


def test_lines_end_with_silence_and_width() -> None:
    """Speech without sentences is broken at silences, and between words once a line is full."""
    maker = LineMaker(max_columns=12)
    maker.take(event(token("one", start_ms=0, end_ms=300)))
    assert maker.take(event(token(" two", start_ms=400, end_ms=700))) == []
    done = maker.take(event(token(" three", start_ms=1700, end_ms=2000)))
    assert segments_to_text(done) == "one two\n"
    assert maker.take(event(token(" 3" * 3), token("3" * 9))) == []
    assert segments_to_text(maker.take(event(token(" end")))) == "three 3 3 3333333333\n"


def test_number_is_no_sentence() -> None:
    """A point inside a word does not end a line."""
    maker = LineMaker()
    assert maker.take(event(token("3."), token("5"), token(" km"))) == []


def test_translation_has_lines_of_its_own() -> None:
    """Chunks of a translation do not cut what is said into pieces."""
    maker = LineMaker()
    spoken: dict[str, Any] = {"language": "en", "translation_status": "original"}
    other: dict[str, Any] = {"language": "es", "translation_status": "translation"}
    assert maker.take(event(token("Good", **spoken), token("Buenos", **other))) == []
    assert maker.take(event(token(" morning", **spoken), token(" días", **other))) == []
    done = maker.take(event(kind="endpoint"))
    assert segments_to_text(done) == "[en] Good morning\n  -> [es] Buenos días\n"


def test_guess_is_kept_when_asked() -> None:
    """What never became final ends the last line of a transcription that was cut off."""
    maker = LineMaker()
    maker.take(event(token("Hello"), token(" wor", final=False)))
    assert segments_to_text(maker.close(complete=False)) == "Hello wor\n"
    assert maker.close(complete=False) == []


# --- live view


def view(columns: int = 20, *, colour: bool = False) -> tuple[LiveView, Screen, list[str]]:
    """Make a view on a screen; the list is what was written."""
    screen, written = Screen(columns), []

    def write(text: str) -> None:
        written.append(text)
        screen.write(text)

    return LiveView(write, lambda: columns, colour=colour), screen, written


def test_view_replaces_the_guess_in_place() -> None:
    """The guess is drawn over, what is final stays, and nothing is left of either."""
    live, screen, _ = view()
    live.take(event(token("Hell", final=False), token("o word", final=False)))
    assert screen.text == ["Hello word"]
    live.take(event(token("Hello"), token(" world and all of it", final=False)))
    assert screen.text == ["Hello world and all", "of it"]
    live.take(event(token(" you"), token(".")))
    live.take(event(token(" Next", final=False)))
    assert screen.text == ["Hello you. Next"]
    live.take(event(token(" Next")))
    assert screen.text == ["Hello you.", "Next"]
    live.close(complete=True)
    assert screen.text == ["Hello you.", "Next"]


def test_view_dims_only_the_guess() -> None:
    """Escape codes stand exactly around what may still change, and only with colour."""
    live, _, written = view(colour=True)
    live.take(event(token("Hello"), token(" wor", final=False)))
    assert written == ["Hello\x1b[2m wor\x1b[0m"]
    plain, _, written = view()
    plain.take(event(token("Hello"), token(" wor", final=False)))
    assert written == ["Hello wor"]


def test_view_does_not_draw_the_same_again() -> None:
    """An event that changes nothing writes nothing."""
    live, _, written = view()
    live.take(event(token("Hi", final=False)))
    live.take(event(token("Hi", final=False)))
    assert written == ["Hi"]


def test_view_shows_speakers_and_translations() -> None:
    """Turns stand under each other, the translation under what was said."""
    live, screen, _ = view(30)
    live.take(
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


def test_view_makes_way_for_other_lines() -> None:
    """What is drawn can be hidden and shown again, below what was written meanwhile."""
    live, screen, _ = view(14)
    live.take(event(token("Hello world", final=False), token(" and more", final=False)))
    live.hide()
    assert screen.text == []
    screen.write("a line\n")
    live.show()
    assert screen.text == ["a line", "Hello world", "and more"]
    live.hide()
    live.hide()
    assert screen.text == ["a line"]


def test_view_counts_the_rows_of_a_terminal_made_narrower() -> None:
    """Rows that the terminal wrapped anew when it was resized are erased as they stand."""
    width, written = [20], []
    live = LiveView(written.append, lambda: width[0], colour=True)
    live.take(event(token("Hello", final=True), token(" world of all", final=False)))
    width[0] = 9  # of ten columns: the row takes two
    live.take(event(token(" world", final=True)))
    assert written[-1].startswith("\r\x1b[1A\x1b[J")


def test_view_draws_no_more_rows_than_the_terminal_has() -> None:
    """Rows that scrolled away cannot be drawn again, so only the last ones are drawn."""
    written: list[str] = []
    live = LiveView(written.append, lambda: 5, lambda: 3, colour=False)
    live.take(
        event(token("one", final=False), *[token(f" w{n:03}", final=False) for n in range(9)])
    )
    assert written == ["w007\nw008"]


def test_view_lets_no_escape_through() -> None:
    """Control characters of the service's text never reach the terminal."""
    live, screen, _ = view()
    live.take(event(token("a\x1b[31mb\x07", speaker="x\r\n"), token("\x9b2J", final=False)))
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
    """At the end the screen holds every final word once, in rows that fit."""
    live, screen, _ = view(columns, colour=colour)
    for tokens in events:
        finals = [t for t in tokens if t.is_final]  # type: ignore[attr-defined]
        live.take(event(*finals, *[t for t in tokens if not t.is_final]))  # type: ignore
    live.close(complete=True)
    final_text = "".join(t.text for tokens in events for t in tokens if t.is_final)  # type: ignore
    shown = "".join(screen.text).replace("Speaker 1:", "").replace("Speaker1:", "")
    if columns > 12:
        assert "".join(shown.split()) == "".join(final_text.split())
    assert all(text_width(row) <= columns for row in screen.text)
