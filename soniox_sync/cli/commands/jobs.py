"""Transcribe whole files in the background, not in real time.

  soniox-sync jobs submit meeting.mp3 --wait -o meeting.srt
  soniox-sync jobs submit recordings/ --wait --state run.json -o texts/
  soniox-sync jobs submit https://example.com/talk.mp3
  soniox-sync jobs wait ID
  soniox-sync jobs delete ID --with-file

Run an action with --help for its options.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Optional

from ..actions import Actions, add_delete, check_deletion, delete_chosen, run_action
from ..console import Console
from ..contexts import add_context
from ..options import number
from ..progress import Progress
from ..services import open_client
from ..submission.delivery import JOBS, rendered
from ..submission.submit import FORMATS, submit
from ..tables import write_record, write_records

if TYPE_CHECKING:
    from ...rest.stt.types import JobTranscript, TranscriptionJob

USAGE = "ACTION"
HELP = "transcribe files in the background"

run = run_action

_ABOUT_SUBMIT = """\
Several files are sent a few at a time; a folder stands for the audio files in it, at any depth. A
file that is missing or fails does not stop the others: it is named, and the exit code is 1.

With --state, a run that was cut short, even by a kill, continues where it stopped when the same
command is run again, and nothing is submitted twice. The state is kept after success: later, the
same command submits only what is new, and with another -o or --format it writes the finished
transcripts there. Each job has a reference of its own, which begins with that of --reference.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of this command."""
    actions = Actions(parser)
    _add_submit(actions)
    wait = actions.add(
        "wait", "wait for a job and write its transcript", _wait, "ID", "ID --format srt"
    )
    wait.add_argument("id", metavar="ID", help="id of the job")
    _add_output(wait)
    transcript = actions.add(
        "transcript", "write the transcript of a completed job", _transcript, "ID", "ID"
    )
    transcript.add_argument("id", metavar="ID", help="id of the job")
    _add_format(transcript)
    get = actions.add("get", "show the details and status of a job", _get, "ID", "ID")
    get.add_argument("id", metavar="ID", help="id of the job")
    actions.add("list", "list all jobs", _list)
    actions.add("count", "count the jobs", _count)
    delete = add_delete(actions, "job", _delete, "delete jobs", "job")
    delete.add_argument("--with-file", action="store_true", help="delete the audio files as well")


def _add_submit(actions: Actions) -> None:
    parser = actions.add(
        "submit",
        "start jobs for files, folders and URLs",
        submit,
        "FILE... | FOLDER | URL",
        "meeting.mp3 --wait\nrecordings/ --wait -o texts/ --state run.json",
        more="sources",
        about=_ABOUT_SUBMIT,
    )
    parser.add_argument(
        "sources",
        metavar="FILE|FOLDER|URL",
        nargs="*",
        help="audio files, folders of them, or URLs that the service can fetch",
    )
    parser.add_argument(
        "--file-id", action="append", metavar="ID", help="a file uploaded before; repeatable"
    )
    parser.add_argument("--model", metavar="NAME", help="model (default: the current one)")
    parser.add_argument("--translate", metavar="XX", help="translate into this language")
    parser.add_argument("--speakers", action="store_true", help="label the speakers")
    parser.add_argument("--languages", action="store_true", help="label the languages")
    parser.add_argument(
        "--language-hint", action="append", metavar="XX", help="language to expect; repeatable"
    )
    add_context(parser)
    parser.add_argument(
        "--webhook", metavar="URL", help="URL that the service calls when a job ends"
    )
    parser.add_argument("--reference", metavar="TEXT", help="your own reference for the jobs")
    parser.add_argument(
        "--concurrency",
        type=number(int, 1, 32),
        default=8,
        metavar="N",
        help="how many files at a time (default: %(default)s)",
    )
    parser.add_argument(
        "--state", metavar="FILE", help="record progress in FILE, and continue from there"
    )
    parser.add_argument("--wait", action="store_true", help="wait and write the transcripts")
    parser.add_argument(
        "-o", "--output", metavar="PATH", help="with --wait: write to this file or folder"
    )
    parser.add_argument(
        "--delete-after",
        action="store_true",
        help="with --wait: then delete each job and its file at the service",
    )
    _add_output(parser, "by the ending of -o, else text")


def _add_output(parser: argparse.ArgumentParser, default: str = "text") -> None:
    _add_format(parser, default)
    parser.add_argument(
        "--timeout",
        type=number(float, 0),
        metavar="SEC",
        help="wait at most this long for a job (default: no limit)",
    )


def _add_format(parser: argparse.ArgumentParser, default: str = "text") -> None:
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help=f"text, srt, vtt, json or html (default: {default})",
    )


def _show_status(progress: Progress, job: TranscriptionJob) -> None:
    progress.set_text(f"{job.filename}: {job.status}")


def _wait(args: argparse.Namespace, console: Console) -> None:
    from ...rest.stt.types import job_failure

    with open_client(args) as client:
        with Progress(console) as progress:
            job = client.stt.wait(
                args.id, timeout_sec=args.timeout, on_progress=partial(_show_status, progress)
            )
        if job.status == "error":
            raise job_failure(job)
        _write_transcript(args, console, client.stt.get_transcript(job.id), job.audio_duration_ms)


def _transcript(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        _write_transcript(args, console, client.stt.get_transcript(args.id), None)


def _write_transcript(
    args: argparse.Namespace, console: Console, transcript: JobTranscript, length_ms: Optional[int]
) -> None:
    if args.json:
        write_record(args, console, transcript)
    else:
        format = args.format or FORMATS[0]
        console.write(rendered(transcript, format, length_ms, None, None))


def _get(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_record(args, console, client.stt.get(args.id))


def _list(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_records(args, console, client.stt.list_all(), JOBS)


def _count(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_record(args, console, client.stt.count())


def _delete(args: argparse.Namespace, console: Console) -> None:
    check_deletion(args, "job")
    with open_client(args) as client:
        api = client.stt
        delete, delete_all = api.delete, api.delete_all
        if args.with_file:
            delete, delete_all = api.destroy, api.destroy_all
        delete_chosen(args, console, "job", api.list_all, delete, delete_all)
