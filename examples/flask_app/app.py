"""A small site with live captions of the microphone and streamed speech.

python app.py --sandbox                  try it without a key
SONIOX_API_KEY=... flask --app app run   or: gunicorn --threads 100 'app:create_app()'
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from typing import Optional

from captions import captions, sock
from flask import Flask, redirect, url_for
from sockets import refuse_other_sites
from speech import speech
from werkzeug.wrappers import Response

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox


def create_app(client: Optional[SonioxClient] = None) -> Flask:
    """Create the application; one client serves all requests and threads."""
    app = Flask(__name__)
    app.extensions["soniox"] = client or SonioxClient()  # reads SONIOX_API_KEY
    # a phone that loses its network sends no close frame: an unanswered ping ends its session
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 25}
    app.before_request(refuse_other_sites)
    app.register_blueprint(speech)
    app.register_blueprint(captions)
    sock.init_app(app)

    @app.get("/")
    def home() -> Response:
        return redirect(url_for("captions.page"))

    return app


def main() -> None:
    """Serve on this machine, for development."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()
    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        create_app(sandbox.client() if sandbox else None).run(port=args.port, threaded=True)


if __name__ == "__main__":
    main()
