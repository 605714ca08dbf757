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
from typing import Any, Optional, Union

from ..config import ENV_WEBHOOK_HEADER, ENV_WEBHOOK_SECRET
from ..errors import ConfigurationError, InputTypeError, SonioxHttpError, WebhookSignatureError
from .records import Record, Unreadable, Word, needed, one_of, text

DEFAULT_HEADER = "X-Soniox-Webhook-Secret"

HeaderValue = Union[str, bytes, Iterable[Union[str, bytes]]]
Headers = Union[Mapping[str, Any], Iterable[tuple[Any, Any]]]

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

        `headers`: a mapping or pairs, values `str`, `bytes` or lists of them.

        Raises `WebhookSignatureError` for a missing, doubled or wrong value, and
        `MissingWebhookSecretError`, a kind of it, when no secret is set and `allow_unsigned` is
        not true. A secret that is set is always compared.
        """
        name = self._header if header is None else header
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
            fields["webhook_auth_header_name"] = self._header if header is None else header
            fields["webhook_auth_header_value"] = value
        return fields

    def __repr__(self) -> str:
        return f"<WebhooksApi {self._header} {'with' if self._secret else 'without'} a secret>"


def _checked_secret(secret: Any) -> str:
    if not isinstance(secret, str):
        raise InputTypeError(f"secret must be a str, not {type(secret).__name__}")
    return secret.strip()


def _values(headers: Headers, name: str) -> list[bytes]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    found: list[bytes] = []
    for key, value in pairs:
        if _encoded(key).lower() == name.lower().encode("utf-8"):
            several = not isinstance(value, (str, bytes, bytearray, memoryview))
            found += [_encoded(each).strip() for each in (value if several else [value])]
    return found


def _encoded(value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    raise InputTypeError(f"a webhook is made of str or bytes, not {type(value).__name__}")
