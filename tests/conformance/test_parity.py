"""The page of names is that of the installed official SDK, and a new name needs a decision."""

from __future__ import annotations

import pytest


def test_the_page_is_up_to_date() -> None:
    """The committed page is what the script writes for the installed SDK."""
    from tests.conformance.parity import page

    written = page.PAGE.read_text(encoding="utf-8")
    assert written == page.page(), "run: python -m tests.conformance.parity"


def test_each_kind_of_answer_is_on_the_page() -> None:
    """Names that are the same, that differ and that are left out are told apart."""
    from tests.conformance.parity import compare

    rows = {(s.title, row.official): row for s in compare.compare() for row in s.rows}
    same = rows["FilesAPI", "``upload(file, filename, client_reference_id)``"]
    other = rows["SttAPI", "``transcribe_from_url(model, audio_url, client_reference_id, config)``"]
    none = rows["Client", "``AsyncSonioxClient``"]
    assert same.here == compare.SAME
    assert other.here == "``client.stt.transcribe()``"
    assert none.here == compare.NONE and none.note


@pytest.mark.parametrize(
    ("owner", "name", "value", "reported"),
    [
        ("soniox.api.files.FilesAPI", "archive", lambda self: None, "FilesAPI.archive"),
        ("soniox.api.files.FilesAPI", "count", lambda self, since: 0, "FilesAPI.count(since)"),
        ("soniox.realtime.stt.RealtimeSTTSession", "latency", property(id), ".latency"),
    ],
    ids=["method", "parameter", "property"],
)
def test_a_new_name_needs_a_decision(
    monkeypatch: pytest.MonkeyPatch, owner: str, name: str, value: object, reported: str
) -> None:
    """A method, parameter or property that neither library nor table knows is reported by name."""
    from tests.conformance.parity import compare

    monkeypatch.setattr(f"{owner}.{name}", value, raising=False)
    with pytest.raises(compare.Undecided, match=reported.replace("(", r"\(").replace(")", r"\)")):
        compare.compare()


def test_a_new_error_and_a_new_field_need_a_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    """So do an error class, and a field of a model."""
    from soniox import errors, types

    from tests.conformance.parity import compare

    made = type("SonioxTeapotError", (errors.SonioxError,), {"__module__": "soniox.errors"})
    monkeypatch.setattr(errors, "SonioxTeapotError", made, raising=False)
    grown = type("Voice", (types.Voice,), {"__annotations__": {"mood": str}, "mood": "calm"})
    monkeypatch.setattr(types, "Voice", grown)
    with pytest.raises(compare.Undecided) as caught:
        compare.compare()
    assert "'Voice.mood'" in str(caught.value) and "'SonioxTeapotError'" in str(caught.value)


def test_a_row_for_a_name_that_is_gone_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of a table that fits no name of the SDK is reported."""
    from tests.conformance.parity import compare

    monkeypatch.setitem(compare.LEFT_OUT, "FilesAPI.rewind", "gone")
    with pytest.raises(compare.Undecided, match=r"FilesAPI\.rewind"):
        compare.compare()


def test_a_name_that_this_library_lost_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that was the same, and is no longer here, is reported."""
    from tests.conformance.parity import compare

    monkeypatch.delattr(type(compare.ours("client.tts")), "generate_to_file")
    with pytest.raises(compare.Undecided, match=r"TtsAPI\.generate_to_file"):
        compare.compare()
