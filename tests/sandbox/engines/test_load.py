"""The engines load lazily, once per process, and name missing packages."""

from __future__ import annotations

import random
import re
import subprocess
import sys

import pytest

from soniox_sync.errors import ConfigurationError
from soniox_sync.sandbox import Sandbox, engines
from soniox_sync.sandbox.engines.base import Recognizer
from soniox_sync.sandbox.engines.scripted import ScriptedRecognizer
from soniox_sync.sandbox.engines.tones import ToneSynthesizer


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Hide packages from imports and from the check whether they are installed."""
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)


def words_in(recognizer: Recognizer, pcm: bytes) -> list[str]:
    """Return the words of audio at 16 kHz."""
    listener = recognizer.listen(sample_rate=16000)
    fed, last = listener.feed(pcm), listener.finalize()
    listener.close()
    return [word.text for word in [*(fed.final if fed else ()), *last.final]]


def test_importing_the_engines_imports_no_optional_package() -> None:
    """Importing the sandbox and its engines loads none of numpy, pocketsphinx, espeakng_loader."""
    code = (
        "import sys, soniox_sync.sandbox, soniox_sync.sandbox.engines as e, "
        "soniox_sync.sandbox.engines.base; e.available();"
        "print([m for m in ('numpy', 'pocketsphinx', 'espeakng_loader') if m in sys.modules])"
    )
    done = subprocess.run(  # Python takes a second or two to start on a loaded machine
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_any_engine_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading without the extra raises an error that names the packages and the extra."""
    without(monkeypatch, "espeakng_loader", "pocketsphinx")
    assert not engines.available()
    with pytest.raises(engines.EngineError, match=r'espeakng_loader.*soniox-sync\[sandbox\]"'):
        engines.load()
    with pytest.raises(ConfigurationError, match=r"espeakng_loader"):
        _ = Sandbox(engines="speech").engines
    assert Sandbox().engines.name == "tones"


def test_without_pocketsphinx_synthesis_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pocketsphinx speech is recognised exactly, and of other speech its length is said."""
    pytest.importorskip("espeakng_loader")
    from soniox_sync.sandbox.engines.espeak.engine import EspeakSynthesizer

    without(monkeypatch, "pocketsphinx")
    loaded = Sandbox(engines="speech").engines
    assert loaded.missing == ("pocketsphinx",)
    assert "pocketsphinx is not installed" in engines.explain_missing(*loaded.missing)
    chunks = loaded.synthesizer.speak(
        "Hello there.", voice="Adrian", language="en", sample_rate=16000
    )
    pcm = b"".join(chunk.pcm for chunk in chunks)
    assert words_in(loaded.recognizer, pcm) == ["Hello", "there."]
    noise = random.Random(1).randbytes(2 * 16000)
    assert words_in(loaded.recognizer, noise) == []
    stranger = EspeakSynthesizer().speak(
        "My mother has seven children.", voice="Owen", language="en", sample_rate=16000
    )
    (word,) = words_in(loaded.recognizer, b"".join(chunk.pcm for chunk in stranger))
    assert re.fullmatch(r"\[speech \d\.\d s\]", word)
    assert "[speech 1.2 s]" in engines.explain_missing(*loaded.missing)


def test_without_espeak_recognition_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without espeak-ng speech is tones, and pocketsphinx recognises real audio."""
    pytest.importorskip("pocketsphinx")
    without(monkeypatch, "espeakng_loader")
    loaded = Sandbox().engines
    assert loaded.missing == ("espeakng_loader",)
    assert "espeakng_loader is not installed" in engines.explain_missing(*loaded.missing)
    assert isinstance(loaded.synthesizer, ToneSynthesizer)
    assert not isinstance(loaded.recognizer, ScriptedRecognizer)
    assert words_in(loaded.recognizer, bytes(32000)) == []
    with pytest.raises(ConfigurationError, match="espeakng_loader is not installed"):
        _ = Sandbox(engines="speech").engines


def test_unknown_engines_are_refused() -> None:
    """An unknown name of engines raises ValueError."""
    with pytest.raises(ValueError, match="kazoo"):
        engines.load("kazoo")


@pytest.mark.skipif(not engines.available(), reason="no engine is installed")
def test_engines_are_shared_within_a_process() -> None:
    """Loading twice returns the same engines: all sandboxes of a process share one index."""
    assert engines.load() is engines.load("speech")
