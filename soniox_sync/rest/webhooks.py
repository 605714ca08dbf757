"""`client.webhooks`: verifies that a webhook is from the service, and parses it (PROTOCOL 5.9).

The service does not sign webhooks: it sends a header that you chose when you created the
transcription. So the header's value is a shared secret, compared in constant time. A receiver
without a secret would trust anybody, which must be requested explicitly.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Protocol, Union

from .._support.checks import boolean, wrong_type
from .._support.checks import text as check_text
from ..errors import ConfigurationError, InputTypeError, SonioxHttpError, WebhookSignatureError
from .arguments import check_header_name, check_header_secret
from .records import Record, Unreadable, Word, needed, one_of, text

if TYPE_CHECKING:
    from .keywords import WebhookFields

DEFAULT_HEADER = "X-Soniox-Webhook-Secret"


class HasItems(Protocol):
    """Headers that are not a `Mapping`, such as `http.client.HTTPMessage`."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Return names and values; a header that was sent twice is included twice."""


Headers = Union[Mapping[str, Any], HasItems, Iterable[tuple[Any, Any]]]

_ENV_HEADER, _ENV_SECRET = "SONIOX_API_WEBHOOK_HEADER", "SONIOX_API_WEBHOOK_SECRET"
_ADVICE = f"set {_ENV_SECRET}, pass secret=, or trust any caller with allow_unsigned=True"
_check_name = check_text()
_check_secret = check_text(empty=True)  # an empty one counts as none


class MissingWebhookSecretError(WebhookSignatureError, ConfigurationError):
    """There is no secret to compare with: the receiver is not configured."""

    code = "webhook_secret_missing"


class WebhookStatus(Word):
    """How a transcription ended."""

    COMPLETED = "completed"
    ERROR = "error"


@dataclass(frozen=True, repr=False)
class WebhookEvent(Record):
    """Contents of a webhook: the id of a transcription, and how it ended (`WebhookStatus`)."""

    id: str = needed(text)
    status: str = needed(one_of(WebhookStatus))


class WebhooksApi:
    """Verification of webhooks: `client.webhooks`. Thread-safe, no network.

    Header name and secret come from the arguments, else from `SONIOX_API_WEBHOOK_HEADER` (default
    `X-Soniox-Webhook-Secret`) and `SONIOX_API_WEBHOOK_SECRET`, read when the client is created. A
    handler must tolerate being called twice: the service repeats a webhook that was not answered
    with a 2xx status.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._header = environ.get(_ENV_HEADER, "").strip() or DEFAULT_HEADER
        self._secret = environ.get(_ENV_SECRET, "").strip()

    def verify(
        self,
        headers: Headers,
        *,
        secret: Optional[str] = None,
        header: Optional[str] = None,
        allow_unsigned: bool = False,
    ) -> None:
        """Raise unless `headers` contain the secret exactly once; the name is case-insensitive.

        `headers`: those of the request, from your framework or `http.server` (`request.headers`,
        `self.headers`): anything with `items()`, or pairs. Values are `str`, `bytes` or lists of
        them; `None` counts as missing. A WSGI environ, such as Django's `request.META`, also works:
        there the name is `HTTP_X_SONIOX_WEBHOOK_SECRET`. `allow_unsigned`: accept any caller if no
        secret is set; one that is set is always compared.

        Raises
            WebhookSignatureError: the value is missing, repeated, wrong, or not text.
            MissingWebhookSecretError: no secret is set, and `allow_unsigned` is False.
            ConfigurationError: a secret or a header name that a header cannot have, such as one
                that is not ASCII: it would never match.
            InputTypeError: `headers` are not headers, or another argument has the wrong type.
        """
        boolean("allow_unsigned", allow_unsigned)
        name, expected = self._chosen(header, secret)
        if not expected:
            if allow_unsigned:
                return
            raise MissingWebhookSecretError(f"no webhook secret to compare with: {_ADVICE}")
        sent = _values(headers, name)
        if not sent:
            raise WebhookSignatureError(f"the webhook has no header {name!r}")
        if len(sent) > 1:
            raise WebhookSignatureError(f"the webhook has the header {name!r} more than once")
        if not hmac.compare_digest(sent[0], expected.encode("utf-8")):
            raise WebhookSignatureError(f"the webhook's header {name!r} does not match the secret")

    def unwrap(
        self,
        body: Union[str, bytes, bytearray, memoryview],
        headers: Headers,
        *,
        secret: Optional[str] = None,
        header: Optional[str] = None,
        allow_unsigned: bool = False,
    ) -> WebhookEvent:
        """Verify a webhook as `verify()` does, then parse it.

        Raises
            WebhookSignatureError: as `verify()`.
            ConfigurationError: as `verify()`.
            InputTypeError: as `verify()`, or a `body` of the wrong type.
            SonioxHttpError: with the code `parse_error`: the body is not what the service sends.
        """
        self.verify(headers, secret=secret, header=header, allow_unsigned=allow_unsigned)
        data = _encoded("body", body)
        try:
            event = WebhookEvent.from_raw(json.loads(data.decode("utf-8")))
        except (ValueError, RecursionError) as error:  # JSON's, Unicode's and `Unreadable`
            why = str(error) if isinstance(error, Unreadable) else "it is not JSON"
            raise SonioxHttpError(
                f"the body of the webhook is not what the service sends: {why}", code="parse_error"
            ) from None
        if not event.id:
            raise SonioxHttpError("the webhook has an empty id", code="parse_error")
        return event

    def fields(
        self, url: str, *, secret: Optional[str] = None, header: Optional[str] = None
    ) -> WebhookFields:
        """Return the fields of a transcription that make the service call `url` with the secret.

        Without a secret there is only the URL.

        Raises
            ConfigurationError: an empty `url` or `header`, or one that cannot be sent.
            InputTypeError: an argument of the wrong type.
        """
        _check_name("url", url)
        fields: WebhookFields = {"webhook_url": url}
        name, value = self._chosen(header, secret)
        if value:
            fields["webhook_auth_header_name"] = name
            fields["webhook_auth_header_value"] = value
        return fields

    def _chosen(self, header: Optional[str], secret: Optional[str]) -> tuple[str, str]:
        """Return name and secret: the arguments, else those of the environment."""
        if header is not None:
            _check_name("header", header)
        if secret is not None:
            _check_secret("secret", secret)
        chosen = self._secret if secret is None else secret.strip()
        if chosen:
            check_header_secret(_ENV_SECRET if secret is None else "secret", chosen)
        name = self._header if header is None else header
        check_header_name(_ENV_HEADER if header is None else "header", name)
        return name, chosen

    def __repr__(self) -> str:
        return f"<client.webhooks {self._header}, {'a' if self._secret else 'no'} secret set>"


def _values(headers: Headers, name: str) -> list[bytes]:
    """Return all values of a header; `None` is not a value."""
    names = {name.lower(), "http_" + name.lower().replace("-", "_")}
    found: list[bytes] = []
    for key, value in _pairs(headers):
        if _name(key) in names and value is not None:
            several = value if isinstance(value, (list, tuple)) else [value]
            found += [_sent(each, name) for each in several if each is not None]
    return found


def _pairs(headers: Any) -> list[tuple[Any, Any]]:
    """Return names and values of headers of any type."""
    wrong = wrong_type("headers", "a mapping or pairs", headers)
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
        return _encoded(name, value).strip()
    except InputTypeError as error:
        raise WebhookSignatureError(f"the webhook's header {error}") from None


def _encoded(name: str, value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    raise wrong_type(name, "str or bytes", value)
