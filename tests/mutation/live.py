"""Equivalent mutants of `runtime` and `realtime`: module, scope, line before and after, reason."""

from __future__ import annotations

_RUNTIME = "soniox_sync/runtime/"
_REALTIME = "soniox_sync/realtime/"
_SEARCH = "only faster: what is looked for by its rarest byte is found by all of them, too"
_NUMBERS = "numbers tell objects of a process apart; where they begin means nothing"
_FORKS = "for Windows, where nothing forks: the runner does"
_TRUTH = "only its truth counts, and that is the same"

LIVE: tuple[tuple[str, str, str, str, str], ...] = (
    (
        _RUNTIME + "clock.py",
        "Clock.call_at",
        "if not self._heap or when < self._heap[0][0]:",
        "if not self._heap or when <= self._heap[0][0]:",
        "only slower: of two timers at one moment the second one wakes the thread, too",
    ),
    (
        _RUNTIME + "delivery.py",
        "CallbackWorker.stop",
        "if self._thread is not None:",
        "if True:",
        "a wake-up for a thread that never starts, or starts later and is woken once more",
    ),
    (
        _RUNTIME + "delivery.py",
        "_arity",
        "return 99",
        "return 100",
        "either is more than any event has arguments",
    ),
    (
        _RUNTIME + "delivery.py",
        "Delivery.take",
        "if self._mode != _ITERATED:",
        "if True:",
        "only faster: what is iterated is recorded as that once more",
    ),
    (
        _RUNTIME + "trace/content.py",
        "Encoder.value",
        'if any(mark in payload for mark in (b"udio", b"UDIO", b"\\\\u00")):',
        "if True:",
        "only faster: without a mark no field is called audio",
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "KnownSecrets.learn",
        "if new:",
        "if True:",
        "only faster: the same secrets again",
    ),
    (
        _RUNTIME + "trace/trace.py",
        "ConnectionTrace._received",
        "return messages",
        "return None",
        "its caller goes on with what it passed",
    ),
    (
        _RUNTIME + "connection.py",
        "Connection._read",
        "if opcode > BINARY:",
        "if True:",
        "only faster: a batch without control frames is delivered by what follows, too",
    ),
    (
        _RUNTIME + "redaction.py",
        "_spellings",
        "if secret.isalnum() and secret.isascii():",
        "if False:",
        "only faster: such a secret has one spelling",
    ),
    (
        _RUNTIME + "trace/output.py",
        "FileOutput._was_moved",
        "return False",
        "return None",
        _TRUTH,
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "KnownSecrets.learn",
        "new = [secret for secret in secrets if secret and secret not in self.secrets]",
        "new = [secret for secret in secrets if ((secret) or (secret not in self.secrets))]",
        "only faster: a known one keeps its place, an empty one is too short to be looked for",
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "Redaction.text",
        'if "//" in text:',
        "if True:",
        "only faster: without a mark there is nothing to replace",
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "_searcher",
        "if _FREQUENT.find(byte) < _RARE:",
        "if True:",
        _SEARCH,
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "_searcher",
        "if _FREQUENT.find(byte) < _RARE:",
        "if False:",
        _SEARCH,
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "Redaction.text",
        "if _MAYBE_FIELD.search(text):",
        "if True:",
        "only faster: without a mark there is nothing to replace",
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "_secrets_sent",
        "if _MAYBE_FIELD.search(text):",
        "if True:",
        "only faster: without a mark there is nothing to find",
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "",
        """_FREQUENT = b'jxqzyvbk8697543wgp2hcuf10mdlr_sintoea{}[].,: "'""",
        """_FREQUENT = b'XXjxqzyvbk8697543wgp2hcuf10mdlr_sintoea{}[].,: "'""",
        _SEARCH,
    ),
    (
        _REALTIME + "recording/pump.py",
        "Pump.release",
        "self.is_quiet = self._was_quiet",
        "pass",
        "only faster: whoever finds it not quiet asks what is due, and is told nothing",
    ),
    (
        _REALTIME + "recording/pump.py",
        "Pump.start_if_needed",
        "if self._handed is None or self._thread is not None:",
        "if False:",
        "only faster: the same is asked again under the lock",
    ),
    (
        _RUNTIME + "trace/output.py",
        "FileOutput",
        "takes_copies = True",
        "takes_copies = False",
        "only faster: what cannot be copied is encoded, with the same line as a result",
    ),
    (
        _RUNTIME + "trace/trace.py",
        "",
        "_exchanges = itertools.count(1)",
        "_exchanges = itertools.count(2)",
        _NUMBERS,
    ),
    (
        _RUNTIME + "connection.py",
        "",
        "_numbers = itertools.count(1)",
        "_numbers = itertools.count(2)",
        _NUMBERS,
    ),
    (
        _REALTIME + "speech/engine.py",
        "Engine._stream_ended",
        "if error is None and part.sent < len(part.text):  # it ended before all text was sent",
        "if error is None and part.sent <= len(part.text):  # it ended before all text was sent",
        "with nothing left to speak restart() ends the part, as the next branch does",
    ),
    *(
        (
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
    (
        _RUNTIME + "clock.py",
        "",
        'if hasattr(os, "register_at_fork"):',
        "if True:",
        _FORKS,
    ),
    (
        _RUNTIME + "forks.py",
        "",
        'if hasattr(os, "register_at_fork"):',
        "if True:",
        _FORKS,
    ),
    (
        _RUNTIME + "trace/content.py",
        "",
        "_DEEPEST = 50",
        "_DEEPEST = 51",
        "what it leaves there is masked at the same level by the redaction",
    ),
    (
        _REALTIME + "recording/pump.py",
        "Pump.start_if_needed",
        "if self._handed is None or self._thread is not None:",
        "if ((self._handed is None) and (self._thread is not None)):",
        "only faster: the same is asked again under the lock",
    ),
    (
        _REALTIME + "tts/multiplexer.py",
        "TtsMultiplexer._to_stream",
        "if failed and frame.error is not None:",
        "if ((failed)):",
        "for type checkers: what failed has an error",
    ),
    (
        _REALTIME + "speech/markdown.py",
        "MarkdownReader.__init__",
        "self._in_fence_line = False  # not at the start of one of its lines",
        "pass  # not at the start of one of its lines",
        "declares the field: opening a block sets it before anything reads it",
    ),
    (
        _REALTIME + "speech/markdown.py",
        "MarkdownReader._end_line",
        "return at + 1",
        "return None",
        "the end of the last line is all that is left, and nobody asks for it",
    ),
    (
        _REALTIME + "speech/texts.py",
        "check_text",
        "check_tts_text(text[at : at + 1000])",
        "check_tts_text(text[at : at + 1001])",
        "slices that overlap are checked for the same",
    ),
    (
        _REALTIME + "speech/joiner.py",
        "_read_mp3",
        "return Frame(128, 0.0, True)",
        "return Frame(128, 1.0, True)",
        "the seconds of a tag are not counted",
    ),
    (
        _REALTIME + "pool/allowance.py",
        "Allowance.__init__",
        "self._refused_at = 0.0",
        "pass",
        "declares the field: it is read only after a refusal, which sets it",
    ),
)
