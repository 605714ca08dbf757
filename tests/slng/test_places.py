"""Where a `SlngClient` connects to, and the ids it sends for reports. PROTOCOL 8.1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync import SlngClient, SonioxClient
from soniox_sync.errors import ConfigurationError, InputTypeError, RealtimeError
from soniox_sync.slng import headers as slng_headers
from soniox_sync.slng import service as slng_service
from soniox_sync.sources import IterableSource
from tests.peers import RawPeer, Remote
from tests.realtime.servers import raised_by
from tests.slng.test_client import refusal
from tests.slng.wire import KEY, RAW, READY, VOICE, client_for, send_texts
from tests.waiting import WAIT, Task

# PROTOCOL 8.1
REGIONS = [
    *("eu-north", "eu-west", "us-east", "us-west"),
    *("au", "br", "gb", "id", "il", "in", "jp", "sg", "za"),
]
GLOBAL = "wss://api.slng.ai"


def sent_by(client: SlngClient, peer: RawPeer) -> dict[str, str]:
    """Return the headers with zones and ids of a speech connection."""
    opening = Task(client.realtime.tts.multi_stream)
    with peer.accept() as remote:
        connection = opening.result(WAIT)
    connection.close()
    return {k: v for k, v in remote.request.headers.items() if k.startswith("x-")}


# -- the host -------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_has_a_host_of_its_own(region: str) -> None:
    """The names of regions pick their hosts, for speech and every transcription route."""
    client = SlngClient(KEY, region=region)
    assert client.base_url == f"wss://{region}.api.slng.ai"
    assert repr(client) == f"<SlngClient wss://{region}.api.slng.ai>"
    assert f"wss://{region}.api.slng.ai/v1/tts/soniox/" in repr(client.realtime.tts)


@pytest.mark.parametrize("region", [" us-east ", "US-East", ["us-east"], ("us-east",)])
def test_a_region_may_be_written_loosely(region: Any) -> None:
    """Blanks, capitals and a list of one are understood."""
    assert SlngClient(KEY, region=region).base_url == "wss://us-east.api.slng.ai"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"region": "eu-north-1"},
        {"region": ["eu-north-1", "us-east-1"]},
        {"world_part": "us-east"},
    ],
)
def test_everything_else_goes_to_the_global_host(options: dict[str, Any]) -> None:
    """Without a region, and for data centers and zones, the global host stays."""
    assert SlngClient(KEY, **options).base_url == GLOBAL


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ({"region": "us-east"}, {}),
        ({"region": "eu-north-1"}, {"x-region-override": "eu-north-1"}),
        ({"region": ["eu-north-1", "us-east-1"]}, {"x-region-override": "eu-north-1, us-east-1"}),
        (
            {"region": "eu-north-1", "world_part": "eu"},
            {"x-region-override": "eu-north-1", "x-world-part-override": "eu"},
        ),
        ({"world_part": "anything-newer"}, {"x-world-part-override": "anything-newer"}),
    ],
)
def test_a_base_url_takes_precedence(
    raw_peer: RawPeer, options: dict[str, Any], headers: dict[str, str]
) -> None:
    """`base_url` is where it connects to; a region's name sends no header, a data center's does."""
    client = client_for(raw_peer, **options)
    assert client.base_url == f"ws://127.0.0.1:{raw_peer.port}"
    assert sent_by(client, raw_peer) == headers


def test_a_client_is_for_one_region() -> None:
    """Regions with hosts of their own cannot be mixed with each other or with data centers."""
    for region in (["us-east", "us-west"], ["us-east", "eu-north-1"], "us-east,us-west"):
        with pytest.raises(ConfigurationError, match="region: expected a single region"):
            SlngClient(KEY, region=region)


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("us-eest", r"got 'us-eest'; did you mean 'us-east' or 'us-west'\?"),
        ("eu", r"got 'eu'; did you mean 'eu-north' or 'eu-west'\?"),
        ("mars", "or a data center such as 'eu-north-1', got 'mars'$"),
        ("us-1", "got 'us-1'"),
        ("-east-1", "got '-east-1'"),
        (["eu-north-1", "mars"], "got 'mars'"),
        ("eu-north-1,mars", "got 'mars'"),
    ],
)
def test_an_unknown_region_is_refused(region: Any, said: str) -> None:
    """A name that is neither a region nor written like a data center is refused with the list."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        SlngClient(KEY, region=region)
    assert str(caught.value).startswith("region: expected one of 'eu-north', 'eu-west', 'us-east'")


def test_a_region_s_own_host_takes_no_zone() -> None:
    """A zone that would be ignored is refused, whatever the URL."""
    for options in ({}, {"base_url": "wss://gateway.example"}):
        with pytest.raises(ConfigurationError, match="world_part: expected None with a region"):
            SlngClient(KEY, region="us-east", world_part="na", **options)


def refused_globally(monkeypatch: pytest.MonkeyPatch, status: int, **options: Any) -> str:
    """Return the message of an upgrade that the global host refuses."""
    with RawPeer(answer=lambda remote: refusal(status, b"No longer supported.")) as peer:
        url = f"ws://127.0.0.1:{peer.port}"
        for module in (slng_headers, slng_service):
            monkeypatch.setattr(module, "GLOBAL_URL", url)
        error = raised_by(lambda: SlngClient(KEY, **options).realtime.stt(**RAW))
        peer.accept().close()
    assert isinstance(error, (RealtimeError, ConnectionError))
    return str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 426, 503])
def test_a_refusal_of_the_global_host_hints_at_the_regions(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Whatever the global host refuses an upgrade with, the error says which regions there are."""
    said = refused_globally(monkeypatch, status)
    assert "No longer supported" in said
    assert f"region= one of {', '.join(REGIONS)}" in said
    assert "region= one of" in refused_globally(monkeypatch, status, region="eu-north-1")


def test_a_refusal_of_another_host_has_no_such_hint() -> None:
    """Whoever chose a host is not told to choose one."""
    with RawPeer(answer=lambda remote: refusal(404, b"No.")) as peer:
        error = raised_by(lambda: client_for(peer).realtime.stt(**RAW))
        peer.accept().close()
    assert "region= one of" not in str(error)


# -- ids for reports ------------------------------------------------------------------------------

IDS = {"agent_id": "agent of the call", "session_id": "session-1"}
SENT = {"x-slng-agent-id": "agent of the call", "x-slng-session-id": "session-1"}


def test_ids_of_the_client_go_with_every_connection(raw_peer: RawPeer) -> None:
    """Ids given to the client are sent without the blanks round them, on both services."""
    client = client_for(raw_peer, agent_id=" Zoë's agent\n", session_id="s")
    opening = Task(lambda: client.realtime.stt(**RAW))
    with raw_peer.accept() as remote:
        remote.recv_message()
        session = opening.result(WAIT)
    session.close()
    assert remote.request.headers["x-slng-session-id"] == "s"
    agent = remote.request.headers["x-slng-agent-id"]
    assert agent.encode("latin-1").decode() == "Zoë's agent"
    assert sent_by(client_for(raw_peer, agent_id="a"), raw_peer) == {"x-slng-agent-id": "a"}


CALLS: dict[str, Callable[[Any], Any]] = {
    "stt": lambda realtime: realtime.stt(**RAW, **IDS),
    "record": lambda realtime: realtime.record(
        source=IterableSource([b"\0\0" * 3200]), **RAW, **IDS
    ),
    "transcribe": lambda realtime: realtime.transcribe(
        b"\0\0" * 3200, **RAW, **IDS
    ).recording.start(),
    "speak": lambda realtime: realtime.speak("Hello.", **VOICE, **IDS),
    "tts": lambda realtime: realtime.tts(**VOICE, **IDS),
    "multi_stream": lambda realtime: realtime.tts.multi_stream(**IDS),
    "pool": lambda realtime: _warmed(realtime.tts.pool(**IDS)),
}


def _started(transcription: Any) -> Any:
    transcription.recording.start()
    return transcription


def _warmed(pool: Any) -> Any:
    pool.warm(1)
    return pool


@pytest.fixture
def opened(raw_peer: RawPeer) -> Iterator[Callable[[str, SlngClient], Remote]]:
    """Make calls by name, and close what they return; return the gateway's end of each."""
    open_: list[Any] = []

    def open_one(call: str, client: SlngClient) -> Remote:
        making = Task(lambda: CALLS[call](client.realtime))
        remote = raw_peer.accept()
        open_.extend([remote, making.result(WAIT)])
        return remote

    yield open_one
    for each in open_:
        each.close()


@pytest.mark.parametrize("call", CALLS)
def test_ids_of_a_call_take_precedence(
    raw_peer: RawPeer, call: str, opened: Callable[[str, SlngClient], Remote]
) -> None:
    """Every call takes ids of its own, which are sent instead of the client's, each on its own."""
    client = client_for(raw_peer, agent_id="of the client", session_id="of the client")
    headers = opened(call, client).request.headers
    assert {name: headers[name] for name in SENT} == SENT


def test_one_id_of_a_call_leaves_the_other(raw_peer: RawPeer) -> None:
    """An id that a call does not set is the client's, before and after another call's."""
    client = client_for(raw_peer, agent_id="of the client", session_id="of the client")
    for given in ({"session_id": "mine"}, {}):
        making = Task(lambda given=given: client.realtime.tts.multi_stream(**given))
        with raw_peer.accept() as remote:
            connection = making.result(WAIT)
        connection.close()
        assert remote.request.headers["x-slng-agent-id"] == "of the client"
        expected = given.get("session_id", "of the client")
        assert remote.request.headers["x-slng-session-id"] == expected


WRONG: list[tuple[Any, type[Exception], str]] = [
    ("", ConfigurationError, "expected 1 to 128 characters, got 0"),
    (" \n", ConfigurationError, "expected 1 to 128 characters, got 0"),
    ("x" * 129, ConfigurationError, "expected 1 to 128 characters, got 129"),
    ("a,b", ConfigurationError, "expected an id without commas and control characters"),
    ("a\r\nX-Evil: 1", ConfigurationError, "an id without commas and control characters"),
    ("a\tb", ConfigurationError, "an id without commas and control characters"),
    ("a\x7f", ConfigurationError, "an id without commas and control characters"),
    ("\ud800", ConfigurationError, "expected whole characters"),
    (5, InputTypeError, "expected a str, got int"),
    (b"x", InputTypeError, "expected a str, got bytes"),
]


@pytest.mark.parametrize(("value", "error", "said"), WRONG)
@pytest.mark.parametrize("name", ["agent_id", "session_id"])
def test_a_wrong_id_is_refused(name: str, value: Any, error: type[Exception], said: str) -> None:
    """What the gateway would refuse is refused by the constructor and by each call, by name."""
    with pytest.raises(error, match=f"{name}: .*{said}"):
        SlngClient(KEY, **{name: value})
    realtime: Any = SlngClient(KEY).realtime
    for call in (
        lambda **ids: realtime.stt(**RAW, **ids),
        lambda **ids: realtime.record(source=IterableSource([b"\0\0"]), **RAW, **ids),
        lambda **ids: realtime.transcribe(b"\0\0", **RAW, **ids),
        lambda **ids: realtime.speak("Hi.", **VOICE, **ids),
        lambda **ids: realtime.tts(**VOICE, **ids),
        lambda **ids: realtime.tts.multi_stream(**ids),
        lambda **ids: realtime.tts.pool(**ids),
    ):
        with pytest.raises(error, match=f"{name}: .*{said}"):
            call(**{name: value})


def test_an_id_of_128_characters_is_legal(raw_peer: RawPeer) -> None:
    """The longest id is sent whole."""
    client = client_for(raw_peer, agent_id="x" * 128)
    assert sent_by(client, raw_peer) == {"x-slng-agent-id": "x" * 128}


def test_the_service_s_own_client_has_no_such_ids() -> None:
    """They mean nothing to the service, so its client refuses them."""
    realtime: Any = SonioxClient("a-key").realtime
    with pytest.raises(ConfigurationError, match="no field 'agent_id'"):
        realtime.stt(**RAW, agent_id="a")


# -- a model against the route --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "model", "wire"),
    [
        ("/v1/bridges/unmute/stt/soniox/speech-ai:rt-v3", "unmute/soniox/speech-ai:rt-v3", "init"),
        ("/v1/stt/soniox/speech-ai:rt-v3", "rt-v3", "init"),
        ("/v1/stt/soniox/speech-ai:rt-v4", "rt-v4", "config"),
    ],
)
def test_a_transcription_url_decides_the_protocol(
    raw_peer: RawPeer, path: str, model: str, wire: str
) -> None:
    """The route in `stt_ws_url` selects its protocol, the bridge's included."""
    client = client_for(raw_peer, stt_ws_url=f"ws://127.0.0.1:{raw_peer.port}{path}")
    for other in ("rt-v5", "stt-rt-v5"):
        with pytest.raises(
            ConfigurationError, match=f"expected {model!r}, the model in stt_ws_url"
        ):
            client.realtime.stt(**RAW, model=other)
    opening = Task(lambda: client.realtime.stt(**RAW))
    with raw_peer.accept() as remote:
        assert remote.recv_message().json["type"] == wire
        if wire == "init":
            send_texts(remote, READY)
        session = opening.result(WAIT)
        session.send_audio(b"\1\2")
        assert remote.recv_message().payload[:1] == (b"{" if model == "rt-v3" else b"\1")
    session.close()


def test_a_speech_url_decides_the_model(raw_peer: RawPeer) -> None:
    """The route in `tts_ws_url` selects the model; another one is refused, early or per call."""
    url = f"ws://127.0.0.1:{raw_peer.port}/v1/tts/soniox/tts-rt:v2"
    with pytest.raises(ConfigurationError) as caught:
        client_for(raw_peer, tts_ws_url=url, tts_defaults={"model": "tts-rt-v1"})
    assert str(caught.value) == (
        "tts_defaults.model: expected 'tts-rt-v2', the model in tts_ws_url, got 'tts-rt-v1'"
    )
    client = client_for(raw_peer, tts_ws_url=url)
    opening = Task(client.realtime.tts.multi_stream)
    with raw_peer.accept() as remote:
        connection = opening.result(WAIT)
        with pytest.raises(ConfigurationError, match="model: expected 'tts-rt-v2'"):
            connection.stream(**VOICE, model="tts-rt-v1")
        stream = connection.stream(**VOICE)
        stream.send_text("Hi.")
        assert remote.recv_message().json["model"] == "tts-rt-v2"
    connection.close()
