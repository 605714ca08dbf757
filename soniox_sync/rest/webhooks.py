"""`client.webhooks`: is this call really from the service, and what does it say (PROTOCOL 5.9).

The service signs nothing: it sends back a header that you chose when the transcription was made.
So the header's value is a shared secret, compared in constant time, and a receiver without one
would believe anybody; that has to be asked for.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional, Protocol, Union

from ..config import ENV_WEBHOOK_HEADER, ENV_WEBHOOK_SECRET
from ..errors import ConfigurationError, InputTypeError, SonioxHttpError, WebhookSignatureError
from .records import Record, Unreadable, Word, needed, one_of, text

DEFAULT_HEADER = "X-Soniox-Webhook-Secret"


class HasItems(Protocol):
    """Is whatever holds headers and is no registered mapping, as `http.client.HTTPMessage`."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Give names and values; a header that was sent twice comes twice."""


Headers = Union[Mapping[str, Any], HasItems, Iterable[tuple[Any, Any]]]

_HOW = (
    f"set {ENV_WEBHOOK_SECRET}, pass secret=, or say allow_unsigned=True to believe whoever calls"
)


class MissingWebhookSecretError(WebhookSignatureError, ConfigurationError):
    """Reports that there is no secret to compare with: a mistake of the receiver's."""

    code = "webhook_secret_missing"


class WebhookStatus(Word):
    """Says how a transcription ended."""

    COMPLETED = "completed"
    ERROR = "error"


@dataclass(frozen=True)
class WebhookEvent(Record):
    """Is what a webhook tells: the transcription's id, and how it ended (`WebhookStatus`)."""

    id: str = needed(text)
    status: str = needed(one_of(WebhookStatus))


class WebhooksApi:
    """Is `client.webhooks`. Thread-safe, no network.

    Header name and secret come from the arguments, else from `SONIOX_API_WEBHOOK_HEADER` (default
    `X-Soniox-Webhook-Secret`) and `SONIOX_API_WEBHOOK_SECRET` as they were when the client was
    made. A handler must stand being called twice: the service repeats what it got no 2xx for.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._header = environ.get(ENV_WEBHOOK_HEADER, "").strip() or DEFAULT_HEADER
        self._secret = environ.get(ENV_WEBHOOK_SECRET, "").strip()

    def verify(
        self,
        headers: Headers,
        *,
        secret: Optional[str] = None,
        header: Optional[str] = None,
        allow_unsigned: bool = False,
    ) -> None:
        """Raise unless `headers` hold the secret, once; the header's name has no case.

        `headers`: those of the request, as your framework or `http.server` gives them
        (`request.headers`, `self.headers`): anything with `items()`, or pairs. Values are `str`,
        `bytes` or lists of them; `None` counts as missing. A WSGI environ, such as Django's
        `request.META`, will do, too: there the name is `HTTP_X_SONIOX_WEBHOOK_SECRET`.

        Raises `WebhookSignatureError` for a missing, doubled, wrong or odd value, its kind
        `MissingWebhookSecretError` when no secret is set and `allow_unsigned` is not true, and
        `InputTypeError` for `headers` that are none. A secret that is set is always compared.
        """
        name = self._header if header is None else _checked_name(header)
        expected = self._secret if secret is None else _checked_secret(secret)
        if not expected:
            if allow_unsigned is True:
                return
            raise MissingWebhookSecretError(f"there is no webhook secret to compare with: {_HOW}")
        sent = _values(headers, name)
        if not sent:
            raise WebhookSignatureError(f"the webhook has no header {name!r}")
        if len(sent) > 1:
            raise WebhookSignatureError(f"the webhook has the header {name!r} more than once")
        if not hmac.compare_digest(sent[0], expected.encode("utf-8")):
            raise WebhookSignatureError(f"the webhook's header {name!r} does not hold the secret")

    def unwrap(
        self,
        body: Union[str, bytes, bytearray, memoryview],
        headers: Headers,
        *,
        secret: Optional[str] = None,
        header: Optional[str] = None,
        allow_unsigned: bool = False,
    ) -> WebhookEvent:
        """Verify a webhook, then read it.

        Raises as `verify`, and a `SonioxHttpError` (`parse_error`) for a body that is not what the
        service sends.
        """
        self.verify(headers, secret=secret, header=header, allow_unsigned=allow_unsigned)
        data = _encoded(body)
        try:
            event = WebhookEvent.from_raw(json.loads(data.decode("utf-8")))
        except (ValueError, RecursionError) as error:  # JSON's, Unicode's and `Unreadable`
            why = str(error) if isinstance(error, Unreadable) else "it is no JSON"
            raise SonioxHttpError(
                f"the webhook's body is not what the service sends: {why}", code="parse_error"
            ) from None
        if not event.id:
            raise SonioxHttpError("the webhook names no transcription", code="parse_error")
        return event

    def fields(
        self, url: str, *, secret: Optional[str] = None, header: Optional[str] = None
    ) -> dict[str, str]:
        """Give the fields of a transcription that make the service call `url` with the secret.

        Without a secret it gives the URL alone.
        """
        fields = {"webhook_url": url}
        value = self._secret if secret is None else _checked_secret(secret)
        if value:
            name = self._header if header is None else _checked_name(header)
            fields["webhook_auth_header_name"] = name
            fields["webhook_auth_header_value"] = value
        return fields

    def __repr__(self) -> str:
        return f"<WebhooksApi {self._header} {'with' if self._secret else 'without'} a secret>"


def _checked_secret(secret: Any) -> str:
    if not isinstance(secret, str):
        raise InputTypeError(f"secret must be a str, not {type(secret).__name__}")
    return secret.strip()


def _checked_name(name: Any) -> str:
    if not isinstance(name, str):
        raise InputTypeError(f"header must be a str, not {type(name).__name__}")
    return name


def _values(headers: Headers, name: str) -> list[bytes]:
    """Give what a header holds, each of its values; `None` is no value."""
    names = {name.lower(), "http_" + name.lower().replace("-", "_")}
    found: list[bytes] = []
    for key, value in _pairs(headers):
        if _name(key) in names and value is not None:
            several = value if isinstance(value, (list, tuple)) else [value]
            found += [_sent(each, name) for each in several if each is not None]
    return found


def _pairs(headers: Any) -> list[tuple[Any, Any]]:
    """Give names and values of whatever holds headers; what gives both counts, not its type."""
    wrong = InputTypeError(f"headers must be a mapping or pairs, not {type(headers).__name__}")
    if isinstance(headers, (str, bytes, bytearray, memoryview, type)):
        raise wrong
    items = getattr(headers, "items", None)
    try:
        return [(key, value) for key, value in (items() if callable(items) else headers)]
    except (TypeError, ValueError):
        raise wrong from None


def _name(key: Any) -> str:
    text = key.decode("latin-1") if isinstance(key, bytes) else key
    return text.lower() if isinstance(text, str) else ""


def _sent(value: Any, name: str) -> bytes:
    try:
        return _encoded(value).strip()
    except InputTypeError as error:
        raise WebhookSignatureError(f"the webhook's header {name!r}: {error}") from None


def _encoded(value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    raise InputTypeError(f"a webhook is made of str or bytes, not {type(value).__name__}")
