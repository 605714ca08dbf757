"""Speak and transcribe many texts at once in one gevent worker, each on its own greenlet.

python gevent_worker.py --sandbox
"""

from gevent import monkey

monkey.patch_all()  # before anything that imports sockets or threads

import argparse  # noqa: E402
import time  # noqa: E402
from contextlib import nullcontext  # noqa: E402

from gevent.pool import Pool  # noqa: E402

from soniox_sync import SonioxClient  # noqa: E402
from soniox_sync.sandbox import Sandbox  # noqa: E402

ORDERS = [
    "Two coffees for table one.",
    "The bill for table four, please.",
    "One soup for table seven.",
    "Fresh water for table nine.",
]


def speak_and_hear(client: SonioxClient, text: str) -> str:
    """Run one job; every wait in it lets the other greenlets run."""
    audio = client.realtime.speak(text, voice="Emma", audio_format="wav").read()
    return client.realtime.transcribe(audio, pace=2).read().final_text.strip()


def main() -> None:
    """Parse the command line, run all jobs and print the time saved by running them together."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--at-once", type=int, default=4, help="concurrent jobs (default: 4)")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()

    # the sandbox runs in this process, on greenlets as well
    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY

        def job(text: str) -> float:
            started = time.monotonic()
            print(speak_and_hear(client, text), flush=True)
            return time.monotonic() - started

        started = time.monotonic()
        seconds = Pool(args.at_once).map(job, ORDERS)
        elapsed = time.monotonic() - started
    print(f"{len(ORDERS)} jobs of {sum(seconds):.1f} s in all took {elapsed:.1f} s")


if __name__ == "__main__":
    main()
