"""API keys: their origins, which are refused, and that no error shows one."""

from __future__ import annotations

import functools

import pytest

from soniox_sync import SlngClient, SonioxClient
from soniox_sync.config import (
    ConfigContext,
    ConnectionConfig,
    SttSessionOptions,
    check_auth,
    check_subprotocol_key,
    obtain_connection_config,
    resolve_api_key,
    resolve_connection_config,
)
from soniox_sync.errors import ConfigurationError, InputTypeError

SECRET = "snx_s3cr3t"


def resolve(environ=None, **fields):
    """Resolve fields with an empty or given environment."""
    return resolve_connection_config(ConnectionConfig(**fields), environ=environ or {})


def urls(resolved):
    """Return the four URLs."""
    return (resolved.api_url, resolved.stt_ws_url, resolved.tts_api_url, resolved.tts_ws_url)


@pytest.mark.parametrize("source", [SECRET, f"  {SECRET}\n", lambda: f"{SECRET}\r\n"])
def test_key_is_stripped(source):
    """Blanks and newlines around a key are removed, from a str or a callable."""
    assert resolve_api_key(source) == SECRET


def test_key_is_read_from_the_environment(monkeypatch):
    """Without a key in the code SONIOX_API_KEY is read."""
    monkeypatch.setenv("SONIOX_API_KEY", f"{SECRET}\n")
    assert resolve_api_key() == SECRET
    assert resolve_api_key(None, environ={"SONIOX_API_KEY": "other"}) == "other"


def test_key_is_found_in_a_config():
    """A key can be resolved from a connection config."""
    config = ConnectionConfig(api_key=lambda: SECRET)
    assert resolve_api_key(config) == SECRET
    assert resolve_api_key(resolve_connection_config(config, environ={})) == SECRET


def test_key_callable_is_called_once_each_time():
    """Resolving a config calls no key callable; resolving a key calls it once."""
    calls = []
    config = resolve(api_key=lambda: calls.append(1) or SECRET)
    assert calls == []
    resolve_api_key(config)
    resolve_api_key(config)
    assert len(calls) == 2


@pytest.mark.parametrize("source", [None, "", " \n", lambda: "", lambda: " "])
def test_missing_key_names_variable_and_sandbox(source):
    """An empty key is refused, with the variable and the sandbox as alternatives."""
    with pytest.raises(ConfigurationError) as caught:
        resolve_api_key(source, environ={})
    assert "SONIOX_API_KEY" in str(caught.value)
    assert "soniox-sync --sandbox" in str(caught.value)
    assert "soniox_sync.sandbox.Sandbox" in str(caught.value)


async def async_key():
    """Return a key, too late."""
    return SECRET


@pytest.mark.parametrize("source", [5, b"key", ["key"], lambda: None, lambda: b"key", lambda: 5])
def test_key_of_another_type_is_refused(source):
    """A key that is not a str, or a callable that returns none, is a type error with advice."""
    with pytest.raises(InputTypeError, match="sandbox"):
        resolve_api_key(source)


class AsyncKey:
    """Callable object whose call is asynchronous."""

    async def __call__(self):
        """Return a key, too late."""
        return SECRET


@pytest.mark.parametrize(
    "source",
    [async_key, functools.partial(async_key), AsyncKey()],
    ids=["function", "partial", "object"],
)
def test_async_functions_are_refused_before_they_are_called(source):
    """An `async def` as key is refused when passed, with what to pass instead."""
    for give in (
        lambda: ConnectionConfig(api_key=source),
        lambda: SonioxClient(source),
        lambda: SttSessionOptions(api_key=source),
        lambda: SlngClient(source),
        lambda: SlngClient("key", provider_key=source),
        lambda: resolve_api_key(source),
    ):
        with pytest.raises(InputTypeError, match=r"plain function.*async def.*asyncio"):
            give()


@pytest.mark.parametrize("source", [lambda: async_key(), lambda: async_key().__await__.__self__])
def test_what_an_async_function_returned_is_refused(source):
    """A coroutine in place of a key is refused with a hint, without a later warning."""
    with pytest.raises(InputTypeError, match="got coroutine; there is no event loop here"):
        resolve_api_key(source)
    with pytest.raises(InputTypeError, match="no event loop"):
        ConnectionConfig(api_key=async_key())


def test_async_config_is_refused():
    """An `async def` as config is refused by the client, a coroutine when it is returned."""

    async def config(context):
        return ConnectionConfig()

    with pytest.raises(InputTypeError, match="config: expected a plain function, got an async def"):
        SonioxClient(config=config)
    with pytest.raises(InputTypeError, match=r"config: .*no event loop"):
        obtain_connection_config(lambda context: config(context), ConfigContext("tts_rt"))


@pytest.mark.parametrize(
    "key",
    [
        f'"{SECRET}"',
        f"'{SECRET}'",
        f'"{SECRET}',
        f"{SECRET}'",
        f"`{SECRET}`",
        f"\u201c{SECRET}\u201d",
    ],
)
def test_quotes_around_a_key_are_reported(key):
    """A key in quotes, which some tools keep from an env file, is refused with that reason."""
    for ask in (
        lambda: resolve_api_key(key),
        lambda: resolve_api_key(environ={"SONIOX_API_KEY": key}),
    ):
        with pytest.raises(
            ConfigurationError, match="got one in quotes; remove the quotes"
        ) as caught:
            ask()
        assert "SONIOX_API_KEY" in str(caught.value)
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("key", ["${SONIOX_KEY}", "$SONIOX_KEY", "%SONIOX_KEY%"])
def test_unexpanded_variables_are_reported(key):
    """The name of a variable in the place of its value is refused with that reason."""
    for ask in (
        lambda: resolve_api_key(key),
        lambda: resolve_api_key(environ={"SONIOX_API_KEY": key}),
    ):
        with pytest.raises(ConfigurationError, match="the name of a variable, not expanded"):
            ask()


def test_failing_key_callable_is_chained_and_not_quoted():
    """A callable's exception is the cause; its text, which may contain a key, is not repeated."""

    def broken():
        raise RuntimeError(f"no luck with {SECRET}")

    with pytest.raises(ConfigurationError, match="RuntimeError") as caught:
        resolve_api_key(broken)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        f"{SECRET}\r\nX-Evil: 1",
        f"{SECRET}\x00",
        f"{SECRET} tail",
        f"{SECRET}\u200b",
        f"Bearer {SECRET}",
        f"\u201c{SECRET}\u201d",
    ],
)
def test_unsendable_key_is_refused_without_showing_it(key):
    """Blanks, control and non-ASCII characters inside a key are refused without echoing it."""
    for call in (lambda: resolve_api_key(key), lambda: resolve(api_key=key)):
        with pytest.raises(ConfigurationError) as caught:
            call()
        assert SECRET not in repr(caught.value)


def test_missing_key_is_no_error_before_it_is_needed():
    """A config without a key can be resolved; its key stays unset."""
    assert resolve().api_key is None


@pytest.mark.parametrize("key", ["snx_temp_abc", "A-b.c~1"])
def test_subprotocol_takes_token_keys(key):
    """A key of token characters may be sent as a subprotocol."""
    assert check_subprotocol_key(key) == key


@pytest.mark.parametrize("key", [f"temp:{SECRET}", f"{SECRET}/x", f"{SECRET}=", ""])
def test_subprotocol_refuses_other_keys(key):
    """A key with a colon or other separator is refused, with the header as alternative."""
    with pytest.raises(ConfigurationError, match="auth='header'") as caught:
        check_subprotocol_key(key)
    assert SECRET not in str(caught.value)


def test_auth_has_three_values():
    """`auth` is one of three values."""
    assert [check_auth(a) for a in ("header", "subprotocol", "message")]
    for wrong in ("query", None, ["header"]):
        with pytest.raises(ConfigurationError, match="'header', 'subprotocol', 'message'"):
            check_auth(wrong)
