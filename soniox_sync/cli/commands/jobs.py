"""Transcribe files at the service, without sending them in real time.

  soniox-sync jobs submit meeting.mp3 --wait --format srt > meeting.srt
  soniox-sync jobs submit https://example.com/talk.mp3
  soniox-sync jobs wait ID
  soniox-sync jobs delete ID --with-file

Each action tells its options with --help. Results are lines of columns; with --json each is a line
with all that the service says about it.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from ..actions import Actions, Progress, run_action, write_record, write_records
from ..console import Console, UsageError
from ..options import number
from ..services import open_client

if TYPE_CHECKING:
    from ...client import SonioxClient
    from ...rest.stt_types import JobTranscript, TranscriptionJob

HELP = "transcribe files as jobs"

run = run_action

_FIELDS = ("id", "status", "created_at", "filename")
_FORMATS = ("text", "srt", "vtt")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of this command."""
    actions = Actions(parser)
    _add_submit(actions)
    wait = actions.add("wait", "wait for a job and write its transcript", _wait)
    wait.add_argument("id", metavar="ID", help="the job")
    _add_output(wait)
    transcript = actions.add("transcript", "write the transcript of a completed job", _transcript)
    transcript.add_argument("id", metavar="ID", help="the job")
    transcript.add_argument("--format", choices=_FORMATS, default="text", help="(%(default)s)")
    get = actions.add("get", "show a job as far as it is", _get)
    get.add_argument("id", metavar="ID", help="the job")
    actions.add("list", "list all jobs", _list)
    actions.add("count", "count the jobs", _count)
    delete = actions.add("delete", "delete jobs", _delete)
    delete.add_argument("ids", nargs="*", metavar="ID", help="the jobs")
    delete.add_argument("--all", action="store_true", help="every job there is")
    delete.add_argument("--with-file", action="store_true", help="and the files they were made of")


def _add_submit(actions: Actions) -> None:
    submit = actions.add("submit", "start a job from a file, a URL or an uploaded file", _submit)
    submit.add_argument(
        "source", metavar="FILE|URL", nargs="?", help="audio, or where the service finds it"
    )
    submit.add_argument("--file-id", metavar="ID", help="a file uploaded before")
    submit.add_argument("--model", help="the model, if not the default one")
    submit.add_argument("--translate", metavar="XX", help="translate into this language")
    submit.add_argument("--speakers", action="store_true", help="tell speakers apart")
    submit.add_argument("--languages", action="store_true", help="name the languages spoken")
    submit.add_argument(
        "--language-hint", action="append", metavar="XX", help="a language to expect; repeatable"
    )
    submit.add_argument("--webhook", metavar="URL", help="call this address at the end")
    submit.add_argument("--reference", metavar="TEXT", help="a reference of your own")
    submit.add_argument("--wait", action="store_true", help="wait and write the transcript")
    submit.add_argument("--delete-after", action="store_true", help="with --wait: leave nothing")
    _add_output(submit)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=_FORMATS, default="text", help="(%(default)s)")
    parser.add_argument(
        "--timeout",
        type=number(float, 0),
        metavar="SEC",
        help="wait no longer than so many seconds",
    )


def _submit(args: argparse.Namespace, console: Console) -> None:
    if (args.source is None) == (args.file_id is None):
        raise UsageError("say what to transcribe: a FILE, a URL, or --file-id ID")
    if args.delete_after and not args.wait:
        raise UsageError("--delete-after needs --wait")
    if args.json and args.format != "text":
        raise UsageError(f"--json and --format {args.format} exclude each other")
    with open_client(args) as client:
        if not args.wait:
            with Progress(console) as progress:
                job = client.stt.transcribe(**_order(args, client, progress))
            write_records(args, console, [job], _FIELDS)
            return
        with Progress(console) as progress:
            transcript = client.stt.transcribe_and_wait_with_tokens(
                **_order(args, client, progress),
                delete_after=args.delete_after,
                wait_timeout_sec=args.timeout,
                on_progress=partial(_tell, progress),
            )
    _write_transcript(args, console, transcript)


def _order(args: argparse.Namespace, client: SonioxClient, progress: Progress) -> dict[str, Any]:
    order: dict[str, Any] = {
        "client_reference_id": args.reference,
        "language_hints": args.language_hint,
        "enable_speaker_diarization": args.speakers or None,
        "enable_language_identification": args.languages or None,
        "on_upload_progress": partial(progress.share, "uploading"),
    }
    if args.model:
        order["model"] = args.model
    if args.translate:
        order["translation"] = {"type": "one_way", "target_language": args.translate}
    if args.webhook:
        order.update(client.webhooks.fields(args.webhook))
    if args.file_id:
        order["file_id"] = args.file_id
    elif args.source.lower().startswith(("http://", "https://")):
        order["audio_url"] = args.source
    else:
        order["file"] = args.source
    return order


def _tell(progress: Progress, job: TranscriptionJob) -> None:
    progress.say(f"{job.filename}: {job.status}")


def _wait(args: argparse.Namespace, console: Console) -> None:
    from ...rest.stt_types import job_failure

    with open_client(args) as client:
        with Progress(console) as progress:
            job = client.stt.wait(
                args.id, timeout_sec=args.timeout, on_progress=partial(_tell, progress)
            )
        if job.status == "error":
            raise job_failure(job)
        _write_transcript(args, console, client.stt.get_transcript(job.id))


def _transcript(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        _write_transcript(args, console, client.stt.get_transcript(args.id))


def _write_transcript(
    args: argparse.Namespace, console: Console, transcript: JobTranscript
) -> None:
    if args.json:
        write_record(args, console, transcript)
        return
    from ...protocol.tokens import Result
    from ...transcript import Transcript

    whole = Transcript()
    whole.add(Result(transcript.tokens, finished=True))
    writers: dict[str, Callable[[], str]] = {
        "text": whole.to_text,
        "srt": whole.to_srt,
        "vtt": whole.to_vtt,
    }
    text = writers[args.format]()
    console.write(text if text.endswith("\n") or not text else text + "\n")


def _get(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_record(args, console, client.stt.get(args.id))


def _list(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_records(args, console, client.stt.list_all(), _FIELDS)


def _count(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_record(args, console, client.stt.count())


def _delete(args: argparse.Namespace, console: Console) -> None:
    if bool(args.ids) == args.all:
        raise UsageError("say which jobs to delete: their IDs, or --all")
    with open_client(args) as client:
        delete = client.stt.destroy if args.with_file else client.stt.delete
        for job_id in args.ids:
            delete(job_id)
        if args.all:
            (client.stt.destroy_all if args.with_file else client.stt.delete_all)()
