"""`client.voices`: voices cloned from a clip, and voices shared by all users (PROTOCOL 5.6)."""

# ruff: noqa: RUF009 - needed() and optional() make dataclass fields, as field() does
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from .._support import checks as _checks
from ..cancel import CancelToken
from .arguments import page_params
from .collection import Collection
from .files import upload_call
from .http import Call
from .multipart import FilePart, Multipart, OnProgress, Upload
from .records import (
    Entity,
    Page,
    Record,
    Word,
    all_items,
    moment,
    needed,
    one_of,
    optional,
    record,
    text,
    tuple_of,
)

_MAX_TAGS, _MAX_TAG_CHARS = 10, 40
_MAX_SHARED = 200  # on one page
_check_name = _checks.text(128)
_check_model = _checks.text(64)
_check_tag = _checks.text(_MAX_TAG_CHARS)


class VoiceStatus(Word):
    """Status of a cloned voice for a model; `FAILED` is final: upload a new clip."""

    NOT_COMPUTED = "not_computed"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, repr=False)
class VoiceModel(Record):
    """Status of a cloned voice for one model; `status` as in `VoiceStatus`."""

    model: str = needed(text)
    status: str = needed(one_of(VoiceStatus))
    error_type: Optional[str] = optional(text)
    error_message: Optional[str] = optional(text)


@dataclass(frozen=True, repr=False)
class Voice(Entity):
    """Cloned voice; its `id` is the `voice` of a request, once a model is ready for it."""

    id: str = needed(text)
    name: str = needed(text)
    filename: str = needed(text)
    created_at: datetime = needed(moment)
    models: tuple[VoiceModel, ...] = needed(tuple_of(record(VoiceModel)))

    def status_for(self, model: str) -> Optional[str]:
        """Return the status of this voice for a model, `None` if the service has not sent it."""
        return next((each.status for each in self.models if each.model == model), None)


@dataclass(frozen=True, repr=False)
class VoicePage(Page[Voice]):
    """One page of cloned voices; iterate over it, or use `voices`."""

    voices: tuple[Voice, ...] = needed(tuple_of(record(Voice)))
    next_page_cursor: Optional[str] = optional(text)


@dataclass(frozen=True, repr=False)
class SharedVoice(Record):
    """Voice built into a model, with tags; its `id` is the `voice` of a request."""

    id: str = needed(text)
    description: str = optional(text, "")
    gender: Optional[str] = optional(text)
    age: Optional[str] = optional(text)
    accent: Optional[str] = optional(text)
    use_case: tuple[str, ...] = optional(tuple_of(text), ())
    style: tuple[str, ...] = optional(tuple_of(text), ())


@dataclass(frozen=True, repr=False)
class SharedVoicePage(Page[SharedVoice]):
    """One page of shared voices; iterate over it, or use `voices`."""

    voices: tuple[SharedVoice, ...] = needed(tuple_of(record(SharedVoice)))
    next_page_cursor: Optional[str] = optional(text)


class VoicesApi(Collection[Voice, VoicePage]):
    """Cloned and shared voices: `client.voices`. Thread-safe.

    `voice_id`: as the service returned it.

    Raises
        SonioxHttpError: the call failed.
        ConfigurationError: a wrong argument, before anything is sent.
    """

    _name = "voices"
    _path, _id_name, _item, _page = "/voices", "voice_id", Voice, VoicePage

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

        `name`: 1 to 128 characters, unique in the project. The voice is then prepared for each
        model: see `Voice.models`. The rest as in `files.upload`.

        Raises
            ConflictError: there is a voice with this name.
            ConfigurationError: an empty or too large file, or a wrong name.
            OSError: as `open()` raises it.
            SonioxHttpError: the call failed otherwise.
            AbortError: after a cancel.
        """
        _check_name("name", name)
        with FilePart(file, filename, cancel=cancel) as part:
            body = Multipart({"name": name}, part, on_progress)
            return self._http.json(upload_call("/voices", body), Voice.from_raw, cancel)

    def recompute(self, voice_id: str, *, model: Optional[str] = None) -> Voice:
        """Prepare a voice for a model, by default for all for which it is not ready.

        Raises
            NotFoundError: there is no such voice.
            SonioxHttpError: the call failed otherwise.
        """
        body = {}
        if model is not None:
            _check_model("model", model)
            body["model"] = model
        call = Call("POST", f"{self._item_path(voice_id)}/recompute", body=body)
        return self._http.json(call, Voice.from_raw)

    def get(self, voice_id: str) -> Voice:
        """Return a cloned voice.

        Raises
            NotFoundError: there is no such voice.
            SonioxHttpError: the call failed otherwise.
        """
        return super().get(voice_id)

    def get_or_none(self, voice_id: str) -> Optional[Voice]:
        """Return a cloned voice, `None` if there is no such voice.

        Raises
            SonioxHttpError: the call failed.
        """
        return super().get_or_none(voice_id)

    def delete(self, voice_id: str) -> None:
        """Delete a cloned voice.

        Raises
            NotFoundError: there is no such voice.
            SonioxHttpError: the call failed otherwise.
        """
        super().delete(voice_id)

    def delete_if_exists(self, voice_id: str) -> None:
        """Delete a cloned voice, if there is one.

        Raises
            SonioxHttpError: the call failed.
        """
        super().delete_if_exists(voice_id)

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
        """Return one page of at most `limit` (1 to 200) voices built into `model`.

        Only those that match all filters: `gender` (`"male"`, `"female"`, `"neutral"`), `age`
        (`"young"`, `"middle_aged"`, `"old"`), `accent`, and each tag of `use_case` and `style` (at
        most 10 each). Use a `cursor` with the same filters again.

        Raises
            SonioxHttpError: the call failed.
        """
        filters = _filters(model, gender, age, accent, use_case, style)
        page = page_params(limit, cursor, _MAX_SHARED)
        return self._shared_page({**filters, **page})

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
        """Yield all voices built into `model` that match; filters as in `list_shared`.

        Raises
            SonioxHttpError: a call failed.
        """
        filters = _filters(model, gender, age, accent, use_case, style)
        page = page_params(limit, most=_MAX_SHARED)
        return all_items(lambda cursor: self._shared_page({**filters, **page, "cursor": cursor}))

    def _shared_page(self, params: Mapping[str, Any]) -> SharedVoicePage:
        return self._http.json(
            Call("GET", "/shared-voices", params=params), SharedVoicePage.from_raw
        )


def _filters(
    model: str,
    gender: Optional[str],
    age: Optional[str],
    accent: Optional[str],
    use_case: Optional[Sequence[str]],
    style: Optional[Sequence[str]],
) -> dict[str, Any]:
    _check_model("model", model)
    params: dict[str, Any] = {"model": model}
    for name, value in (("gender", gender), ("age", age), ("accent", accent)):
        if value is not None:
            _check_tag(name, value)
            params[name] = value
    for name, values in (("use_case", use_case), ("style", style)):
        if values is not None:
            params[name] = _checks.string_list(
                name, values, most=_MAX_TAGS, max_chars=_MAX_TAG_CHARS, what="tags"
            )
    return params
