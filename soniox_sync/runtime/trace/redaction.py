"""What no line of a trace may show: keys, webhook secrets, credentials of proxies and URLs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple
from urllib.parse import unquote, unquote_plus

from ..._support.locks import new_lock
from ..redaction import MASK, Redactor

# compared without case, dashes and underscores
_FIELDS = frozenset({"apikey", "webhookauthheadervalue", "providerkey", "authorization"})
# the same, if the value is a text: `token` may also be an object of a transcript. Exact names, as
# `key` is that of a pair in `context`, and `text_tokens` a number; in the query of a URL, which has
# no content, each of these words may be a part of a name (`_QUERY`).
_TEXT_FIELDS = frozenset(
    {
        *("secret", "clientsecret", "secretkey", "webhooksecret", "privatekey", "accesskey"),
        *("password", "passwd", "passphrase", "pass", "pwd"),
        *("token", "accesstoken", "refreshtoken", "idtoken", "authtoken", "sessiontoken"),
        *("signature", "sig", "credential", "credentials"),
    }
)
_FIELD_OF_A_HEADER = "webhook_auth_header_name"
_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-slng-provider-key",
        "x-api-key",
        "api-key",
    }
)
# bytes of results by how often they occur, the rarest first; those not in it hardly do
_FREQUENT = b'jxqzyvbk8697543wgp2hcuf10mdlr_sintoea{}[].,: "'
_RARE = _FREQUENT.index(b"v")
# deeper than any message of the service; what is below is masked
_DEEPEST = 50
# a process that makes a temporary key for each of its users must not keep all of them, nor look for
# all of them in each message; keys of open connections are kept by those
_MOST_LEARNED = 256

# also without a scheme, as in `Location: //user:password@host/`
_USER_INFO = re.compile(r"(//)([^/\s?#\"'<>\\]*)@")
_QUERY = re.compile(
    r"((?:^|[?&;#])(?:[\w.\-+%\[\]]*"
    r"(?:key|token|secret|passw|passphrase|pwd|signature|sig|auth|credential)[\w.\-+%\[\]]*"
    r"|(?:[\w.\-+%\[\]]*[_.\-\[])?pass\]?)=)"
    r"([^&;\s#\"'<>\\]+)",
    re.IGNORECASE,
)
# a field in a text that is no JSON, or in JSON inside a string: its quotes may be escaped
_FIELD_IN_TEXT = re.compile(
    r"((?:api[_-]?key|webhook[_-]auth[_-]header[_-]value|provider[_-]key|authorization)"
    r"\\*[\"']?\s*)([:=]\s*\\*[\"']?)((?:(?:bearer|basic)\s+)?)([^\s\"'\\,;&}<>]+)",
    re.IGNORECASE,
)
_MAYBE_FIELD = re.compile(r"key|auth", re.IGNORECASE)
# what of a response is a key: no word, no sentence, no value that a transcript may repeat
_KEY_OF_A_RESPONSE = re.compile(
    r"(?=[^\s]{12,}$)(?:(?:sk|pk|temp|tmp|key|tok|token|test|live)[-_:.]|(?=.{16,}$)(?=.*[0-9]))"
)


class KnownSecrets:
    """Secrets that any line of this process may repeat. Thread-safe.

    Holds keys of clients and connections, and those that responses created; the oldest are dropped
    when there are more than 256.
    """

    def __init__(self) -> None:
        # Guards writes to `secrets` and `headers`. Leaf.
        self._lock = new_lock()
        # replaced as a whole, so that readers need no lock
        self.secrets: tuple[str, ...] = ()
        self.headers: frozenset[str] = _HEADERS

    def learn(self, secrets: Iterable[str]) -> None:
        """Redact these from now on."""
        new = [secret for secret in secrets if secret and secret not in self.secrets]
        if new:
            with self._lock:
                self.secrets = tuple(dict.fromkeys((*self.secrets, *new)))[-_MOST_LEARNED:]

    def learn_header(self, name: str) -> None:
        """Redact the values of this header from now on."""
        with self._lock:
            self.headers = self.headers | {name.strip().lower()}


known: KnownSecrets = KnownSecrets()


class Verbatim(dict[str, Any]):
    """Part of a value that is not searched for secrets: audio and its digest."""


class _Rules(NamedTuple):
    """What is redacted at one moment."""

    secrets: tuple[str, ...]  # the known ones
    redactor: Redactor
    may_hide: Callable[[bytes], bool]


class Redaction:
    """Redaction of the lines of one connection or exchange: its own secrets and the known ones.

    Thread-safe.
    """

    def __init__(self, own: Iterable[str] = ()) -> None:
        self._own = tuple(own)
        known.learn(self._own)
        self._rules = self._renewed()

    def _renewed(self) -> _Rules:
        secrets = known.secrets
        redactor = Redactor((*self._own, *secrets))
        return _Rules(secrets, redactor, _searcher(redactor.spellings))

    @property
    def _current(self) -> _Rules:
        if self._rules.secrets is not known.secrets:  # something was learned
            self._rules = self._renewed()
        return self._rules

    @property
    def may_hide(self) -> Callable[[bytes], bool]:
        """Function that returns whether a JSON text may contain something to redact.

        Fast, and valid until something is learned.
        """
        return self._current.may_hide

    def text(self, text: str) -> str:
        """Return a text without secrets, also those in URLs and in fields that it spells out."""
        text = self._current.redactor.text(text)
        if "//" in text:
            text = _USER_INFO.sub(rf"\1{MASK}@", text)
        if "=" in text:
            text = _QUERY.sub(rf"\1{MASK}", text)
        if _MAYBE_FIELD.search(text):
            text = _FIELD_IN_TEXT.sub(_mask_field, text)
        return text

    def data(self, data: bytes) -> bytes:
        """Return bytes without secrets."""
        redacted: bytes = self._current.redactor.value(data)
        return redacted

    def learn(self, value: Any) -> None:
        """Redact from now on what is secret in a value that is sent: the server may repeat it."""
        known.learn(_secrets_sent(value))

    def learn_headers(self, headers: Mapping[str, str]) -> None:
        """Redact from now on what secret headers that are sent contain, without its scheme."""
        hidden = known.headers
        known.learn(v.rpartition(" ")[2] for k, v in headers.items() if k.lower() in hidden)

    def value(self, value: Any) -> Any:
        """Return a redacted copy of parsed JSON, and learn which keys its fields show."""
        known.learn(each for each in _secrets_in(value) if _KEY_OF_A_RESPONSE.match(each))
        return self._redacted(value, 0)

    def _redacted(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if not isinstance(value, (Mapping, list, tuple)) or type(value) is Verbatim:
            return value
        if depth == _DEEPEST:
            return MASK
        if not isinstance(value, Mapping):
            return [self._redacted(item, depth + 1) for item in value]
        return {
            self.text(str(name)): (
                MASK if _is_secret(name, item) else self._redacted(item, depth + 1)
            )
            for name, item in value.items()
        }

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return headers without secrets; the scheme of an authorization stays."""
        hidden = known.headers
        return {
            self.text(str(name)): (
                _masked(name, str(value)) if str(name).lower() in hidden else self.text(str(value))
            )
            for name, value in headers.items()
        }

    def protocols(self, names: Iterable[str]) -> list[str]:
        """Return subprotocols; one of them may be a key, however short."""
        return [MASK if name in self._own else self.text(name) for name in names]


def _searcher(spellings: Sequence[str]) -> Callable[[bytes], bool]:
    """Return a function that looks for these, and for URLs and queries, in the text of a message.

    It is called for every result of a transcription, of about 2 KB. Looking for one byte takes
    0.1 us, for several 0.5 to 1.5 us. So the rarest byte of each mark is looked for, and compared
    at each place found: `y` is in no name of a field, and in a text every fiftieth letter.
    """
    rare: list[tuple[bytes, int, bytes]] = []  # byte, where it is in the mark, mark
    common: list[bytes] = []
    for mark in (spelling.encode("utf-8", "replace") for spelling in spellings):
        byte = min(mark, key=lambda each: _FREQUENT.find(each))
        if _FREQUENT.find(byte) < _RARE:
            rare.append((bytes((byte,)), mark.index(byte), mark))
        else:
            common.append(mark)
    plain = all(spelling.isascii() for spelling in spellings)

    def may_hide(payload: bytes) -> bool:
        # an escaped letter could be one of a secret; other escapes could only spell a secret that
        # is not ASCII
        if b"\\" in payload and (not plain or b"\\u00" in payload or b"\\/" in payload):
            return True
        if b"=" in payload or (b"/" in payload and b"//" in payload):
            return True
        for byte, offset, mark in rare:
            at = payload.find(byte, offset)
            while at >= 0:
                if payload.startswith(mark, at - offset):
                    return True
                at = payload.find(byte, at + 1)
        for mark in common:  # noqa: SIM110 - any() with a generator takes twice as long
            if mark in payload:
                return True
        return False

    return may_hide


def secrets_of_url(url: str) -> Iterator[str]:
    """Yield the secret values in a URL, or in a text with URLs: the server may repeat them."""
    for found in _QUERY.finditer(url):
        yield from _plain_and_quoted(found[2])
    for found in _USER_INFO.finditer(url):
        user, colon, password = found[2].partition(":")
        yield from _plain_and_quoted(password if colon else user)


def _plain_and_quoted(value: str) -> Iterator[str]:
    yield value
    yield unquote(value)
    yield unquote_plus(value)


def _secrets_in(value: Any, secret: bool = False, depth: int = 0) -> Iterator[str]:
    """Yield the values of secret fields; remember the header that a webhook secret is sent in.

    `secret`: whether `value` is that of a secret field, or in it, such as in a list of keys.
    """
    if depth == _DEEPEST:
        return
    if isinstance(value, str):
        if secret:
            yield value
            yield value.rpartition(" ")[2]  # without the scheme of an authorization
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name == _FIELD_OF_A_HEADER and isinstance(item, str):
                known.learn_header(item)
            yield from _secrets_in(item, secret or _is_secret(name, item), depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _secrets_in(item, secret, depth + 1)


def _secrets_sent(value: Any) -> Iterator[str]:
    """Yield the values of secret fields, and what URLs, queries and forms in texts contain."""
    yield from _secrets_in(value)
    for text in _texts(value, 0):
        yield from secrets_of_url(text)
        if _MAYBE_FIELD.search(text):
            for found in _FIELD_IN_TEXT.finditer(text):
                if not _is_prose(found):
                    yield from _plain_and_quoted(found[4])


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < _DEEPEST and isinstance(value, (Mapping, list, tuple)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item, depth + 1)


def _mask_field(found: re.Match[str]) -> str:
    """Mask the value of a field in a text, unless it is prose: "api_key: required"."""
    if _is_prose(found):
        return found[0]
    return f"{found[1]}{found[2]}{found[3]}{MASK}"


def _is_prose(found: re.Match[str]) -> bool:
    _, separator, scheme, value = found.groups()
    return separator.strip() == ":" and not scheme and value.rstrip(".").isalpha()


def tells_secret(name: str) -> bool:
    """Return whether the value of a field is secret, or says in which header a secret is."""
    return name == _FIELD_OF_A_HEADER or _is_secret(name, "")


def _is_secret(name: object, value: object) -> bool:
    plain = str(name).replace("_", "").replace("-", "").lower()
    if plain in _FIELDS:
        return value is not None
    return plain in _TEXT_FIELDS and isinstance(value, str)


def _masked(name: str, value: str) -> str:
    scheme, space, _ = value.partition(" ")
    keeps = name.lower().endswith("authorization") and space and scheme.isalpha()
    return f"{scheme} {MASK}" if keeps else MASK
