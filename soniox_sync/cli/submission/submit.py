"""`jobs submit`: from its options to a run."""

from __future__ import annotations

import argparse
import os
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlsplit

from ...config import OneWayTranslation, resolve_connection_config
from ..console import Console, UsageError
from ..contexts import context_of
from ..inputs import Input, Inputs, expanded
from ..progress import Progress
from ..services import open_client
from ..targets import format_of
from .delivery import Delivery
from .runner import Runner
from .state import State, StateFile
from .work import Work, work_of
from .worker import Plan, Workers

if TYPE_CHECKING:
    from ...client import SonioxClient
    from ...rest.stt.types import TranscriptionJob

__all__ = ["FORMATS", "submit"]

FORMATS = ("text", "srt", "vtt", "json", "html")
# Options that decide what a job is: a run goes on only with the same.
_OF_JOBS = (
    *("model", "translate", "speakers", "languages", "language_hint", "term", "webhook"),
    *("reference",),
)
_MAX_REFERENCE_CHARS = 256


def submit(args: argparse.Namespace, console: Console) -> None:
    """Submit the inputs, and with `--wait` write their transcripts."""
    _check(args)
    fields = _job_fields(args)
    inputs = expanded(args.sources, folders=True, urls=True)
    inputs.usable.extend(Input(f"id:{each}") for each in args.file_id or ())
    state = _state(args, fields)
    try:
        work = _work(args, state, inputs)
        with open_client(args) as client, Progress(console) as progress:
            if args.webhook:
                fields.update(client.webhooks.fields(args.webhook))
            _run(args, console, client, state, work, fields, progress)
    finally:
        state.close()


def _check(args: argparse.Namespace) -> None:
    if args.sandbox and args.state is not None:
        raise UsageError(
            "--state is of no use with --sandbox, whose jobs end with the command: run "
            "`soniox-sync sandbox` in another terminal, set the variables it prints, and leave out "
            "--sandbox"
        )
    if not args.sources and not args.file_id and not (args.state and os.path.exists(args.state)):
        what = "audio files, folders, URLs, or --file-id ID"
        if args.state:
            raise UsageError(f"--state: {args.state} does not exist: to begin a run, give {what}")
        raise UsageError(f"give {what}")
    if "-" in args.sources:
        raise UsageError("stdin cannot be submitted: name a file")
    if not args.wait:
        for option in ("delete_after", "format", "output", "timeout"):
            if getattr(args, option) not in (None, False):
                raise UsageError(f"--{option.replace('_', '-')} needs --wait")
    if args.json and args.output is None and args.format not in (None, "text"):
        raise UsageError(f"--json cannot be combined with --format {args.format}: add -o PATH")
    args.format = format_of(args.format, args.output, FORMATS)


def _job_fields(args: argparse.Namespace) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "context": context_of(args),
        "language_hints": args.language_hint,
        "enable_speaker_diarization": args.speakers or None,
        "enable_language_identification": args.languages or None,
        "model": args.model,
    }
    if args.translate is not None:
        fields["translation"] = OneWayTranslation(args.translate)
    return {name: value for name, value in fields.items() if value is not None}


def _state(args: argparse.Namespace, fields: dict[str, Any]) -> State:
    options = {name: getattr(args, name) for name in _OF_JOBS if getattr(args, name)}
    if "context" in fields:
        options["context"] = fields["context"]
    if args.state is None:
        return State(options)
    return StateFile(args.state, options, _service_of(args))


def _service_of(args: argparse.Namespace) -> str:
    """Return the URL of the service, without a password that may be in it."""
    parts = urlsplit(resolve_connection_config({"region": args.region}).api_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _work(args: argparse.Namespace, state: State, inputs: Inputs) -> Work:
    """Return what is to be done: with the inputs, or without any with those of the state."""
    if inputs.total:
        items = [state.add(each, args.reference) for each in inputs.usable]
    else:
        items = list(state.items.values())
        inputs = Inputs([Input(item.key, item.folder or "") for item in items], [])
    if args.state is not None:
        _name_items(state, args.reference)
    if inputs.total > 1 and args.wait and args.output is None and args.format not in _ON_STDOUT:
        raise UsageError(f"{inputs.total} inputs as {args.format}: add -o FOLDER")
    return work_of(args, items, inputs.usable, inputs.unusable)


# several of another format, one behind the other, would be no document
_ON_STDOUT = ("text",)


def _name_items(state: State, reference: Optional[str]) -> None:
    """Give each new item a reference of its own, by which its job can be found."""
    for item in state.items.values():
        if item.is_named:
            continue
        item.reference = f"{reference or 'soniox-sync'}-{secrets.token_hex(8)}"
        item.is_named = True
        if len(item.reference) > _MAX_REFERENCE_CHARS:
            longest = _MAX_REFERENCE_CHARS - len(item.reference) + len(reference or "")
            raise UsageError(f"--reference: with --state at most {longest} characters")


def _run(
    args: argparse.Namespace,
    console: Console,
    client: SonioxClient,
    state: State,
    work: Work,
    fields: dict[str, Any],
    progress: Progress,
) -> None:
    several = work.total > 1
    plan = Plan(
        fields=fields,
        unique=args.state is not None,
        wait=args.wait,
        timeout_sec=args.timeout,
        on_upload=None if several else partial(progress.set_bar, "uploading"),
        on_status=None if several else partial(_show_status, progress),
    )
    delivery = Delivery(args, console, work.targets, several=several)
    workers = Workers(client, plan, min(args.concurrency, max(1, len(work.items))))
    Runner(args, console, state, delivery, work).run(workers, progress)


def _show_status(progress: Progress, job: TranscriptionJob) -> None:
    progress.set_text(f"{job.filename}: {job.status}")
