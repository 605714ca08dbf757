"""`client.voices`: voices cloned from a clip, and those everybody may use (PROTOCOL 5.6)."""

# ruff: noqa: RUF009 - needed() and optional() make dataclass fields, as field() does
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from ..cancel import CancelToken
from ..config import MAX_LIST_LIMIT, MAX_SHARED_VOICES_LIMIT
from ..config._values import string_list
from ..config._values import text as text_check
from ..errors import ConfigurationError, NotFoundError
from .files import upload_call
from .http import Call, Http
from .multipart import FilePart, Multipart, OnProgress, Upload
from .records import (
    Count,
    Page,
    Record,
    Word,
    all_items,
    check_id,
    check_limit,
    moment,
    needed,
    one_of,
    optional,
    record,
    text,
    tuple_of,
)

_MAX_TAGS = 10
_check_name = text_check(128)
_check_model = text_check(64)
_check_tag = text_check(40)


class VoiceStatus(Word):
    """Says how far a cloned voice is with one model; `FAILED` is final, upload a new clip."""

    NOT_COMPUTED = "not_computed"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class VoiceModel(Record):
    """Says whether one model can speak with a cloned voice; `status` as in `VoiceStatus`."""

    model: str = needed(text)
    status: str = needed(one_of(VoiceStatus))
    error_type: Optional[str] = optional(text)
    error_message: Optional[str] = optional(text)


@dataclass(frozen=True)
class Voice(Record):
    """Is a cloned voice; its `id` is what speech asks for, once a model is ready for it."""

    id: str = needed(text)
    name: str = needed(text)
    filename: str = needed(text)
    created_at: datetime = needed(moment)
    models: tuple[VoiceModel, ...] = needed(tuple_of(record(VoiceModel)))

    def status_for(self, model: str) -> Optional[str]:
        """Tell how far this voice is with a model, `None` when the service does not say."""
        return next((each.status for each in self.models if each.model == model), None)


@dataclass(frozen=True)
class VoicePage(Page):
    """Is one page of cloned voices; iterate it, or look at `voices`."""

    voices: tuple[Voice, ...] = needed(tuple_of(record(Voice)))
    next_page_cursor: Optional[str] = optional(text)


@dataclass(frozen=True)
class SharedVoice(Record):
    """Is a voice built into a model, with tags; `id` is the name to ask for."""

    id: str = needed(text)
    description: str = optional(text, "")
    gender: Optional[str] = optional(text)
    age: Optional[str] = optional(text)
    accent: Optional[str] = optional(text)
    use_case: tuple[str, ...] = optional(tuple_of(text), ())
    style: tuple[str, ...] = optional(tuple_of(text), ())


@dataclass(frozen=True)
class SharedVoicePage(Page):
    """Is one page of shared voices; iterate it, or look at `voices`."""

    voices: tuple[SharedVoice, ...] = needed(tuple_of(record(SharedVoice)))
    next_page_cursor: Optional[str] = optional(text)


class VoicesApi:
    """Is `client.voices`. Thread-safe. All methods raise a `SonioxHttpError` when a call fails.

    `voice_id` is as the service gave it; anything else raises `ConfigurationError`.
    """

    def __init__(self, http: Http) -> None:
        self._http = http

    def create(
        self,
        file: Upload,
        *,
        name: str,
        filename: Optional[str] = None,
        on_progress: Optional[OnProgress] = None,
        cancel: Optional[CancelToken] = None,
    ) -> Voice:
        """Clone a voice from a clip of at most 20 s and 10 MB.

        `name`: 1 to 128 characters, unique in the project (`ConflictError` otherwise). The voice is
        prepared for each model afterwards: see `Voice.models`. The rest as in `files.upload`.
        """
        _check_name("name", name)
        with FilePart(file, filename) as part:
            body = Multipart({"name": name}, part, on_progress)
            return self._http.json(upload_call("/voices", body), Voice.from_raw, cancel)

    def recompute(self, voice_id: str, *, model: Optional[str] = None) -> Voice:
        """Prepare a voice for a model, by default for all that it is not ready for."""
        body = {}
        if model is not None:
            _check_model("model", model)
            body["model"] = model
        return self._http.json(
            Call("POST", f"{_path(voice_id)}/recompute", body=body), Voice.from_raw
        )

    def get(self, voice_id: str) -> Voice:
        """Give a cloned voice. Raises `NotFoundError`."""
        return self._http.json(Call("GET", _path(voice_id)), Voice.from_raw)

    def get_or_none(self, voice_id: str) -> Optional[Voice]:
        """Give a cloned voice, `None` if there is no such voice."""
        try:
            return self.get(voice_id)
        except NotFoundError:
            return None

    def list(self, limit: int = 100, cursor: Optional[str] = None) -> VoicePage:
        """Give one page of at most `limit` (1 to 1000) cloned voices, from `cursor` on."""
        params = {"limit": check_limit(limit, MAX_LIST_LIMIT), "cursor": cursor}
        return self._http.json(Call("GET", "/voices", params=params), VoicePage.from_raw)

    def list_all(self, limit: int = 100) -> Iterator[Voice]:
        """Yield all cloned voices, asking for `limit` at a time."""
        check_limit(limit, MAX_LIST_LIMIT)
        return all_items(lambda cursor: self.list(limit, cursor))

    def count(self) -> Count:
        """Tell how many cloned voices there are."""
        return self._http.json(Call("GET", "/voices/count"), Count.from_raw)

    def delete(self, voice_id: str) -> None:
        """Delete a cloned voice. Raises `NotFoundError`."""
        self._http.done(Call("DELETE", _path(voice_id)))

    def delete_if_exists(self, voice_id: str) -> None:
        """Delete a cloned voice, if there is one."""
        try:
            self.delete(voice_id)
        except NotFoundError:
            return

    def list_shared(
        self,
        model: str,
        *,
        gender: Optional[str] = None,
        age: Optional[str] = None,
        accent: Optional[str] = None,
        use_case: Optional[Sequence[str]] = None,
        style: Optional[Sequence[str]] = None,
        limit: int = 100,
        cursor: Optional[str] = None,
    ) -> SharedVoicePage:
        """Give one page of at most `limit` (1 to 200) voices built into `model`.

        Only those that match everything asked for: `gender` (`"male"`, `"female"`, `"neutral"`),
        `age` (`"young"`, `"middle_aged"`, `"old"`), `accent`, and each tag of `use_case` and
        `style` (at most 10 each). A `cursor` needs the same filters again.
        """
        params = _filters(model, gender, age, accent, use_case, style)
        params.update(limit=check_limit(limit, MAX_SHARED_VOICES_LIMIT), cursor=cursor)
        call = Call("GET", "/shared-voices", params=params)
        return self._http.json(call, SharedVoicePage.from_raw)

    def list_all_shared(
        self,
        model: str,
        *,
        gender: Optional[str] = None,
        age: Optional[str] = None,
        accent: Optional[str] = None,
        use_case: Optional[Sequence[str]] = None,
        style: Optional[Sequence[str]] = None,
        limit: int = 100,
    ) -> Iterator[SharedVoice]:
        """Yield all voices built into `model` that match; filters as in `list_shared`."""
        params = _filters(model, gender, age, accent, use_case, style)
        params["limit"] = check_limit(limit, MAX_SHARED_VOICES_LIMIT)

        def turn(cursor: Optional[str]) -> SharedVoicePage:
            call = Call("GET", "/shared-voices", params={**params, "cursor": cursor})
            return self._http.json(call, SharedVoicePage.from_raw)

        return all_items(turn)


def _filters(
    model: str,
    gender: Optional[str],
    age: Optional[str],
    accent: Optional[str],
    use_case: Optional[Sequence[str]],
    style: Optional[Sequence[str]],
) -> dict[str, Any]:
    _check_model("model", model)
    single: Mapping[str, Optional[str]] = {"gender": gender, "age": age, "accent": accent}
    params: dict[str, Any] = {"model": model}
    for name, value in single.items():
        if value is not None:
            _check_tag(name, value)
            params[name] = value
    for name, values in (("use_case", use_case), ("style", style)):
        if values is not None:
            params[name] = _checked_tags(name, values)
    return params


def _checked_tags(name: str, values: Sequence[str]) -> list[str]:
    tags = string_list(name, values)
    if len(tags) > _MAX_TAGS:
        raise ConfigurationError(f"{name} may hold {_MAX_TAGS} tags, not {len(tags)}")
    for tag in tags:
        _check_tag(name, tag)
    return tags


def _path(voice_id: str) -> str:
    return f"/voices/{check_id('voice_id', voice_id)}"
