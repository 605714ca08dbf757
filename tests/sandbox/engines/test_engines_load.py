"""The engines load lazily, once per process, and say what they miss."""

from __future__ import annotations

import subprocess
import sys

import pytest

from soniox_sync.sandbox import engines


def test_importing_the_engines_imports_no_optional_package() -> None:
    """Importing the sandbox and its engines loads none of numpy, pocketsphinx, espeakng_loader."""
    code = (
        "import sys, soniox_sync.sandbox, soniox_sync.sandbox.engines as e, "
        "soniox_sync.sandbox.engines.base; e.available();"
        "print([m for m in ('numpy', 'pocketsphinx', 'espeakng_loader') if m in sys.modules])"
    )
    done = subprocess.run(  # a start of Python takes a second or two on a loaded machine
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_missing_package_is_named_with_the_way_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Loading without the extra raises an error that names the package and the extra."""
    monkeypatch.setattr(engines, "_NEEDED", ("numpy", "no_such_package_here"))
    assert not engines.available()
    with pytest.raises(engines.EngineError, match=r'no_such_package_here.*soniox-sync\[sandbox\]"'):
        engines.load()


def test_unknown_engines_are_refused() -> None:
    """Asking for engines of another name raises ValueError."""
    with pytest.raises(ValueError, match="kazoo"):
        engines.load("kazoo")


@pytest.mark.skipif(not engines.available(), reason="the extra 'sandbox' is not installed")
def test_engines_are_shared_within_a_process() -> None:
    """Two loads give the same engines, so that sandboxes of a process know each other's speech."""
    assert engines.load() is engines.load("speech")
