"""The page of a transcript: complete, self-contained, and safe whatever the texts contain."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.protocol.tokens import Token
from soniox_sync.transcript import Transcript
from soniox_sync.transcript.html.style import SPEAKER_COLOURS, STYLE
from tests.transcript.helpers import final, partial, result, speech, translated

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(28)
HOSTILE = "</script></style></p><img src=x onerror=owned()>\"'&\x1b[2J\ud800\u202e"


class Elements(HTMLParser):
    """Elements of a page with their attributes, and the text of what is shown."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._hidden = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        self._hidden = tag if tag in ("script", "style", "title") else self._hidden

    def handle_endtag(self, tag: str) -> None:
        self._hidden = "" if tag == self._hidden else self._hidden

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else data

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of every element of one kind."""
        return [attributes for name, attributes in self.found if name == tag]


def transcript(*tokens: Token) -> Transcript:
    """Make a transcript of tokens."""
    made = Transcript()
    made.add(result(*tokens))
    return made


TALK = transcript(
    *speech("Good morning.", speaker="1", language="en"),
    *speech("Hello!", start=2000, speaker="2", language="en"),
)


def test_every_word_has_its_times_and_every_row_its_speaker() -> None:
    """Words are elements with times; text, speakers and the length are shown."""
    page = Elements(TALK.to_html())
    words = [span for span in page.all("span") if "data-s" in span]
    assert [(w["data-s"], w["data-e"]) for w in words] == [
        ("0", "300"),
        ("300", "600"),
        ("2000", "2300"),
    ]
    shown = " ".join(page.text.split())
    assert "Speaker 1en0:00Good morning." in shown and "Speaker 2en0:02Hello!" in shown
    assert "0:02 · 3 words · 2 speakers · en" in shown
    assert [row["style"] for row in page.all("article")] == ["--c:var(--s0)", "--c:var(--s1)"]


def test_pieces_of_words_are_one_word() -> None:
    """Tokens that continue a word are in one element, which lasts from the first to the last."""
    page = transcript(
        final("Hel", 0, 100), final("lo", 100, 250), final(" to day", 300, 600)
    ).to_html()
    assert re.findall(r"<span data-s=(\d+) data-e=(\d+)>([^<]*)<", page) == [
        ("0", "250", "Hello"),
        ("300", "428", "to"),  # a share of its token, by width
        ("428", "600", "day"),
    ]


def test_rows_end_with_utterances_and_long_ones_with_sentences() -> None:
    """An endpoint ends a row; so does a sentence after 400 characters, and no word is lost."""
    made = transcript(*speech("One two."))
    made.mark_endpoint()
    made.add(result(*speech("This is a sentence. " * 60, start=1000)))
    page = Elements(made.to_html())
    assert 3 < len(page.all("article")) < 8
    assert page.text.split().count("sentence.") == 60


def test_lanes_show_who_spoke_when() -> None:
    """Each speaker has a lane; a pause of a second is a gap, a shorter one is not."""
    made = transcript(
        final("a", 0, 1000, speaker="1"),
        final(" b", 1900, 2500, speaker="1"),
        final(" c", 3500, 4000, speaker="1"),
        final(" d", 4000, 10_000, speaker="2"),
    )
    page = made.to_html()
    bars = re.findall(r'<i style="left:([\d.]+)%;width:([\d.]+)%">', page)
    assert bars == [("0.000", "25.000"), ("35.000", "5.000"), ("40.000", "60.000")]
    assert "0:03, 30%" in page and "0:06, 60%" in page


def test_a_translation_stands_beside_what_was_said() -> None:
    """The translation is in the row of its speech, each part with its language."""
    made = transcript(
        *speech("Good morning.", language="en", translation_status="original"),
        translated("Buenos días.", source_language="en"),
    )
    page = Elements(made.to_html())
    assert len(page.all("article")) == 1
    said, other = [p for p in page.all("p") if "lang" in p]
    assert (said["lang"], other["lang"], other["class"]) == ("en", "es", "translation")
    assert "Good morning.Buenos días." in page.text and "translated into es" in page.text


def test_only_final_words_are_shown() -> None:
    """What may still change is not in the page, as in no other writer."""
    assert "maybe" not in transcript(final("Sure."), partial(" maybe")).to_html()


def test_words_without_times_are_shown_and_nothing_else_is_made_up() -> None:
    """Without times there is the text, no lane, no time, and nothing to click."""
    page = Elements(transcript(final("Hello there.", speaker="1")).to_html(audio="a.wav"))
    assert "Hello there." in page.text and "Who spoke when" not in page.text
    assert not any("data-s" in attributes for _, attributes in page.found)


def test_an_empty_transcript_says_so() -> None:
    """Without words the page says that nothing was said."""
    assert "Nothing was said." in Transcript().to_html()


# -- audio ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("audio", "media_type"),
    [
        (WAV, "audio/wav"),
        (b"ID3" + bytes(30), "audio/mpeg"),
        (b"\xff\xfb\x90\x00" + bytes(30), "audio/mpeg"),
        (b"\xff\xf1\x50\x80" + bytes(30), "audio/aac"),
        (b"fLaC" + bytes(30), "audio/flac"),
        (b"OggS" + bytes(30), "audio/ogg"),
        (b"\x00\x00\x00\x18ftypM4A " + bytes(30), "audio/mp4"),
        (b"\x1a\x45\xdf\xa3" + bytes(30), "video/webm"),
    ],
)
def test_audio_is_embedded_with_its_type(audio: bytes, media_type: str) -> None:
    """Bytes are in the page, whole, with the type of their container."""
    [player] = Elements(TALK.to_html(audio=audio)).all("audio")
    head, _, data = player["src"].partition(",")
    assert head == f"data:{media_type};base64" and base64.b64decode(data) == audio


def test_audio_is_linked_by_its_url() -> None:
    """A text is the player's address, as it is."""
    [player] = Elements(TALK.to_html(audio='talks/a b.mp3?x=1&y="2"')).all("audio")
    assert player["src"] == 'talks/a b.mp3?x=1&y="2"'


def test_without_audio_there_is_no_player_and_no_script() -> None:
    """Without audio nothing is clickable: no player, button or script."""
    page = Elements(TALK.to_html())
    assert page.all("audio") == page.all("script") == page.all("button") == []


@pytest.mark.parametrize("audio", [b"", b"\x01\x02" * 40, "", " "])
def test_audio_that_no_browser_plays_is_refused(audio: bytes | str) -> None:
    """Samples without a header, and no audio at all, are refused by name."""
    with pytest.raises(ConfigurationError, match=r"^audio: expected"):
        TALK.to_html(audio=audio)


def test_wrong_types_and_keywords_are_refused() -> None:
    """A path object is no URL, and a mistyped keyword is answered with the nearest."""
    with pytest.raises(InputTypeError, match=r"^audio: expected the bytes of an audio file"):
        TALK.to_html(audio=5)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="did you mean 'speakers'"):
        TALK.to_html(speaker=False)  # type: ignore[call-arg]
    with pytest.raises(InputTypeError, match="speakers"):
        TALK.to_html(speakers="Anna")  # type: ignore[arg-type]


# -- self-contained and safe ----------------------------------------------------------------------

ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "h1", "p", "main", "div"),
    *("audio", "label", "input", "section", "h2", "span", "b", "bdi", "small", "i", "article"),
    *("button", "script"),
}


def hostile_page(text: str) -> str:
    made = transcript(
        final(text, 0, 100, speaker=text, language=text, translation_status="original"),
        translated(text, language=text, source_language=text),
    )
    whole = text.encode(errors="replace").decode()  # half a character is refused here
    return made.to_html(title=whole, audio=whole, speakers={text: text})


def check_safe(page: str) -> None:
    """Check that a page has the elements and attributes of ours, and nothing else."""
    elements = Elements(page)
    assert {tag for tag, _ in elements.found} <= ALLOWED
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert page.count("<script") == 1 and "owned" not in script
    for _, attributes in elements.found:
        assert not any(name.startswith("on") for name in attributes)
        assert "javascript:" not in attributes.get("href", "")
        assert re.fullmatch(
            r"|--c:var\(--s\d\)|left:[\d.]+%;width:[\d.]+%", attributes.get("style", "")
        )
    assert page.encode()  # no halves of characters


def test_every_text_is_escaped() -> None:
    """Markup in a word, a name, a language, a title or a URL is text; controls are replaced."""
    page = hostile_page(HOSTILE)
    check_safe(page)
    assert "\x1b" not in page and "&lt;img src=x onerror=owned()&gt;" in page
    [player] = Elements(page).all("audio")
    assert player["src"].startswith("</script></style></p><img src=x onerror=owned()>\"'&")


@given(st.text(st.sampled_from("<>\"'&=/ \n\x00\x1b\u2028`-!abscript;:"), min_size=1))
def test_no_text_becomes_markup(text: str) -> None:
    """Whatever the texts are, the page has our elements alone."""
    if text.strip():
        check_safe(hostile_page(text))


def test_the_page_needs_nothing_else_and_runs_nothing_else() -> None:
    """No address but the audio's; the policy allows the page's own script, by its hash."""
    page = TALK.to_html(audio=WAV)
    assert "http://" not in page and "https://" not in page and "@import" not in page
    assert [name for name, found in Elements(page).found if "src" in found or "href" in found] == [
        "audio"
    ]
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(m["content"] for m in Elements(page).all("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none'") and f"script-src 'sha256-{digest}'" in policy


# -- colours --------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_colours_have_contrast_in_both_schemes(dark: bool) -> None:
    """Text, soft text, links, speakers and lit words can be read on light and on dark paper."""
    light, _, night = STYLE.partition("prefers-color-scheme: dark")
    shades = dict(re.findall(r"--([\w-]+): (#\w{6})", night if dark else light))
    named = [shades[name] for name in ("ink", "soft", "accent")]
    for colour in (*named, *(pair[dark] for pair in SPEAKER_COLOURS)):
        assert contrast(colour, shades["paper"]) >= 4.5
        assert contrast(colour, shades["page"]) >= 4.5
    assert contrast(shades["on-lit"], shades["lit"]) >= 4.5
    assert contrast(shades["lit"], shades["paper"]) >= 1.2
