"""Importing the package and making a client open nothing, start nothing, load nothing heavy."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

HEAVY = ("requests", "ssl", "websocket", "numpy", "socket", "urllib3", "asyncio", "orjson")


def run(script: str, *flags: str) -> str:
    done = subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(script)], capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


_WATCH = """
    import os, socket, sys, threading
    opened = []
    def watch(event, args):
        if event.startswith("socket.") and event != "socket.gethostname":
            opened.append((event, args))
        if event in ("subprocess.Popen", "os.fork", "os.posix_spawn"):
            opened.append((event, args))
        if event == "open" and args[2] is not None and args[1] not in ("r", "rb", None):
            opened.append((event, args))
        if event in ("_thread.start_new_thread", "_thread.start_joinable_thread"):
            opened.append((event, args))
    descriptors = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    sys.addaudithook(watch)
"""

_JUDGE = """
    after = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    assert not opened, opened
    assert after == descriptors, after - descriptors
    assert threading.active_count() == 1, threading.enumerate()
"""


def test_package_import_loads_nothing_heavy() -> None:
    """`import soniox_sync` loads no network, TLS or HTTP module."""
    loaded = run("import soniox_sync, sys; print(*sys.modules)").split()
    assert [name for name in HEAVY if name in loaded] == []
    ours = {name for name in loaded if name.startswith("soniox_sync.")}
    assert ours == {"soniox_sync._support", "soniox_sync._support.lazy", "soniox_sync._version"}


def test_client_loads_neither_requests_nor_tls() -> None:
    """Making a client loads no HTTP library, no TLS, no WebSocket library, no numpy."""
    loaded = run(
        """
        import sys
        from soniox_sync import SonioxClient
        client = SonioxClient("key")
        repr(client), client.realtime
        print(*sys.modules)
        """
    ).split()
    for name in ("requests", "ssl", "websocket", "numpy", "urllib3"):
        assert name not in loaded


def test_realtime_never_loads_requests() -> None:
    """The real-time side works without the HTTP library."""
    loaded = run(
        """
        import sys
        import soniox_sync.realtime.stt.session, soniox_sync.realtime.tts.connection
        import soniox_sync.realtime.tts.stream, soniox_sync.runtime.connection
        import soniox_sync.transport.connect
        print(*sys.modules)
        """
    ).split()
    for name in ("requests", "numpy", "websocket"):
        assert name not in loaded


@pytest.mark.skipif(sys.platform == "win32", reason="looks at descriptors")
def test_import_and_construction_open_and_start_nothing() -> None:
    """Importing every public name and making a client opens no socket and starts no thread."""
    script = (
        textwrap.dedent(_WATCH)
        + textwrap.dedent(
            """
            import soniox_sync
            for name in soniox_sync.__all__:
                getattr(soniox_sync, name)
            client = soniox_sync.SonioxClient("a-key")
            with client:
                client.realtime.tts
            client.close()
            """
        )
        + textwrap.dedent(_JUDGE)
    )
    run(script, "-B")


def test_every_public_name_exists_and_is_listed() -> None:
    """`__all__`, `dir()` and attribute access agree; an unknown name is an AttributeError."""
    import soniox_sync

    assert sorted(soniox_sync.__all__) == sorted(set(soniox_sync.__all__))
    for name in soniox_sync.__all__:
        assert getattr(soniox_sync, name) is not None
        assert name in dir(soniox_sync)
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = soniox_sync.Nonsense


def test_star_import_works() -> None:
    """A star import defines the public names."""
    names = run("from soniox_sync import *; print(*dir())").split()
    assert {"SonioxClient", "CancelToken", "Token", "is_retriable"} <= set(names)


def test_there_is_one_version() -> None:
    """The version of the package is that of its metadata."""
    from importlib.metadata import version

    import soniox_sync

    assert soniox_sync.__version__ == version("soniox-sync")


def test_no_module_needs_typing_extensions() -> None:
    """It is for type checkers, which install it; nothing imports it at run time."""
    run(
        """
        import importlib, pkgutil, sys
        sys.modules["typing_extensions"] = None
        import soniox_sync
        for module in pkgutil.walk_packages(soniox_sync.__path__, "soniox_sync."):
            if not module.name.endswith(("__main__", "pytest_plugin")):
                try:
                    importlib.import_module(module.name)
                except ImportError as error:
                    assert error.name != "typing_extensions", module.name
        for name in soniox_sync.__all__:
            getattr(soniox_sync, name)
        """
    )
