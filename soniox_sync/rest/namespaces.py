"""The HTTP namespaces of a client, each loaded on first use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Callable, Optional, TypeVar

from .._support.loading import load_modules

if TYPE_CHECKING:
    from .auth import AuthApi
    from .catalog import ModelsApi, TtsModelsApi
    from .files import FilesApi
    from .http import Http
    from .stt.api import SttApi
    from .tts import TtsApi
    from .usage import ConcurrencyLimitsApi, UsageApi, UsageLogsApi
    from .voices import VoicesApi
    from .webhooks import WebhooksApi

T = TypeVar("T")


class Namespaces:
    """Base of a client: `tts`, `stt`, `files` and so on, over one HTTP layer.

    Each is created once and kept in the object's `__dict__`, whose `setdefault` is atomic: if two
    threads create one at the same time, one wins, and the other object has opened nothing yet.
    """

    _environ: Mapping[str, str]

    def _make_http(self) -> Http:
        raise NotImplementedError

    @property
    def _http_layer(self) -> Http:
        return self._once("http", self._make_http)

    @property
    def _is_closed(self) -> bool:
        http: Optional[Http] = self.__dict__.get("_made_http")  # do not create it for a repr
        return http is not None and http.is_closed

    @property
    def tts(self) -> TtsApi:
        """Speech over HTTP: `generate`, `generate_stream`, `generate_to_file`."""
        load_modules(("soniox_sync.rest.tts",))
        from .tts import TtsApi

        return self._once("tts", lambda: TtsApi(self._http_layer))

    @property
    def stt(self) -> SttApi:
        """Transcription of files, as jobs."""
        load_modules(("soniox_sync.rest.stt.api",))
        from .stt.api import SttApi

        return self._once("stt", lambda: SttApi(self._http_layer, self.files, self.webhooks))

    @property
    def files(self) -> FilesApi:
        """Files uploaded for transcription."""
        load_modules(("soniox_sync.rest.files",))
        from .files import FilesApi

        return self._once("files", lambda: FilesApi(self._http_layer))

    @property
    def models(self) -> ModelsApi:
        """Transcription models."""
        load_modules(("soniox_sync.rest.catalog",))
        from .catalog import ModelsApi

        return self._once("models", lambda: ModelsApi(self._http_layer))

    @property
    def tts_models(self) -> TtsModelsApi:
        """Speech models."""
        load_modules(("soniox_sync.rest.catalog",))
        from .catalog import TtsModelsApi

        return self._once("tts_models", lambda: TtsModelsApi(self._http_layer))

    @property
    def voices(self) -> VoicesApi:
        """Cloned voices, and those built into models."""
        load_modules(("soniox_sync.rest.voices",))
        from .voices import VoicesApi

        return self._once("voices", lambda: VoicesApi(self._http_layer))

    @property
    def auth(self) -> AuthApi:
        """Temporary keys."""
        load_modules(("soniox_sync.rest.auth",))
        from .auth import AuthApi

        return self._once("auth", lambda: AuthApi(self._http_layer))

    @property
    def usage(self) -> UsageApi:
        """Cost and activity by day."""
        load_modules(("soniox_sync.rest.usage",))
        from .usage import UsageApi

        return self._once("usage", lambda: UsageApi(self._http_layer))

    @property
    def usage_logs(self) -> UsageLogsApi:
        """Single requests and their cost."""
        load_modules(("soniox_sync.rest.usage",))
        from .usage import UsageLogsApi

        return self._once("usage_logs", lambda: UsageLogsApi(self._http_layer))

    @property
    def concurrency_limits(self) -> ConcurrencyLimitsApi:
        """Numbers and limits of concurrent streams."""
        load_modules(("soniox_sync.rest.usage",))
        from .usage import ConcurrencyLimitsApi

        return self._once("concurrency_limits", lambda: ConcurrencyLimitsApi(self._http_layer))

    @property
    def webhooks(self) -> WebhooksApi:
        """Verification of webhooks."""
        load_modules(("soniox_sync.rest.webhooks",))
        from .webhooks import WebhooksApi

        return self._once("webhooks", lambda: WebhooksApi(self._environ))

    def _once(self, name: str, make: Callable[[], T]) -> T:
        key = f"_made_{name}"
        made: Optional[T] = self.__dict__.get(key)
        return made if made is not None else self.__dict__.setdefault(key, make())
