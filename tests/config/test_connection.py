"""Hosts, URLs and their precedence; connection configs as values."""

from __future__ import annotations

import copy
import pickle

import pytest

from soniox_sync.config import (
    ConfigContext,
    ConnectionConfig,
    Region,
    SttConfig,
    TtsStreamInput,
    obtain_connection_config,
    resolve_connection_config,
    safe_url,
)
from soniox_sync.errors import ConfigurationError, InputTypeError

SECRET = "snx_s3cr3t"


def resolve(environ=None, **fields):
    """Resolve fields with an empty or given environment."""
    return resolve_connection_config(ConnectionConfig(**fields), environ=environ or {})


def urls(resolved):
    """Return the four URLs."""
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
        (Region.EU, "eu."),
        (Region.IN, "in."),
    ],
)
def test_region_follows_the_service_label(region, infix):
    """A region is inserted after the service label, us is not."""
    assert urls(resolve(region=region)) == (
        f"https://api.{infix}soniox.com/v1",
        f"wss://stt-rt.{infix}soniox.com/transcribe-websocket",
        f"https://tts-rt.{infix}soniox.com",
        f"wss://tts-rt.{infix}soniox.com/tts-websocket",
    )


@pytest.mark.parametrize("region", ["", "eu.soniox.com", "a b", "-eu", "eu/", "e@u", "eü"])
def test_region_that_is_not_a_host_label_is_refused(region):
    """A region that cannot be part of a host name is refused by name."""
    with pytest.raises(ConfigurationError, match="region"):
        resolve(region=region)


@pytest.mark.parametrize("region", ["mars", "EU2", "kr-2"])
def test_unknown_region_is_refused_with_the_list(region):
    """An unknown region is refused, with the known ones and a way to use it."""
    expected = "region: expected one of 'us', 'eu', 'jp', 'in', got"
    with pytest.raises(ConfigurationError, match=expected) as caught:
        resolve(region=region)
    assert "base_domain='<region>.soniox.com'" in str(caught.value)
    with pytest.raises(ConfigurationError, match="SONIOX_REGION: expected one of 'us'"):
        resolve({"SONIOX_REGION": region})
    with pytest.raises(ConfigurationError, match="one of 'us'"):
        resolve({"SONIOX_WS_URL": "wss://stt.example.org"}, region=region)


def test_unknown_region_is_accepted_with_an_address():
    """With a URL or a base domain any region is accepted."""
    assert resolve(region="mars", base_domain="mars.example.org").api_url.endswith("org/v1")
    resolved = resolve(region="kr-2", stt_ws_url="wss://stt.example.org")
    assert resolved.stt_ws_url.startswith("wss://stt.example.org")
    assert resolved.tts_api_url == "https://tts-rt.kr-2.soniox.com"
    resolved = resolve({"SONIOX_REGION": "kr-2", "SONIOX_WS_URL": "wss://stt.example.org"})
    assert resolved.tts_api_url == "https://tts-rt.kr-2.soniox.com"


def test_base_domain_derives_all_hosts():
    """Each service label is put before the base domain; a port is kept, case ignored."""
    assert urls(resolve(base_domain="EU.example.org:8443")) == (
        "https://api.eu.example.org:8443/v1",
        "wss://stt-rt.eu.example.org:8443/transcribe-websocket",
        "https://tts-rt.eu.example.org:8443",
        "wss://tts-rt.eu.example.org:8443/tts-websocket",
    )


@pytest.mark.parametrize(
    "domain", ["https://soniox.com", "a/b", "user@host", "a..b", "host:99999", "host:", " ", "a b"]
)
def test_base_domain_that_is_not_a_domain_is_refused(domain):
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


def test_explicit_url_takes_precedence():
    """An explicit URL overrides base domain, region and every environment variable."""
    given = {
        "api_url": "https://a.example.org/v1",
        "stt_ws_url": "wss://b.example.org/s",
        "tts_api_url": "https://c.example.org",
        "tts_ws_url": "wss://d.example.org/t",
    }
    resolved = resolve(ENV_ALL, base_domain="other.example.org", region="eu", **given)
    assert urls(resolved) == tuple(given.values())


def test_base_domain_overrides_region():
    """An explicit base domain overrides an explicit region and every environment variable."""
    resolved = resolve(ENV_ALL, base_domain="mine.example.org", region="eu")
    assert all("mine.example.org" in url for url in urls(resolved))


def test_explicit_region_overrides_environment_urls():
    """A region in the code overrides URLs and domains of the environment."""
    assert urls(resolve(ENV_ALL, region="eu")) == urls(resolve(region="eu"))
    assert urls(resolve(ENV_ALL, region="us")) == urls(resolve())


def test_environment_urls_override_its_domain_and_region():
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
    """Setting one URL in the code leaves the environment's for the other three."""
    resolved = resolve(ENV_ALL, stt_ws_url="wss://mine.example.org/s")
    assert resolved.stt_ws_url == "wss://mine.example.org/s"
    assert resolved.tts_ws_url == "wss://env-ttsws.example.org/y"


def test_blank_variables_are_unset():
    """A variable that is empty or blank counts as not set."""
    assert urls(resolve(dict.fromkeys(ENV_ALL, " "))) == urls(resolve())


def test_process_environment_is_the_default(monkeypatch):
    """By default the environment of the process is read, at the call."""
    for name in ENV_ALL:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SONIOX_REGION", "eu")
    monkeypatch.setenv("SONIOX_API_KEY", SECRET)
    resolved = resolve_connection_config()
    assert resolved.api_url == "https://api.eu.soniox.com/v1"
    assert resolved.api_key == SECRET


def test_bad_variable_is_named():
    """An error about a value from the environment names its variable."""
    with pytest.raises(ConfigurationError, match="SONIOX_WS_URL: expected a URL with wss://"):
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
        ("api_url", "http://localhost:8000/.", "http://localhost:8000"),
        ("api_url", "http://localhost:8000/./", "http://localhost:8000"),
        ("api_url", "https://h.example.org/mock/.", "https://h.example.org/mock"),
        ("api_url", "https://h.example.org/v1.", "https://h.example.org/v1."),
        ("tts_api_url", "http://localhost:8000/.", "http://localhost:8000"),
        ("stt_ws_url", "ws://localhost:8000/.", "ws://localhost:8000/"),
        ("tts_ws_url", "ws://localhost:8000/.?a=1", "ws://localhost:8000/?a=1"),
    ],
)
def test_url_is_completed(field, given, expected):
    """A URL without a path gets the service's, one that ends in `/.` gets none.

    Trailing slashes and a doubled `/tts` are removed.
    """
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
    """Wrong schemes, missing hosts, injected headers and unencrypted remote hosts are refused."""
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


# --- configs as values -----------------------------------------------------------------------


def test_repr_shows_no_secret():
    """Neither config shows the key, credentials in URLs or unchecked values."""
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
    """A mapping of the fields is accepted instead of the dataclass."""
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


def test_config_callable_gets_the_usage():
    """A config callable gets the usage and may return a config or a mapping."""
    seen = []

    def ask(context):
        seen.append(context.usage)
        return {"region": "eu"}

    assert obtain_connection_config(ask, ConfigContext("tts_rt")) == ConnectionConfig(region="eu")
    assert seen == ["tts_rt"]
    assert obtain_connection_config(None, ConfigContext("tts_rt")) == ConnectionConfig()


@pytest.mark.parametrize("answer", [None, "https://x", 5])
def test_config_callable_must_return_a_config(answer):
    """A config callable that returns something else is refused."""
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


def test_unknown_usage_is_refused():
    """A context for an unknown usage is refused."""
    with pytest.raises(ConfigurationError, match="'transcribe_websocket', 'tts_rt'"):
        ConfigContext("stt")
