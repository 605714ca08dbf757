"""Settings of gunicorn for `app.py`; environment variables choose the workers."""

import json
import os
import subprocess
import sys

# "sync" handles one request at a time in each worker, "gthread" one per thread, "gevent" any number
worker_class = os.environ.get("WORKER_CLASS", "gthread")
if worker_class == "gevent":
    from gevent import monkey

    # gunicorn patches in the workers: too late for modules imported before the fork
    monkey.patch_all()

bind = os.environ.get("BIND", "127.0.0.1:8000")
preload_app = True  # one import, shared by all workers
workers = int(os.environ.get("WORKERS", "2"))
threads = 1 if worker_class == "sync" else 8
# a transcription may take as long as its audio; the default of 30 s would kill a sync worker
timeout = 300

if os.environ.get("SANDBOX"):
    # in its own process, since a master that forks should run no threads
    command = [sys.executable, "-m", "soniox_sync", "sandbox", "--json"]
    sandbox = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert sandbox.stdout is not None
    os.environ.update(json.loads(sandbox.stdout.readline())["env"])


def on_exit(server: object) -> None:
    """End the sandbox together with the master."""
    if os.environ.get("SANDBOX"):
        sandbox.kill()  # it has no data to save
