"""The client under test: a `Connection` that echoes. Run by `tests.autobahn` in its own process."""

from __future__ import annotations

import argparse
import sys
import threading

# what the extra `fast` installs, and what is used in its place where it happens to be there
_FAST = ("orjson", "pybase64", "wsaccel", "websockets")


def _echo_all(url: str, agent: str) -> None:
    from soniox_sync.errors import SonioxError
    from soniox_sync.protocol.messages import malformed
    from soniox_sync.runtime.connection import Connection
    from soniox_sync.runtime.receiver import CloseInfo
    from soniox_sync.transport.connect import Target
    from soniox_sync.transport.frames import TEXT, Message, encode_frame

    class Echo:
        """Receiver that sends every message back, and refuses a text that is not UTF-8.

        So do the receivers of this library, whose texts are JSON. It answers on the reader thread,
        which real ones do not: nothing else is sent here, and the suite reads all the time.
        """

        def __init__(self, path: str) -> None:
            self.ended = threading.Event()
            self.texts: list[bytes] = []
            self._echoes = path.startswith("/runCase")
            self.connection = Connection(Target(url + path, proxy=""), self, ping_interval_sec=None)

        def messages_received(self, messages: list[Message]) -> None:
            """Send messages back."""
            for opcode, payload in messages:
                if opcode == TEXT:
                    self.texts.append(payload)
                    try:
                        payload.decode("utf-8")
                    except UnicodeDecodeError:
                        raise malformed("a text that is not UTF-8") from None
                if self._echoes:
                    frames = encode_frame(opcode, payload)
                    self.connection.send(lambda frames=frames: frames)  # type: ignore[misc]

        def connection_ended(self, _end: CloseInfo) -> None:
            """Note the end."""
            self.ended.set()

        def connection_forked(self, _error: SonioxError) -> None:
            """Do nothing: nobody forks here."""

    def call(path: str) -> list[bytes]:
        echo = Echo(path)
        try:
            echo.connection.open(20)
        except SonioxError:
            pass  # the first frame was a violation, and its end came before `open` returned
        if not echo.ended.wait(120):
            echo.connection.close(2)
            print(f"{path}: not over after 120 s", file=sys.stderr, flush=True)
        return echo.texts

    count = int(call("/getCaseCount")[0])
    for number in range(1, count + 1):
        call(f"/runCase?case={number}&agent={agent}")
    call(f"/updateReports?agent={agent}")


def main() -> None:
    """Run all cases that the server at a URL has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("agent")
    parser.add_argument("--plain", action="store_true", help="without the extra `fast`")
    given = parser.parse_args()
    if given.plain:
        for name in _FAST:
            sys.modules[name] = None  # type: ignore[assignment]
    _echo_all(given.url, given.agent)


if __name__ == "__main__":
    main()
