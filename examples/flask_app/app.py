"""A small site that speaks and listens: speech while it is made, captions while you speak.

python app.py --sandbox                  try it without a key
SONIOX_API_KEY=... flask --app app run   or: gunicorn --threads 100 'app:create_app()'
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from typing import Optional

from captions import captions, sock
from flask import Flask, Response, redirect, url_for
from speech import speech

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox


def create_app(client: Optional[SonioxClient] = None) -> Flask:
    """Make the application; one client serves all requests and threads."""
    app = Flask(__name__)
    app.extensions["soniox"] = client or SonioxClient()  # reads SONIOX_API_KEY
    # a phone that lost its network says no good bye: a ping unanswered ends its session
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 25}
    app.register_blueprint(speech)
    app.register_blueprint(captions)
    sock.init_app(app)

    @app.get("/")
    def home() -> Response:
        return redirect(url_for("captions.page"))

    return app


def main() -> None:
    """Serve on this machine, for development."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox, without a key")
    args = parser.parse_args()
    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        create_app(sandbox.client() if sandbox else None).run(port=args.port, threaded=True)


if __name__ == "__main__":
    main()
