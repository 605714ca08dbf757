"""What `soniox_sync.config` promises of keys, hosts, URLs, precedence and options."""

from __future__ import annotations

import ast
import copy
import pathlib
import pickle

import pytest

import soniox_sync.audio
import soniox_sync.config as config_package
from soniox_sync.config import (
    ConfigContext,
    ConnectionConfig,
    Region,
    SttConfig,
    SttSessionOptions,
    TtsConnectionOptions,
    TtsStreamInput,
    check_auth,
    check_subprotocol_key,
    obtain_connection_config,
    resolve_api_key,
    resolve_connection_config,
    safe_url,
)
from soniox_sync.errors import ConfigurationError, InputTypeError

SECRET = "snx_s3cr3t"


def resolve(environ=None, **fields):
    """Resolve fields against an environment of their own."""
    return resolve_connection_config(ConnectionConfig(**fields), environ=environ or {})


def urls(resolved):
    """List the four URLs."""
    return (resolved.api_url, resolved.stt_ws_url, resolved.tts_api_url, resolved.tts_ws_url)


# --- hosts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("region", "infix"),
    [
        (None, ""),
        ("us", ""),
        ("US ", ""),
        ("eu", "eu."),
        ("jp", "jp."),
        ("in", "in."),
        ("kr-2", "kr-2."),
        (Region.EU, "eu."),
        (Region.IN, "in."),
    ],
)
def test_region_stands_after_the_service_label(region, infix):
    """A region becomes an infix after the service label, and us becomes none."""
    assert urls(resolve(region=region)) == (
        f"https://api.{infix}soniox.com/v1",
        f"wss://stt-rt.{infix}soniox.com/transcribe-websocket",
        f"https://tts-rt.{infix}soniox.com",
        f"wss://tts-rt.{infix}soniox.com/tts-websocket",
    )


@pytest.mark.parametrize("region", ["", "eu.soniox.com", "a b", "-eu", "eu/", "e@u", "eü"])
def test_region_that_is_no_host_label_is_refused(region):
    """A region that cannot be part of a host name is refused by name."""
    with pytest.raises(ConfigurationError, match="region"):
        resolve(region=region)


def test_base_domain_derives_all_hosts():
    """A base domain puts each service label before itself, port and case aside."""
    assert urls(resolve(base_domain="EU.example.org:8443")) == (
        "https://api.eu.example.org:8443/v1",
        "wss://stt-rt.eu.example.org:8443/transcribe-websocket",
        "https://tts-rt.eu.example.org:8443",
        "wss://tts-rt.eu.example.org:8443/tts-websocket",
    )


@pytest.mark.parametrize(
    "domain", ["https://soniox.com", "a/b", "user@host", "a..b", "host:99999", "host:", " ", "a b"]
)
def test_base_domain_that_is_no_domain_is_refused(domain):
    """A base domain with scheme, path, credentials or blanks is refused by name."""
    with pytest.raises(ConfigurationError, match="base_domain"):
        resolve(base_domain=domain)


# --- precedence ------------------------------------------------------------------------------

ENV_ALL = {
    "SONIOX_REGION": "jp",
    "SONIOX_BASE_DOMAIN": "env.example.org",
    "SONIOX_API_BASE_URL": "https://env-api.example.org/v1",
    "SONIOX_WS_URL": "wss://env-stt.example.org/x",
    "SONIOX_TTS_API_URL": "https://env-tts.example.org",
    "SONIOX_TTS_WS_URL": "wss://env-ttsws.example.org/y",
}


def test_explicit_url_beats_everything():
    """An explicit URL beats base domain, region and every environment variable."""
    given = {
        "api_url": "https://a.example.org/v1",
        "stt_ws_url": "wss://b.example.org/s",
        "tts_api_url": "https://c.example.org",
        "tts_ws_url": "wss://d.example.org/t",
    }
    resolved = resolve(ENV_ALL, base_domain="other.example.org", region="eu", **given)
    assert urls(resolved) == tuple(given.values())


def test_base_domain_beats_region():
    """An explicit base domain beats an explicit region and every environment variable."""
    resolved = resolve(ENV_ALL, base_domain="mine.example.org", region="eu")
    assert all("mine.example.org" in url for url in urls(resolved))


def test_explicit_region_beats_environment_urls():
    """A region in the code beats URLs and domains of the environment."""
    assert urls(resolve(ENV_ALL, region="eu")) == urls(resolve(region="eu"))
    assert urls(resolve(ENV_ALL, region="us")) == urls(resolve())


def test_environment_urls_beat_its_domain_and_region():
    """In the environment the order is the same: URL, base domain, region."""
    assert urls(resolve(ENV_ALL)) == (
        "https://env-api.example.org/v1",
        "wss://env-stt.example.org/x",
        "https://env-tts.example.org",
        "wss://env-ttsws.example.org/y",
    )
    domain = {k: ENV_ALL[k] for k in ("SONIOX_REGION", "SONIOX_BASE_DOMAIN")}
    assert resolve(domain).api_url == "https://api.env.example.org/v1"
    assert resolve({"SONIOX_REGION": "jp"}).api_url == "https://api.jp.soniox.com/v1"


def test_one_explicit_url_leaves_the_others_to_the_environment():
    """Setting one URL in the code does not hide the environment from the other three."""
    resolved = resolve(ENV_ALL, stt_ws_url="wss://mine.example.org/s")
    assert resolved.stt_ws_url == "wss://mine.example.org/s"
    assert resolved.tts_ws_url == "wss://env-ttsws.example.org/y"


def test_blank_variables_are_unset():
    """A variable that is empty or blank counts as not set."""
    assert urls(resolve(dict.fromkeys(ENV_ALL, " "))) == urls(resolve())


def test_process_environment_is_the_default(monkeypatch):
    """Without an environment of its own, the process's is read at the call."""
    for name in ENV_ALL:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SONIOX_REGION", "eu")
    monkeypatch.setenv("SONIOX_API_KEY", SECRET)
    resolved = resolve_connection_config()
    assert resolved.api_url == "https://api.eu.soniox.com/v1"
    assert resolved.api_key == SECRET


def test_bad_variable_is_named():
    """A refused value from the environment is blamed on its variable."""
    with pytest.raises(ConfigurationError, match="SONIOX_WS_URL must start with wss://"):
        resolve({"SONIOX_WS_URL": "https://x.example.org"})
    with pytest.raises(ConfigurationError, match="SONIOX_REGION"):
        resolve({"SONIOX_REGION": "not a region"})


# --- URLs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "given", "expected"),
    [
        ("api_url", "https://api.soniox.com", "https://api.soniox.com/v1"),
        ("api_url", "https://api.soniox.com/v1/", "https://api.soniox.com/v1"),
        ("api_url", "https://gw.example.org/soniox/v2", "https://gw.example.org/soniox/v2"),
        ("stt_ws_url", "wss://h.example.org", "wss://h.example.org/transcribe-websocket"),
        ("stt_ws_url", "wss://h.example.org/a?model=x", "wss://h.example.org/a?model=x"),
        ("tts_ws_url", " wss://h.example.org/ ", "wss://h.example.org/tts-websocket"),
        ("tts_api_url", "https://h.example.org/tts", "https://h.example.org"),
        ("tts_api_url", "https://h.example.org/", "https://h.example.org"),
        ("tts_api_url", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("stt_ws_url", "ws://[::1]:80/x", "ws://[::1]:80/x"),
        ("stt_ws_url", "ws://localhost:1/x", "ws://localhost:1/x"),
        ("stt_ws_url", "ws://a.localhost:1/x", "ws://a.localhost:1/x"),
        ("stt_ws_url", "WSS://h.example.org/x", "wss://h.example.org/x"),
    ],
)
def test_url_is_completed(field, given, expected):
    """A URL without path gets the service's; slashes at the end and a doubled /tts go."""
    assert getattr(resolve(**{field: given}), field) == expected


@pytest.mark.parametrize(
    ("field", "given", "words"),
    [
        ("api_url", "wss://h", "https://"),
        ("api_url", "h.example.org", "https://"),
        ("api_url", "file:///etc/passwd", "https://"),
        ("stt_ws_url", "https://h", "wss://"),
        ("stt_ws_url", "wss://", "wss://"),
        ("stt_ws_url", "wss://:443/x", "no host"),
        ("stt_ws_url", "", "empty"),
        ("stt_ws_url", "wss://h:port/", "malformed"),
        ("stt_ws_url", "wss://[::1/x", "malformed"),
        ("stt_ws_url", "wss://h/a b", "blanks"),
        ("stt_ws_url", "wss://h/a\r\nX-Evil: 1", "blanks"),
        ("stt_ws_url", "wss://h/x#frag", "fragment"),
        ("api_url", "https://h/v1?x=1", "query"),
        ("stt_ws_url", "ws://stt-rt.soniox.com/x", "unencrypted"),
        ("api_url", "http://10.0.0.1/v1", "unencrypted"),
        ("api_url", "http://127.0.0.1.example.org/v1", "unencrypted"),
        ("api_url", "http://localhost.example.org", "unencrypted"),
    ],
)
def test_refused_urls_name_field_and_reason(field, given, words):
    """Wrong schemes, missing hosts, smuggled headers, plain text off this machine: refused."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        resolve(**{field: given})
    assert field in str(caught.value)


@pytest.mark.parametrize(
    "url", [f"wss://user:{SECRET}@h/x", f"wss://{SECRET}@h/x", f"ws://h/x?api_key={SECRET}"]
)
def test_url_errors_do_not_show_credentials(url):
    """An error about a URL never repeats its credentials or query."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(stt_ws_url=url)
    assert SECRET not in str(caught.value)
    assert SECRET not in safe_url(url)


def test_safe_url_never_fails():
    """Even a malformed URL can be shown."""
    assert safe_url("wss://[::1") == "<malformed URL>"
    assert safe_url("https://h/v1") == "https://h/v1"
    assert safe_url("https://u:p@h:1/v1?q#f") == "https://h:1/v1?..."


# --- keys ------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [SECRET, f"  {SECRET}\n", lambda: f"{SECRET}\r\n"])
def test_key_is_stripped(source):
    """A key from a str or a callable loses surrounding blanks and newlines."""
    assert resolve_api_key(source) == SECRET


def test_key_comes_from_the_environment(monkeypatch):
    """Without a key in the code SONIOX_API_KEY is read."""
    monkeypatch.setenv("SONIOX_API_KEY", f"{SECRET}\n")
    assert resolve_api_key() == SECRET
    assert resolve_api_key(None, environ={"SONIOX_API_KEY": "other"}) == "other"


def test_key_is_found_in_a_config():
    """A connection config, resolved or not, can stand for its key."""
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
    """An empty key is refused with the variable and the sandbox as ways out."""
    with pytest.raises(ConfigurationError) as caught:
        resolve_api_key(source, environ={})
    assert "SONIOX_API_KEY" in str(caught.value)
    assert "soniox-sync --sandbox" in str(caught.value)
    assert "soniox_sync.sandbox.Sandbox" in str(caught.value)


async def async_key():
    """Return a key, too late."""
    return SECRET


@pytest.mark.parametrize(
    "source", [5, b"key", ["key"], lambda: None, lambda: b"key", lambda: 5, async_key]
)
def test_key_of_another_type_is_refused(source):
    """A key that is not a str, or a callable giving none, is a type error with a way out."""
    with pytest.raises(InputTypeError, match="sandbox"):
        resolve_api_key(source)


def test_failing_key_callable_is_chained_and_not_quoted():
    """A callable's exception is the cause, and its text, which may hold a key, is not repeated."""

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
    """Blanks, control and foreign characters inside a key are refused without echoing it."""
    for call in (lambda: resolve_api_key(key), lambda: resolve(api_key=key)):
        with pytest.raises(ConfigurationError) as caught:
            call()
        assert SECRET not in repr(caught.value)


def test_missing_key_is_no_error_before_it_is_needed():
    """Resolving a config without any key works and leaves the key open."""
    assert resolve().api_key is None


@pytest.mark.parametrize("key", ["snx_temp_abc", "A-b.c~1"])
def test_subprotocol_takes_token_keys(key):
    """A key of token characters may travel as a subprotocol."""
    assert check_subprotocol_key(key) == key


@pytest.mark.parametrize("key", [f"temp:{SECRET}", f"{SECRET}/x", f"{SECRET}=", ""])
def test_subprotocol_refuses_other_keys(key):
    """A key with a colon or other separator is refused, with the header as the way out."""
    with pytest.raises(ConfigurationError, match="auth='header'") as caught:
        check_subprotocol_key(key)
    assert SECRET not in str(caught.value)


def test_auth_has_three_ways():
    """The way of authenticating is one of three words."""
    assert [check_auth(a) for a in ("header", "subprotocol", "message")]
    for wrong in ("query", None, ["header"]):
        with pytest.raises(ConfigurationError, match="'header', 'subprotocol', 'message'"):
            check_auth(wrong)


# --- configs as values -----------------------------------------------------------------------


def test_repr_shows_no_secret():
    """Neither form of the config shows the key, credentials in URLs or unchecked values."""
    config = ConnectionConfig(
        api_key=SECRET,
        base_domain=f"u:{SECRET}@h",
        api_url=f"https://u:{SECRET}@h/v1",
        stt_ws_url=f"wss://h/{'x' * 100}?k={SECRET}",
        stt_defaults={"api_key": SECRET},
        tts_defaults=TtsStreamInput(extra={"provider_key": SECRET}),
    )
    assert SECRET not in repr(config)
    resolved = resolve(api_key=SECRET, stt_ws_url=f"wss://h/x?k={SECRET}")
    assert SECRET not in repr(resolved)
    assert "wss://h/x?..." in repr(resolved)


def test_config_may_be_a_mapping():
    """A mapping of the fields does as well as the dataclass."""
    assert urls(resolve_connection_config({"region": "eu"}, environ={})) == urls(
        resolve(region="eu")
    )


def test_unknown_field_gets_a_suggestion():
    """A misspelt field is refused with the right one."""
    with pytest.raises(ConfigurationError, match="did you mean 'region'"):
        resolve_connection_config({"regoin": "eu"}, environ={})


def test_defaults_are_checked_and_typed():
    """Defaults become option objects, and a misspelt default is refused at once."""
    resolved = resolve(stt_defaults={"language_hints": ["en"]}, tts_defaults={"voice": "Adrian"})
    assert resolved.stt_defaults == SttConfig(language_hints=["en"])
    assert resolved.tts_defaults == TtsStreamInput(voice="Adrian")
    with pytest.raises(ConfigurationError, match="tts_defaults has no field 'vioce'"):
        resolve(tts_defaults={"vioce": "Adrian"})


def test_configs_are_values():
    """Configs compare by content, cannot be changed, and copy, pickle and replace."""
    config = ConnectionConfig(api_key="k", region="eu", stt_defaults=SttConfig(sample_rate=8000))
    resolved = resolve_connection_config(config, environ={})
    for value in (config, resolved):
        assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
        with pytest.raises(AttributeError):
            value.api_url = "x"
    assert config.replace(region="jp") == ConnectionConfig(
        api_key="k", region="jp", stt_defaults=SttConfig(sample_rate=8000)
    )
    with pytest.raises(ConfigurationError, match="did you mean 'region'"):
        config.replace(regio="x")


def test_config_callable_is_asked_for_its_usage():
    """A config callable gets the usage and may answer with a config or a mapping."""
    seen = []

    def ask(context):
        seen.append(context.usage)
        return {"region": "eu"}

    assert obtain_connection_config(ask, ConfigContext("tts_rt")) == ConnectionConfig(region="eu")
    assert seen == ["tts_rt"]
    assert obtain_connection_config(None, ConfigContext("tts_rt")) == ConnectionConfig()


@pytest.mark.parametrize("answer", [None, "https://x", 5])
def test_config_callable_must_answer_with_a_config(answer):
    """A config callable that answers with something else is refused."""
    with pytest.raises(InputTypeError, match="config"):
        obtain_connection_config(lambda _: answer, ConfigContext("tts_rt"))


def test_failing_config_callable_is_chained():
    """A config callable's exception is the cause of a ConfigurationError."""

    def broken(_):
        raise LookupError(SECRET)

    with pytest.raises(ConfigurationError, match="LookupError") as caught:
        obtain_connection_config(broken, ConfigContext("transcribe_websocket"))
    assert isinstance(caught.value.__cause__, LookupError)
    assert SECRET not in str(caught.value)


def test_usage_is_one_of_two_words():
    """A context for an unknown usage is refused."""
    with pytest.raises(ConfigurationError, match="'transcribe_websocket', 'tts_rt'"):
        ConfigContext("stt")


# --- options ---------------------------------------------------------------------------------


def test_option_defaults_are_the_documented_ones():
    """The options' defaults are those of the documentation."""
    assert SttSessionOptions() == SttSessionOptions(20.0, 5.0, 10.0, 20.0, 20.0, 10_000)
    assert TtsConnectionOptions() == TtsConnectionOptions(20.0, 5.0, 20.0, 20.0)


@pytest.mark.parametrize("cls", [SttSessionOptions, TtsConnectionOptions])
def test_options_coerce(cls):
    """Options may be None, a mapping or themselves, and nothing else."""
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
    """An option that is no positive finite number is refused by name."""
    with pytest.raises(error, match=field):
        SttSessionOptions(**{field: value})


@pytest.mark.parametrize(("asked", "used"), [(0.2, 1.0), (1.0, 1.0), (7, 7.0)])
def test_keepalives_are_at_least_a_second_apart(asked, used):
    """A keepalive interval under a second is raised to one."""
    for cls in (SttSessionOptions, TtsConnectionOptions):
        assert cls(keepalive_interval_sec=asked).effective_keepalive_sec == used


def test_constants_are_exported():
    """Every constant is importable from the package itself."""
    from soniox_sync.config import constants

    assert constants.__all__
    for name in constants.__all__:
        assert getattr(config_package, name) == getattr(constants, name)
    public = {n for n in vars(constants) if n.isupper() and not n.startswith("_")}
    assert public == set(constants.__all__)


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
    """Every name the package lists can be loaded, those loaded late included."""
    for name in config_package.__all__:
        assert getattr(config_package, name) is not None
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = config_package.nothing_here


def test_equal_options_hash_alike_and_differ_from_other_kinds():
    """Options with equal content are one key in a dict; another class is never equal."""
    assert len({SttSessionOptions(), SttSessionOptions.coerce({}), TtsConnectionOptions()}) == 2
    assert SttSessionOptions() != TtsConnectionOptions()
    assert SttSessionOptions(max_buffered_events=1) != SttSessionOptions()
