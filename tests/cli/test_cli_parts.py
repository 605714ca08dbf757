"""Tests of the parts of the command line: sentences, mailbox, feeds, lines, live view."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import Screen, event, token
from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.audio.wav import wav_header
from soniox_sync.cli.console import Console, OutputClosed, UsageError
from soniox_sync.cli.feeds import Feed, file_feed, stdin_feed
from soniox_sync.cli.lines import LineMaker
from soniox_sync.cli.live import LiveView
from soniox_sync.cli.mailbox import Mailbox, pump
from soniox_sync.cli.sentences import group_sentences, lines_of
from soniox_sync.transcript import segments_to_text
from soniox_sync.transcript.text import text_width

# --- sentences


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("", []),
        (" \n ", []),
        ("One. Two.", ["One. Two."]),
        ("One is here. Two is there. Three.", ["One is here.", "Two is there. Three."]),
        ("3.5 is a number! Yes.", ["3.5 is a number!", "Yes."]),
        ("今日は。いい天気。", ["今日は。", "いい天気。"]),
        ("no sentence ends here at all", ["no sentence ends", "here at all"]),
        ("abcdefghijklmnopqrstuvwxyz", ["abcdefghijklmnopqrst", "uvwxyz"]),
    ],
)
def test_groups_of_sentences(text: str, groups: list[str]) -> None:
    """Text is cut after sentences, then between words, then between characters."""
    assert list(group_sentences(text, 20)) == groups


@given(st.text(max_size=200), st.integers(16, 60))
def test_groups_lose_nothing(text: str, limit: int) -> None:
    """Groups fit the limit and lose nothing but white space."""
    groups = list(group_sentences(text, limit))
    assert "".join("".join(groups).split()) == "".join(text.split())
    assert all(len(group.encode("utf-8", "surrogatepass")) > 0 for group in groups)
    clusters = max((len(c.encode("utf-8")) for c in text if c.isascii()), default=0)
    assert all(len(g.encode()) <= max(limit, clusters) for g in groups if g.isascii())


def test_lines_as_they_arrive() -> None:
    """Lines that arrived together come together; bytes cut inside a character are joined."""
    mailbox = Mailbox()
    lines = lines_of(mailbox)
    mailbox.put(b"one\ntwo\nthr")
    assert next(lines) == "one\ntwo\n"
    mailbox.put("ee é".encode()[:-1])
    mailbox.put("é\n".encode()[1:])
    assert next(lines) == "three é\n"
    mailbox.put(b"rest\xff")
    mailbox.end()
    assert list(lines) == ["rest\ufffd"]


# --- mailbox and feeds


def test_mailbox_gives_the_error_after_the_items() -> None:
    """What was put before an error is taken before it is raised."""
    mailbox = Mailbox()
    mailbox.put(b"a")
    mailbox.end(OSError("broken"))
    assert mailbox.take() == b"a"
    with pytest.raises(OSError, match="broken"):
        mailbox.take()


def test_stopped_mailbox_wakes_both_sides() -> None:
    """A stop ends a taker that waits, and a putter that waits for room."""
    mailbox = Mailbox()
    taken: list[object] = []
    taker = threading.Thread(target=lambda: taken.append(mailbox.take()))
    taker.start()
    mailbox.stop()
    taker.join(10)
    assert taken == [None]
    full = Mailbox()
    refused: list[bool] = []
    first_items = threading.Event()

    def fill() -> None:
        while full.put(b"x"):
            first_items.set()
        refused.append(True)

    putter = threading.Thread(target=fill)
    putter.start()
    first_items.wait(10)
    full.stop()
    putter.join(10)
    assert refused == [True]


def test_pump_hands_over_failures() -> None:
    """A failing read is raised to the reader, and the source is closed."""
    closed = threading.Event()

    def read() -> bytes:
        raise OSError("no device")

    mailbox = pump(read, "test", closed.set)
    with pytest.raises(OSError, match="no device"):
        mailbox.take()
    assert closed.wait(10)


def test_unpaced_file_is_read_whole(tmp_path: Path) -> None:
    """A file comes in chunks of 120 ms, whole, and is closed."""
    audio = wav_header("pcm_s16le", sample_rate=16000) + bytes(range(256)) * 100
    path = tmp_path / "a.wav"
    path.write_bytes(audio)
    with file_feed(str(path), None, 0) as feed:
        chunks = list(feed)
    assert b"".join(chunks) == audio
    assert len(chunks[0]) == 16000 * 2 * 120 // 1000


def test_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    """A file that cannot be read is named."""
    with pytest.raises(UsageError, match=r"nothing\.wav: No such file"):
        file_feed(str(tmp_path / "nothing.wav"), None, 0)


def test_stopped_feed_ends_while_it_keeps_its_pace() -> None:
    """A stop wakes a feed that waits for the next chunk's time."""
    feed = Feed(lambda: b"x" * 1000, bytes_per_sec=0.001)
    chunks = iter(feed)
    assert next(chunks) == b"x" * 1000
    threading.Timer(0.05, feed.stop).start()
    assert next(chunks, None) is None


def test_paced_feed_takes_its_time() -> None:
    """A feed at a pace does not run ahead of it."""
    pieces = [b"x" * 100] * 5
    feed = Feed(lambda: pieces.pop() if pieces else b"", bytes_per_sec=1000)
    started = time.monotonic()
    assert len(b"".join(feed)) == 500
    assert time.monotonic() - started >= 0.4


def test_failing_feed_gives_what_it_has() -> None:
    """A source that fails ends the audio; the failure is told when asked for."""
    pieces = [b"two", b"one"]
    feed = Feed(lambda: pieces.pop())
    assert list(feed) == [b"one", b"two"]
    with pytest.raises(IndexError):
        feed.check()


def test_stdin_comes_as_it_is_written() -> None:
    """A pipe's bytes are given before more are written, cut to size and whole."""
    import os

    read_end, write_end = os.pipe()
    with open(read_end, "rb") as reader, open(write_end, "wb", buffering=0) as writer:
        writer.write(b"first")
        chunks = iter(stdin_feed(reader, None, 0))
        assert next(chunks) == b"first"
        writer.write(b"x" * 50_000)
        writer.close()
        assert b"".join(chunks) == b"x" * 50_000


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


@given(st.lists(words, max_size=8), st.integers(11, 40), st.booleans())
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


# --- console


class Gone(io.StringIO):
    """Is a stream whose reader has gone."""

    def write(self, text: str) -> int:
        """Fail as a pipe does."""
        raise BrokenPipeError(32, "Broken pipe")


def test_console_reports_a_reader_that_has_gone() -> None:
    """A broken stdout ends the work; a broken stderr is not worth it."""
    console = Console(stdout=Gone(), stderr=Gone())
    with pytest.raises(OutputClosed):
        console.write("x")
    console.say("x")


def test_console_replaces_what_a_code_page_lacks() -> None:
    """A terminal that cannot show a character gets a question mark, not an error."""
    raw = io.BytesIO()
    console = Console(stdout=io.TextIOWrapper(raw, encoding="ascii"))
    console.write("né\n")
    assert raw.getvalue() == b"n?\n"
