"""A voice agent in a web page: talk to it, and interrupt it while it speaks.

python app.py --sandbox                  try it without a key
SONIOX_API_KEY=... flask --app app run   or: gunicorn --threads 100 'app:create_app()'
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from typing import Any, Optional

from flask import Flask, render_template, request
from flask_sock import Sock
from sockets import closing, refuse_other_sites
from talk import talk

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox
from soniox_sync.web import WebSocketAudio


def create_app(client: Optional[SonioxClient] = None) -> Flask:
    """Create the application; one client serves all conversations."""
    app, sock = Flask(__name__), Sock()
    client = client or SonioxClient()  # reads SONIOX_API_KEY
    # a phone that loses its network sends no close frame: an unanswered ping ends its conversation
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 25}
    app.before_request(refuse_other_sites)

    @app.get("/")
    def page() -> str:
        return render_template("agent.html")

    @sock.route("/live")
    def live(socket: Any) -> None:
        with closing(socket):
            talk(client, WebSocketAudio(socket, input_rate=request.args.get("rate", 48000, int)))

    sock.init_app(app)
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
