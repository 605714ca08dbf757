"""Equivalent mutants of `runtime` and `realtime`."""

from __future__ import annotations

from .mutants import Equivalent

_RUNTIME = "soniox_sync/runtime/"
_REALTIME = "soniox_sync/realtime/"
_SEARCH = "only faster: what is looked for by its rarest byte is found by all of them, too"
_NUMBERS = "numbers tell objects of a process apart; where they begin means nothing"
_FORKS = "for Windows, where nothing forks: the runner does"
_TRUTH = "only its truth counts, and that is the same"

LIVE: tuple[Equivalent, ...] = (
    Equivalent(
        _REALTIME + "recording/capture.py",
        "Capture.ended",
        "if rest:",
        "if True:",
        "capturing nothing adds nothing",
    ),
    Equivalent(
        _REALTIME + "recording/capture.py",
        "Capture._accept",
        "if self.wire_config is None:",
        "if True:",
        "only faster: a format that is known is not taken or settled again",
    ),
    Equivalent(
        _REALTIME + "stt/core.py",
        "SessionCore.__init__",
        "self._last_audio = 0.0",
        "pass",
        "it is set with the first message, before anything reads it",
    ),
    Equivalent(
        _REALTIME + "tts/stream.py",
        "",
        "_KEEP_ENCODED_BYTES = 1024 * 1024",
        "_KEEP_ENCODED_BYTES = 1024 / 1024",
        "where audio is decoded, on the reader or by its consumer, changes no result",
    ),
    Equivalent(
        _RUNTIME + "clock.py",
        "Clock.call_at",
        "if not self._heap or when < self._heap[0][0]:",
        "if not self._heap or when <= self._heap[0][0]:",
        "only slower: of two timers at one moment the second one wakes the thread, too",
    ),
    Equivalent(
        _RUNTIME + "delivery.py",
        "CallbackWorker.stop",
        "if self._thread is not None:",
        "if True:",
        "a wake-up for a thread that never starts, or starts later and is woken once more",
    ),
    Equivalent(
        _RUNTIME + "delivery.py",
        "_arity",
        "return 99",
        "return 100",
        "either is more than any event has arguments",
    ),
    Equivalent(
        _RUNTIME + "delivery.py",
        "Delivery.take",
        "if self._mode != _ITERATED:",
        "if True:",
        "only faster: what is iterated is recorded as that once more",
    ),
    Equivalent(
        _RUNTIME + "trace/content.py",
        "Encoder.value",
        'if any(mark in payload for mark in (b"udio", b"UDIO", b"\\\\u00")):',
        "if True:",
        "only faster: without a mark no field is called audio",
    ),
    Equivalent(
        _RUNTIME + "trace/redaction.py",
        "KnownSecrets.learn",
        "if new:",
        "if True:",
        "only faster: the same secrets again",
    ),
    Equivalent(
        _RUNTIME + "trace/trace.py",
        "ConnectionTrace._received",
        "return messages",
        "return None",
        "its caller goes on with what it passed",
    ),
    Equivalent(
        _RUNTIME + "connection.py",
        "Connection._read",
        "if opcode > BINARY:",
        "if True:",
        "only faster: a batch without control frames is delivered by what follows, too",
    ),
    Equivalent(
        _RUNTIME + "redaction.py",
        "_spellings",
        "if secret.isalnum() and secret.isascii():",
        "if False:",
        "only faster: such a secret has one spelling",
    ),
    Equivalent(
        _RUNTIME + "trace/output.py",
        "FileOutput._was_moved",
        "return False",
        "return None",
        _TRUTH,
    ),
    Equivalent(
        _RUNTIME + "trace/redaction.py",
        "KnownSecrets.learn",
        "new = [secret for secret in secrets if secret and secret not in self.secrets]",
        "new = [secret for secret in secrets if ((secret) or (secret not in self.secrets))]",
        "only faster: a known one keeps its place, an empty one is too short to be looked for",
    ),
    Equivalent(
        _RUNTIME + "trace/redaction.py",
        "Redaction.text",
        'if "//" in text:',
        "if True:",
        "only faster: without a mark there is nothing to replace",
    ),
    Equivalent(
        _RUNTIME + "trace/redaction.py",
        "_searcher",
        "if _FREQUENT.find(byte) < _RARE:",
        "if True:",
        _SEARCH,
    ),
    Equivalent(
        _RUNTIME + "trace/redaction.py",
        "_searcher",
        "if _FREQUENT.find(byte) < _RARE:",
        "if False:",
        _SEARCH,
    ),
    Equivalent(
        _RUNTIME + "trace/redaction.py",
        "Redaction.text",
        "if _MAYBE_FIELD.search(text):",
        "if True:",
        "only faster: without a mark there is nothing to replace",
    ),
    Equivalent(
        _RUNTIME + "trace/redaction.py",
        "_secrets_sent",
        "if _MAYBE_FIELD.search(text):",
        "if True:",
        "only faster: without a mark there is nothing to find",
    ),
    Equivalent(
        _RUNTIME + "trace/redaction.py",
        "",
        """_FREQUENT = b'jxqzyvbk8697543wgp2hcuf10mdlr_sintoea{}[].,: "'""",
        """_FREQUENT = b'XXjxqzyvbk8697543wgp2hcuf10mdlr_sintoea{}[].,: "'""",
        _SEARCH,
    ),
    Equivalent(
        _REALTIME + "recording/pump.py",
        "Pump.release",
        "self.is_quiet = self._was_quiet",
        "pass",
        "only faster: whoever finds it not quiet asks what is due, and is told nothing",
    ),
    Equivalent(
        _REALTIME + "recording/pump.py",
        "Pump.start_if_needed",
        "if self._handed is None or self._thread is not None:",
        "if False:",
        "only faster: the same is asked again under the lock",
    ),
    Equivalent(
        _RUNTIME + "trace/output.py",
        "FileOutput",
        "takes_copies = True",
        "takes_copies = False",
        "only faster: what cannot be copied is encoded, with the same line as a result",
    ),
    Equivalent(
        _RUNTIME + "trace/trace.py",
        "",
        "_exchanges = itertools.count(1)",
        "_exchanges = itertools.count(2)",
        _NUMBERS,
    ),
    Equivalent(
        _RUNTIME + "connection.py",
        "",
        "_numbers = itertools.count(1)",
        "_numbers = itertools.count(2)",
        _NUMBERS,
    ),
    Equivalent(
        _REALTIME + "speech/engine.py",
        "Engine._stream_ended",
        "if error is None and part.sent < len(part.text):  # it ended before all text was sent",
        "if error is None and part.sent <= len(part.text):  # it ended before all text was sent",
        "with nothing left to speak restart() ends the part, as the next branch does",
    ),
    *(
        Equivalent(
            _RUNTIME + "trace/results.py",
            "",
            f'"{name}",',
            f"'XX{name}',",
            "only faster: other names are looked at one by one, and this is none of a secret",
        )
        for name in (
            *("tokens", "text", "start_ms", "end_ms", "confidence", "is_final", "speaker"),
            *("language", "source_language", "translation_status", "final_audio_proc_ms"),
            *("total_audio_proc_ms", "finished"),
        )
    ),
    Equivalent(
        _RUNTIME + "clock.py",
        "",
        'if hasattr(os, "register_at_fork"):',
        "if True:",
        _FORKS,
    ),
    Equivalent(
        _RUNTIME + "forks.py",
        "",
        'if hasattr(os, "register_at_fork"):',
        "if True:",
        _FORKS,
    ),
    Equivalent(
        _RUNTIME + "trace/content.py",
        "",
        "_DEEPEST = 50",
        "_DEEPEST = 51",
        "what it leaves there is masked at the same level by the redaction",
    ),
    Equivalent(
        _REALTIME + "recording/pump.py",
        "Pump.start_if_needed",
        "if self._handed is None or self._thread is not None:",
        "if ((self._handed is None) and (self._thread is not None)):",
        "only faster: the same is asked again under the lock",
    ),
    Equivalent(
        _REALTIME + "tts/multiplexer.py",
        "TtsMultiplexer._to_stream",
        "if failed and frame.error is not None:",
        "if ((failed)):",
        "for type checkers: what failed has an error",
    ),
    Equivalent(
        _REALTIME + "speech/markdown.py",
        "MarkdownReader.__init__",
        "self._in_fence_line = False  # not at the start of one of its lines",
        "pass  # not at the start of one of its lines",
        "declares the field: opening a block sets it before anything reads it",
    ),
    Equivalent(
        _REALTIME + "speech/markdown.py",
        "MarkdownReader._end_line",
        "return at + 1",
        "return None",
        "the end of the last line is all that is left, and nobody asks for it",
    ),
    Equivalent(
        _REALTIME + "speech/texts.py",
        "check_text",
        "check_tts_text(text[at : at + 1000])",
        "check_tts_text(text[at : at + 1001])",
        "slices that overlap are checked for the same",
    ),
    Equivalent(
        _REALTIME + "speech/joiner.py",
        "_read_mp3",
        "return Frame(128, 0.0, True)",
        "return Frame(128, 1.0, True)",
        "the seconds of a tag are not counted",
    ),
    Equivalent(
        _REALTIME + "pool/allowance.py",
        "Allowance.__init__",
        "self._refused_at = 0.0",
        "pass",
        "declares the field: it is read only after a refusal, which sets it",
    ),
)
