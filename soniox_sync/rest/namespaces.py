"""The HTTP namespaces of a client, each loaded when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, TypeVar

if TYPE_CHECKING:
    from .auth import AuthApi
    from .catalog import ModelsApi, TtsModelsApi
    from .files import FilesApi
    from .http import Http, HttpSettings
    from .stt import SttApi
    from .tts import TtsApi
    from .usage import ConcurrencyLimitsApi, UsageApi, UsageLogsApi
    from .voices import VoicesApi
    from .webhooks import WebhooksApi

T = TypeVar("T")


class Namespaces:
    """Gives a client `tts`, `stt`, `files` and so on, over one HTTP layer.

    What is made once is kept in the object's `__dict__`, whose `setdefault` is atomic: of two
    threads that come first one wins, and nothing of the other's was opened yet.
    """

    _environ: Mapping[str, str]

    def _http_settings(self) -> HttpSettings:
        raise TypeError("a client says what its HTTP layer needs")

    @property
    def _http_layer(self) -> Http:
        from .http import Http

        return self._once("http", lambda: Http(self._http_settings()))

    @property
    def tts(self) -> TtsApi:
        """Give speech by HTTP: `generate`, `generate_stream`, `generate_to_file`."""
        from .tts import TtsApi

        return self._once("tts", lambda: TtsApi(self._http_layer))

    @property
    def stt(self) -> SttApi:
        """Give transcription of files, as jobs."""
        from .stt import SttApi

        return self._once("stt", lambda: SttApi(self._http_layer, self.files, self.webhooks))

    @property
    def files(self) -> FilesApi:
        """Give the files uploaded for transcription."""
        from .files import FilesApi

        return self._once("files", lambda: FilesApi(self._http_layer))

    @property
    def models(self) -> ModelsApi:
        """Give the transcription models."""
        from .catalog import ModelsApi

        return self._once("models", lambda: ModelsApi(self._http_layer))

    @property
    def tts_models(self) -> TtsModelsApi:
        """Give the speech models."""
        from .catalog import TtsModelsApi

        return self._once("tts_models", lambda: TtsModelsApi(self._http_layer))

    @property
    def voices(self) -> VoicesApi:
        """Give the cloned voices, and those built into models."""
        from .voices import VoicesApi

        return self._once("voices", lambda: VoicesApi(self._http_layer))

    @property
    def auth(self) -> AuthApi:
        """Give temporary keys."""
        from .auth import AuthApi

        return self._once("auth", lambda: AuthApi(self._http_layer))

    @property
    def usage(self) -> UsageApi:
        """Give cost and activity by day."""
        from .usage import UsageApi

        return self._once("usage", lambda: UsageApi(self._http_layer))

    @property
    def usage_logs(self) -> UsageLogsApi:
        """Give single requests and their cost."""
        from .usage import UsageLogsApi

        return self._once("usage_logs", lambda: UsageLogsApi(self._http_layer))

    @property
    def concurrency_limits(self) -> ConcurrencyLimitsApi:
        """Give how many streams run, and may run, at once."""
        from .usage import ConcurrencyLimitsApi

        return self._once("concurrency_limits", lambda: ConcurrencyLimitsApi(self._http_layer))

    @property
    def webhooks(self) -> WebhooksApi:
        """Give the check of webhooks."""
        from .webhooks import WebhooksApi

        return self._once("webhooks", lambda: WebhooksApi(self._environ))

    def _once(self, name: str, make: Callable[[], T]) -> T:
        slot = f"_made_{name}"
        found: Any = self.__dict__.get(slot)
        if found is None:
            found = self.__dict__.setdefault(slot, make())
        made: T = found
        return made
