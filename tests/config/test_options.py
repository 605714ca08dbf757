"""Options of sessions and connections, and what the package exports."""

from __future__ import annotations

import ast
import pathlib

import pytest

import soniox_sync.audio
import soniox_sync.config as config_package
from soniox_sync.config import SttSessionOptions, TtsConnectionOptions
from soniox_sync.errors import ConfigurationError, InputTypeError


def test_option_defaults_are_the_documented_ones():
    """The options' defaults are those of the documentation."""
    assert SttSessionOptions() == SttSessionOptions(20.0, 5.0, 10.0, 20.0, 20.0, 10_000)
    assert TtsConnectionOptions() == TtsConnectionOptions(20.0, 5.0, 20.0, 20.0)


@pytest.mark.parametrize("cls", [SttSessionOptions, TtsConnectionOptions])
def test_options_coerce(cls):
    """Options may be None, a mapping or an options object, and nothing else."""
    assert cls.coerce(None) == cls()
    assert cls.coerce({"connect_timeout_sec": 3}) == cls(connect_timeout_sec=3)
    options = cls(ping_interval_sec=None, ping_timeout_sec=None)
    assert cls.coerce(options) is options
    with pytest.raises(InputTypeError, match="mapping"):
        cls.coerce(5)
    with pytest.raises(ConfigurationError, match="did you mean 'connect_timeout_sec'"):
        cls.coerce({"connect_timeout": 3})


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("connect_timeout_sec", 0, ConfigurationError),
        ("keepalive_interval_sec", -1.0, ConfigurationError),
        ("finish_timeout_sec", float("inf"), ConfigurationError),
        ("ping_interval_sec", float("nan"), ConfigurationError),
        ("max_buffered_events", 0, ConfigurationError),
        ("max_buffered_events", 10.5, InputTypeError),
        ("max_buffered_events", True, InputTypeError),
        ("connect_timeout_sec", "20", InputTypeError),
        ("connect_timeout_sec", None, InputTypeError),
        ("keepalive_interval_sec", None, InputTypeError),
    ],
)
def test_refused_options_are_named(field, value, error):
    """An option that is not a positive finite number is refused by name."""
    with pytest.raises(error, match=field):
        SttSessionOptions(**{field: value})


@pytest.mark.parametrize(("cls", "longest"), [(SttSessionOptions, 20), (TtsConnectionOptions, 40)])
def test_keepalives_precede_the_service_s_timeout(cls, longest):
    """A keepalive interval beyond the service's timeout is refused."""
    assert cls(keepalive_interval_sec=longest).effective_keepalive_sec == longest
    expected = f"keepalive_interval_sec: expected at most {longest} seconds, got {longest + 0.5}"
    with pytest.raises(ConfigurationError, match=expected):
        cls(keepalive_interval_sec=longest + 0.5)


def test_the_key_of_a_session_is_not_shown():
    """A key in a session's options is in no repr, and is checked like the client's."""
    options = SttSessionOptions(api_key="snx_s3cr3t")
    assert "s3cr3t" not in repr(options)
    assert options == SttSessionOptions.coerce({"api_key": "snx_s3cr3t"})
    with pytest.raises(ConfigurationError, match="in quotes"):
        SttSessionOptions(api_key='"snx_s3cr3t"')


@pytest.mark.parametrize(("asked", "used"), [(0.2, 1.0), (1.0, 1.0), (7, 7.0)])
def test_keepalives_are_at_least_a_second_apart(asked, used):
    """A keepalive interval below a second is raised to one."""
    for cls in (SttSessionOptions, TtsConnectionOptions):
        assert cls(keepalive_interval_sec=asked).effective_keepalive_sec == used


FORBIDDEN = {"socket", "ssl", "requests", "websocket", "threading", "http", "select", "urllib3"}


def test_values_import_nothing_that_opens_sockets():
    """No module of config, audio or errors imports a network or threading module."""
    package = pathlib.Path(soniox_sync.audio.__file__).parent.parent
    files = [package / "errors.py", *package.glob("config/*.py"), *package.glob("audio/*.py")]
    assert len(files) > 8
    for file in files:
        if file.name == "playing.py":
            continue  # plays through a device, on a thread of its own
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert not FORBIDDEN & {name.partition(".")[0] for name in names}, file


def test_every_listed_name_can_be_imported():
    """Every name listed by the package can be loaded, including those loaded lazily."""
    for name in config_package.__all__:
        assert getattr(config_package, name) is not None
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = config_package.nothing_here


def test_equal_options_hash_alike_and_differ_from_other_kinds():
    """Options with equal content are one key in a dict; different classes are never equal."""
    assert len({SttSessionOptions(), SttSessionOptions.coerce({}), TtsConnectionOptions()}) == 2
    assert SttSessionOptions() != TtsConnectionOptions()
    assert SttSessionOptions(max_buffered_events=1) != SttSessionOptions()
