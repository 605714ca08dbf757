"""Error messages, one line each, and exit codes."""

from __future__ import annotations

import json
import os
import re
import traceback
from typing import Any

from ..errors import AbortError, ConfigurationError, SonioxError
from .console import Console, InputError, OutputFailed, UsageError
from .interrupt import Terminated
from .parser import ParseError

__all__ = [
    "FAILED",
    "AboutInput",
    "INTERRUPTED",
    "OK",
    "PROGRAM",
    "USAGE",
    "error_fields",
    "exit_code",
    "message_about",
    "message_of",
    "report",
    "report_one_of_several",
]

PROGRAM = "soniox-sync"
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
# Shells report a process ended by a signal as 128 plus the signal's number.
_SIGNAL_BASE = 128
# Attributes of an error that --json reports besides its message.
_ERROR_FIELDS = ("code", "status_code", "error_type", "request_id", "more_info")

# Messages of the library name keywords of its calls: the option that sets each of them.
_OPTIONS = {
    "accent": "--accent",
    "age": "--age",
    "allow_origins": "--allow-origin",
    "api_key": "--api-key-env",
    "audio_format": "--audio-format",
    "bitrate": "--bitrate",
    "client_reference_id": "--reference",
    "duplex": "--duplex",
    "gender": "--gender",
    "host": "--host",
    "language": "--language",
    "language_hints": "--language-hint",
    "model": "--model",
    "num_channels": "--channels",
    "patience_sec": "--patience",
    "provider_key": "--provider-key-env",
    "region": "--region",
    "sample_rate": "--sample-rate",
    "speed": "--speed",
    "style": "--style",
    "target_language": "--translate",
    "terms": "--term",
    "trace": "--trace",
    "use_case": "--use-case",
    "voice": "--voice",
    "webhook_url": "--webhook",
    "world_part": "--world-part",
}
# Those that messages name without "=".
_LIMITS = {
    "give_up_after_sec": "--give-up-after",
    "max_reconnect_attempts": "--max-reconnect-attempts",
}
_LIMIT = re.compile(rf"(?<=[( ])({'|'.join(_LIMITS)})(?=\)|$|\. )")
# What messages begin with and no option sets: arguments, and the key itself.
_ARGUMENTS = {
    "api_key": "the API key",
    "audio": "FILE",
    "file": "FILE",
    "file_id": "ID",
    "name": "NAME",
    "transcription_id": "ID",
    "voice_id": "ID",
}
# how a message begins that is about the one file of a call
_FILE = f"{_ARGUMENTS['file']}: "
_NAMES = "|".join(_OPTIONS)
# `sample_rate: expected ...`, `sample_rate=16000, `, `(world_part=)`
_SUBJECT = re.compile(rf"^({_NAMES}|{'|'.join(_ARGUMENTS)})(\[\d+\])?(?=: )")
_KEYWORD = re.compile(
    rf"(?<![\w?&])({_NAMES})=(?:\.\.\.|(['\"])([^'\"]*)\2|(\d+)|(?=[\s,.;)]|$))"
    rf"(?:,(?= (?:{_NAMES})=))?"
)
_KEY_PLACE = re.compile(r"\bin (?:\w+ or )?api_key=")
_NO_BITRATE = re.compile(r"expected None, as (\w+ has no bitrate), got \d+")
# Advice with no keyword to replace: advice for the command line instead.
_PHRASES = (
    (
        "use the sandbox: `soniox-sync --sandbox ...` or soniox_sync.sandbox.Sandbox",
        "use --sandbox",
    ),
    ("expected a str that is not empty, got ''", "must not be empty"),
    (" or pass api_key=...", ", or name another variable with --api-key-env"),
    (", or raise connect_timeout_sec", ""),
    (", or raise timeout_sec", ""),
    ("check region, base_domain and DNS", "check --region, SONIOX_BASE_DOMAIN and DNS"),
    ("check region, base_url and DNS", "check --region, SLNG_BASE_URL and DNS"),
    ("set verify= to", "set REQUESTS_CA_BUNDLE to"),
    ("that client.models and client.tts_models list", f"that `{PROGRAM} models` lists"),
    ("client.stt.transcribe_and_wait() reads", f"`{PROGRAM} jobs submit` reads"),
    (
        "does not know yet use base_domain=",
        "does not know yet, leave out --region and set SONIOX_BASE_DOMAIN=",
    ),
)


class AboutInput(Exception):
    """Error about the only input of a command, which is reported with its name."""

    def __init__(self, name: str, error: BaseException) -> None:
        super().__init__(str(error))
        self.name = name
        self.error = error


def exit_code(error: BaseException, *, interrupted: bool) -> int:
    """Return the exit code for the exception that ended a command."""
    if isinstance(error, AboutInput):
        return exit_code(error.error, interrupted=interrupted)
    if isinstance(error, Terminated):
        return _SIGNAL_BASE + error.signum
    if interrupted or isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, (UsageError, ConfigurationError)) or _has_filename(error):
        return USAGE
    return FAILED


def report(
    error: BaseException, console: Console, *, interrupted: bool, verbose: int, as_json: bool
) -> None:
    """Write an error to stderr as one line, plain or JSON; with -vv a traceback comes first.

    A second line after a usage error says whose help to read.
    """
    if verbose > 1:
        console.write_error(
            "".join(traceback.format_exception(type(error), error, error.__traceback__))
        )
    if _is_interruption(error, interrupted):
        console.note("interrupted")
    elif isinstance(error, AboutInput):
        report_one_of_several(error.error, console, error.name, verbose=0, as_json=as_json)
    elif as_json:
        fields = error_fields(error, exit_code(error, interrupted=interrupted))
        console.write_error(json.dumps({"error": fields}, default=str))
    else:
        hint = "" if verbose > 1 or _is_expected(error) else " (please run with -vv and report it)"
        console.write_error(f"{PROGRAM}: {message_of(error)}{hint}")
        if isinstance(error, ParseError):
            console.write_error(f"see {error.program} --help")


def _is_interruption(error: BaseException, interrupted: bool) -> bool:
    """Return whether an error means only that Ctrl-C was pressed."""
    if isinstance(error, KeyboardInterrupt) or (interrupted and isinstance(error, AbortError)):
        return True
    # Python wraps exceptions that are raised while it creates a class, as during an import
    cause = error.__cause__ or error.__context__
    return interrupted and cause is not None and _is_interruption(cause, interrupted)


def report_one_of_several(
    error: BaseException, console: Console, name: str, *, verbose: int, as_json: bool
) -> None:
    """Write the error of one of several inputs to stderr, as one line, plain or JSON."""
    if verbose > 1:
        trace = traceback.format_exception(type(error), error, error.__traceback__)
        console.write_error("".join(trace))
    if as_json:
        fields = {"file": name, **error_fields(error, exit_code(error, interrupted=False))}
        console.write_error(json.dumps({"error": fields}, default=str))
    else:
        console.write_error(f"{PROGRAM}: {message_about(name, error)}")


def message_about(name: str, error: BaseException) -> str:
    """Return the message of an error about an input, in which the input is named once."""
    message = message_of(error)
    if isinstance(error, InputError) or _has_filename(error):
        return message
    return f"{name}: {message[len(_FILE) :] if message.startswith(_FILE) else message}"


def error_fields(error: BaseException, code: int) -> dict[str, Any]:
    """Return what `--json` tells of an error."""
    fields = {"type": type(error).__name__, "message": message_of(error), "exit_code": code}
    for name in _ERROR_FIELDS:
        value = getattr(error, name, None)
        if value is not None:
            fields[name] = value
    return fields


def message_of(error: BaseException) -> str:
    """Return the message of an error in one line, in words of the command line."""
    if isinstance(error, OSError) and error.strerror and not isinstance(error, SonioxError):
        # files that are written have errors of their own
        where = f"cannot read {os.fsdecode(error.filename)}: " if _has_filename(error) else ""
        return f"{where}{error.strerror}"
    text = for_command_line(" ".join(str(error).split())) or type(error).__name__
    return text if _is_expected(error) else f"internal error: {type(error).__name__}: {text}"


def for_command_line(message: str) -> str:
    """Return a message of the library with options in place of its keywords.

    `pass audio_format="pcm_s16le", sample_rate=16000` becomes
    `pass --audio-format pcm_s16le --sample-rate 16000`.
    """
    for phrase, replacement in _PHRASES:
        message = message.replace(phrase, replacement)
    message = _KEY_PLACE.sub("in the environment variable", message)
    message = _LIMIT.sub(lambda match: _LIMITS[match[1]], message)
    message = _SUBJECT.sub(lambda match: _ARGUMENTS.get(match[1]) or _OPTIONS[match[1]], message)
    message = _NO_BITRATE.sub(r"\1", message)
    return _KEYWORD.sub(_option, message).replace("leave audio_format out", "leave it out")


def _option(match: re.Match[str]) -> str:
    value = match[3] if match[3] is not None else match[4]
    return _OPTIONS[match[1]] + (f" {value}" if value is not None else "")


def _has_filename(error: BaseException) -> bool:
    """Return whether an error is about a file, which must be one from the command line."""
    return isinstance(error, OSError) and error.filename is not None


def _is_expected(error: BaseException) -> bool:
    return isinstance(error, (UsageError, OutputFailed, Terminated, SonioxError, OSError))
