"""`SpeechBody`: how streamed speech ends, and which threads may end it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from typing import Any, Callable

import pytest

from soniox_sync import AbortError, CancelToken, SonioxHttpError, StateError
from soniox_sync.rest import HttpTimeoutError
from tests.rest.raw_http import CHUNKED, PATIENCE, Peer, RawHttp, chunked, collect

Serve = Callable[..., RawHttp]
SAY: dict[str, Any] = {"text": "Hello world.", "voice": "Adrian"}


def test_a_silent_server_times_out(serve: Serve) -> None:
    """When no audio is received for `timeout_sec`, the call fails with `HttpTimeoutError`."""

    def act(peer: Peer) -> None:
        peer.send(CHUNKED + b"5\r\nRIFF!\r\n")
        peer.server.release.wait(PATIENCE)

    server = serve(act)
    with server.client(timeout_sec=0.3) as client:
        data, error = collect(client.tts.generate_stream(**SAY))
    assert data == b"RIFF!"
    assert isinstance(error, (HttpTimeoutError, TimeoutError)) and error.code == "timeout"


@pytest.mark.parametrize("when", ["before", "head", "body"])
def test_a_cancel_wakes_the_call(serve: Serve, when: str) -> None:
    """A cancel from another thread ends a call that waits for a response or more audio."""
    token = CancelToken()

    def act(peer: Peer) -> None:
        if when == "body":
            peer.send(CHUNKED + b"5\r\nRIFF!\r\n")
        threading.Thread(target=token.cancel, args=("enough",)).start()
        assert peer.wait_closed()
        peer.server.release.set()

    server = serve(act)
    if when == "before":
        token.cancel("enough")
    with server.client() as client, pytest.raises(AbortError, match="enough"):
        for piece in client.tts.generate_stream(**SAY, cancel=token):
            assert piece == b"RIFF!"
    assert (server.connections == 0) is (when == "before")
    if when != "before":
        assert server.release.wait(PATIENCE)


def test_closing_the_client_wakes_the_call(serve: Serve) -> None:
    """`client.close()` from another thread ends a running call with `AbortError`."""
    server = serve(lambda peer: peer.wait_closed() and None)
    client = server.client()
    helper = threading.Thread(target=lambda: server.asked.wait(PATIENCE) and client.close())
    helper.start()
    with pytest.raises(AbortError, match="closed"):
        client.tts.generate(**SAY)
    helper.join()


def test_leaving_a_stream_early_drops_the_connection(serve: Serve) -> None:
    """A stream closed before its end does not leave a half-read connection for others."""

    def act(peer: Peer) -> None:
        peer.send(CHUNKED + b"5\r\nRIFF!\r\n")
        peer.server.release.set() if peer.wait_closed() else None

    server = serve(act, chunked(b"RIFF"))
    with server.client() as client:
        with client.tts.generate_stream(**SAY) as body:
            assert next(body) == b"RIFF!"
        assert server.release.wait(PATIENCE)
        body.close()
        assert list(body) == []
        assert client.tts.generate(**SAY) == b"RIFF"
    assert server.connections == 2


def stalled(peer: Peer) -> None:
    """Send some audio, then nothing; set `release` when the client has disconnected."""
    peer.send(CHUNKED + b"5\r\nRIFF!\r\n")
    if peer.wait_closed():
        peer.server.release.set()


@pytest.mark.parametrize("head", ["", "Connection: close\r\n"])
def test_closing_a_stream_wakes_its_reader(serve: Serve, head: str) -> None:
    """`close()` in another thread ends a wait for audio with `AbortError`, and raises nothing."""

    def act(peer: Peer) -> None:
        peer.send(CHUNKED[:-2] + head.encode() + b"\r\n5\r\nRIFF!\r\n")
        helper.start()
        if peer.wait_closed():
            peer.server.release.set()

    failed: list[BaseException] = []

    def end() -> None:
        try:
            body.close()
            body.close()
        except BaseException as error:  # noqa: BLE001 - asserted below
            failed.append(error)

    ready = threading.Event()
    helper = threading.Thread(target=lambda: ready.wait(PATIENCE) and end())
    server = serve(act, chunked(b"RIFF"))
    with server.client() as client:
        body = client.tts.generate_stream(**SAY)
        assert next(body) == b"RIFF!"
        ready.set()
        with pytest.raises(AbortError, match="closed") as caught:
            next(body)
        helper.join(PATIENCE)
        assert not failed and isinstance(caught.value, SonioxHttpError)
        assert list(body) == []
        assert server.release.wait(PATIENCE)
        assert client.tts.generate(**SAY) == b"RIFF"


def test_a_stream_closed_between_two_reads_does_not_look_complete(serve: Serve) -> None:
    """A close in another thread between two reads makes the next read raise."""
    server = serve(stalled)
    with server.client() as client:
        body = client.tts.generate_stream(**SAY)
        assert next(body) == b"RIFF!"
        helper = threading.Thread(target=body.close)
        helper.start()
        helper.join()
        assert server.release.wait(PATIENCE)
        with pytest.raises(AbortError, match="closed"):
            next(body)


def test_a_stream_may_be_closed_in_its_own_loop(serve: Serve) -> None:
    """`close()` inside the loop ends it without an error."""
    server = serve(stalled)
    got = b""
    with server.client() as client:
        body = client.tts.generate_stream(**SAY)
        for piece in body:
            got += piece
            body.close()
        assert server.release.wait(PATIENCE)
    assert got == b"RIFF!"


def test_closing_a_stream_that_has_ended_changes_nothing(serve: Serve) -> None:
    """A stream that has ended has released its connection; closing it in any thread is legal."""
    server = serve(chunked(b"RIFF!"))
    with server.client() as client:
        body = client.tts.generate_stream(**SAY)
        assert list(body) == [b"RIFF!"]
        for close in (body.close, client.close):
            helper = threading.Thread(target=close)
            helper.start()
            helper.join()
        assert list(body) == []


def test_many_may_close_at_once(serve: Serve) -> None:
    """Closing from many threads at once releases the connection once."""
    server = serve(stalled, chunked(b"RIFF"))
    failed: list[BaseException] = []

    def end() -> None:
        gate.wait()
        try:
            body.close()
        except BaseException as error:  # noqa: BLE001 - asserted below
            failed.append(error)

    gate = threading.Barrier(8)
    with server.client() as client:
        body = client.tts.generate_stream(**SAY)
        next(body)
        threads = [threading.Thread(target=end) for _ in range(8)]
        for thread in threads:
            thread.start()
        with pytest.raises(AbortError, match="closed"):
            next(body)
        for thread in threads:
            thread.join(PATIENCE)
        assert not failed and client.tts.generate(**SAY) == b"RIFF"


def test_a_stream_has_one_reader(serve: Serve) -> None:
    """A second reader gets `StateError`, and the first one continues."""
    refused: list[BaseException] = []

    def act(peer: Peer) -> None:
        peer.send(CHUNKED + b"5\r\nRIFF!\r\n")
        peer.server.release.wait(PATIENCE)
        peer.send(b"4\r\nmore\r\n0\r\n\r\n")

    def read_too() -> None:
        # if this thread reads before the first one does, it waits and the first is refused
        try:
            got.append(next(body))
        except StateError as error:
            refused.append(error)
            server.release.set()

    got: list[bytes] = []
    server = serve(act)
    with server.client() as client:
        body = client.tts.generate_stream(**SAY)
        assert next(body) == b"RIFF!"
        helpers = [threading.Thread(target=read_too) for _ in range(2)]
        for helper in helpers:
            helper.start()
        for helper in helpers:
            helper.join(PATIENCE)
        assert got == [b"more"] and len(refused) == 1
        assert list(body) == []


def test_a_stream_that_is_dropped_closes_itself(serve: Serve) -> None:
    """A stream that nothing refers to after its loop drops its connection."""
    server = serve(stalled)
    with server.client() as client:
        for piece in client.tts.generate_stream(**SAY):
            assert piece == b"RIFF!"
            break
        assert server.release.wait(PATIENCE)


def test_leaving_early_leaves_nothing_open(serve: Serve) -> None:
    """Whether the reader, the file or the upload stops early, no socket is left open.

    Checked in a separate process, with the interpreter's warnings on.
    """
    script = """
        import gc, io, sys, warnings
        warnings.simplefilter("error", ResourceWarning)
        unraised = []
        sys.unraisablehook = lambda found: unraised.append(repr(found.exc_value))
        from soniox_sync import SonioxClient, SonioxHttpError

        class Full(io.RawIOBase):
            def write(self, data):
                raise OSError("the disk is full")

        def refuse(sent, total):
            raise OSError("enough")

        def stop(call):
            try:
                call()
            except (OSError, SonioxHttpError):
                return
            raise SystemExit("nothing was raised")

        def leave(body):
            for piece in body:
                break

        url, say = sys.argv[1], {"text": "x", "voice": "Adrian"}
        with SonioxClient("key-of-a-test", api_url=url + "/v1", tts_api_url=url) as client:
            leave(client.tts.generate_stream(**say))
            with client.tts.generate_stream(**say) as body:
                leave(body)
            body = client.tts.generate_stream(**say)
            body.close()
            client.tts.generate_stream(**say)
            stop(lambda: client.tts.generate_to_file(Full(), **say))
            stop(lambda: client.files.upload(b"x" * 1_000_000, on_progress=refuse))
            del body
            gc.collect()
        gc.collect()
        assert not unraised, unraised
    """
    server = serve(stalled)
    command = [sys.executable, "-X", "dev", "-c", textwrap.dedent(script), server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "ResourceWarning" not in done.stderr, done.stderr
