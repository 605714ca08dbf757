"""`Trace`: what a client records, and the lines of its connections.

Lines of one connection come in the order of the wire: a sent frame is recorded under the send lock
before it is written, received ones by the reader before they are handled. So what answers a frame
always comes after it, in either direction.
"""

from __future__ import annotations

import functools
import itertools
import logging
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Callable, Optional, TypeVar, cast

from ..._support.accel import json_loads
from ..._support.reprs import summary
from ..._version import __version__
from ...errors import ConfigurationError, SonioxConnectionError
from ...protocol.messages import ParsedText
from ...transport.connect import Target
from ...transport.frames import BINARY, CLOSE, PING, TEXT, Message, decode_frames
from ..receiver import CloseInfo
from ..redaction import secrets_of_proxies, secrets_of_proxy
from .content import Encoder, audio_json, stream_of
from .output import Copies, Fields, Line, Output, output_for
from .redaction import Redaction, known, secrets_of_url
from .results import is_plain

_log = logging.getLogger("soniox_sync")
_exchanges = itertools.count(1)

VERSION = 1
# of the response to a refused upgrade; no gateway's error page is more telling
_MAX_BODY_CHARS = 4096
# fields that a result of a transcription does not have: a message with one is encoded
_CONTENT = frozenset({"audio", "data", "stream_id"})
# as few writes as possible, and no more than stays in the cache: 20 tokens take 15 KB when parsed
_BATCH = 16
# all threads of this library have such a name
_OUR_THREADS = "soniox-"
_SUBPROTOCOL = "sec-websocket-protocol"

F = TypeVar("F", bound=Callable[..., Any])


def harmless(method: F) -> F:
    """Decorate a method of a recorder: if it fails, tracing stops and the session goes on."""

    @functools.wraps(method)
    def call(self: Any, *args: Any) -> Any:
        if self.trace.stopped:
            return None
        try:
            return method(self, *args)
        except BaseException as error:  # noqa: BLE001 - see `Trace.failed`
            self.trace.failed(error)
            return None

    return cast(F, call)


class Trace:
    """Recorder of a client. Thread-safe; opens nothing until `start()`.

    `destination`: a path, a file object or a callable. `audio`: whether audio is recorded, or only
    its length and digest. `secrets`: keys of the client, and its webhook secret; `proxy`: its
    proxy, with credentials.
    """

    def __init__(
        self,
        destination: Any,
        audio: bool = False,
        *,
        secrets: Iterable[str] = (),
        proxy: Optional[str] = None,
        webhook_header: Optional[str] = None,
    ) -> None:
        self._output: Output = output_for(destination)
        self.audio: bool = audio
        self.stopped: bool = False  # after a failure, which was reported
        self._secrets = tuple(secrets)
        self._proxy = proxy
        self._webhook_header = webhook_header

    def start(self) -> None:
        """Open the file if necessary; called before each connection and each exchange.

        Raises
            ConfigurationError: it cannot be opened.
        """
        if self.stopped:
            return
        self._learn()
        try:
            self._output.open(
                {
                    "kind": "trace",
                    "version": VERSION,
                    "library": __version__,
                    "python": ".".join(map(str, sys.version_info[:3])),
                    "platform": sys.platform,
                    "audio": self.audio,
                }
            )
        except ConfigurationError:
            raise
        except BaseException as error:  # noqa: BLE001 - see `failed`
            self.failed(error)

    def _learn(self) -> None:
        known.learn(self._secrets)
        known.learn(secrets_of_proxies(self._proxy))
        if self._webhook_header:
            known.learn_header(self._webhook_header)

    def connection(self, number: int, target: Target) -> ConnectionTrace:
        """Return the recorder of one connection."""
        return ConnectionTrace(self, number, target)

    def next_exchange(self) -> int:
        """Return the number of an HTTP exchange, which no other of this process has."""
        return next(_exchanges)

    @property
    def takes_copies(self) -> bool:
        """Whether messages can be copied into lines as they are."""
        return self._output.takes_copies

    def write(self, *lines: Line) -> None:
        """Write lines; raises what the output raises."""
        if not self.stopped:
            self._output.write(lines)

    def failed(self, error: BaseException) -> None:
        """Handle what the output raised: tracing stops, sessions go on.

        What is no `Exception` is raised again in a thread of the user: a `KeyboardInterrupt`, and
        `pytest.fail()` in a callable. In a thread of this library it would end a session.
        """
        if not isinstance(error, Exception):
            thread = threading.current_thread()
            if not (thread.daemon and thread.name.startswith(_OUR_THREADS)):
                raise error
        self.stop(error)

    def stop(self, error: BaseException) -> None:
        """Write no more lines after `error`, which is logged, once."""
        if self.stopped:
            return
        self.stopped = True
        why = Redaction(self._secrets).text(f"{type(error).__name__}: {error}")
        _log.warning(
            "! tracing stopped, sessions go on: the trace (%s) cannot be written: %s: %s, and make "
            "a new client to trace again",
            repr(self._output),
            why,
            self._output.remedy,
        )
        self._output.close()

    def close(self) -> None:
        """Close the file. Lines that come later are written all the same."""
        self._output.close()

    def __repr__(self) -> str:
        return summary(self, f"to {self._output!r}", "stopped" if self.stopped else "")


class ConnectionTrace:
    """Recorder of one WebSocket.

    `received`, `ended` and what belongs to connecting are called by its reader, `sent` by whoever
    holds the send lock.
    """

    def __init__(self, trace: Trace, number: int, target: Target) -> None:
        self.trace = trace
        self._number = number
        secrets = (*target.secrets, *secrets_of_url(target.url), *secrets_of_proxy(target.proxy))
        self._redaction = Redaction(secrets)
        self._encoder = Encoder(self._redaction, trace.audio)
        self._live = False  # from the first line to the last
        # what is the same in all results that are copied, and in all audio that is sent
        message = b'"kind":"message","connection":%d,' % number
        self._result_head = message + b'"direction":"received","json":'
        self._audio_head = message + b'"direction":"sent","binary":'
        # half of the lines of a live session: half the time of a line that is made of a dict
        self._shortens_audio = trace.takes_copies and not trace.audio

    # -- connecting ------------------------------------------------------------------------------

    def connecting(self, target: Target) -> Target:
        """Record that a connection is opened; return the target that reports the response.

        Raises
            ConfigurationError: the file of the trace cannot be opened.
        """
        self.trace.start()
        self._connect(target)
        return replace(target, on_response=self.responded)

    @harmless
    def _connect(self, target: Target) -> None:
        self._live = True
        self._write(
            "connect",
            url=self._redaction.text(target.url),
            headers=self._redaction.headers(dict(_split(line) for line in target.headers)),
            subprotocols=self._redaction.protocols(target.subprotocols),
        )

    @harmless
    def responded(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Record the response to the request for the upgrade."""
        redacted = self._redaction.headers(headers)
        if status != 101:
            # cut after redacting: half of a key would not be recognised
            text = self._encoder.text(body)[:_MAX_BODY_CHARS]
            self._write("refused", status=status, headers=redacted, body=text)
            return
        subprotocol = None
        for name in redacted:
            if name.lower() == _SUBPROTOCOL:
                (subprotocol,) = self._redaction.protocols([headers[name]])
                redacted[name] = subprotocol
        self._write("open", status=status, headers=redacted, subprotocol=subprotocol)

    # -- frames ----------------------------------------------------------------------------------

    @harmless
    def sent(self, frames: bytes) -> None:
        """Record frames that are about to be written."""
        if self._live:
            self.trace.write(*(self._sent(*each) for each in decode_frames(frames)))

    def _sent(self, opcode: int, payload: bytes) -> Line:
        if opcode == BINARY and self._shortens_audio:
            return Copies(self._audio_head, [audio_json(payload)])
        return self._frame("sent", opcode, payload)

    def received(self, messages: list[Message]) -> Iterator[list[Message]]:
        """Record whole messages and control frames; yield them, with what was parsed, in batches.

        A batch is handled before the next one is parsed, while it is in the processor's cache.
        """
        for start in range(0, len(messages), _BATCH):
            batch = messages[start : start + _BATCH]
            yield self._received(batch) or batch

    @harmless
    def _received(self, messages: list[Message]) -> list[Message]:
        """Record a batch in one write; return it, with what was parsed."""
        results = self._results(messages) if self.trace.takes_copies else None
        if results is None:
            self.trace.write(*(self._frame("received", *each) for each in messages))
            return messages
        self.trace.write(Copies(self._result_head, [payload for _, payload in results]))
        return results

    def _results(self, messages: list[Message]) -> Optional[list[Message]]:
        """Return parsed results of a transcription if these are nothing else, and can be copied.

        Copying takes a tenth of encoding them again. They must be parsed, because a line must be
        JSON; so the receiver gets what came of it. They cannot be copied if a line feed is in them,
        or something to redact.
        """
        found: list[Message] = []
        values: list[dict[str, Any]] = []
        for opcode, payload in messages:
            if opcode != TEXT or b'"tokens"' not in payload:
                return None
            try:
                value = json_loads(payload)
            except ValueError:
                return None  # recorded as text
            if type(value) is not dict or not value.keys().isdisjoint(_CONTENT):
                return None
            values.append(value)
            parsed = ParsedText(payload)
            parsed.value = value
            found.append((TEXT, parsed))
        # all at once: looking for a byte takes longer to call than to do
        joined = b"".join([payload for _, payload in messages])
        if b"\n" in joined or b"\r" in joined or self._redaction.may_hide(joined):
            return None
        if not is_plain(values, joined):
            return None
        return found

    def _frame(self, direction: str, opcode: int, payload: bytes) -> Fields:
        if opcode == TEXT:
            encode = self._encoder.sent if direction == "sent" else self._encoder.message
            content = encode(payload)
            stream = stream_of(content.get("json"))
            line = self._line("message", direction=direction, **content)
            return line if stream is None else {**line, "stream": stream}
        if opcode == BINARY:
            return self._line("message", direction=direction, **self._encoder.binary(payload))
        if opcode == CLOSE:
            code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else None
            reason = self._redaction.text(payload[2:].decode("utf-8", "replace"))
            return self._line("close", direction=direction, code=code, reason=reason)
        kind = "ping" if opcode == PING else "pong"
        return self._line(kind, direction=direction, bytes=len(payload))

    # -- the end ---------------------------------------------------------------------------------

    @harmless
    def ended(self, end: CloseInfo) -> None:
        """Record the end; nothing comes after it."""
        if not self._live:  # the file could not be opened
            return
        error = end.cause
        if error is None and end.code is None:
            error = SonioxConnectionError(end.describe())
        self._write("end", error=describe(self._redaction, error))
        self._live = False

    def _line(self, kind: str, **fields: Any) -> Fields:
        return {"kind": kind, "connection": self._number, **fields}

    def _write(self, kind: str, **fields: Any) -> None:
        self.trace.write(self._line(kind, **fields))


def describe(redaction: Redaction, error: Optional[BaseException]) -> Optional[str]:
    """Return class and message of an error, without secrets; `None` for none."""
    return None if error is None else redaction.text(f"{type(error).__name__}: {error}")


def _split(header: str) -> tuple[str, str]:
    name, _, value = header.partition(":")
    return name.strip(), value.strip()
