"""Every message of the gateway's transcription routes, byte for byte. PROTOCOL 8.4."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from soniox_sync.errors import (
    AuthError,
    BadRequestError,
    ConfigurationError,
    RealtimeError,
    SonioxConnectionError,
)
from soniox_sync.protocol.tokens import Token
from soniox_sync.transcript import Transcript
from tests.peers import BINARY, RawPeer, close_frame
from tests.slng.wire import (
    RAW,
    READY,
    STT_PATHS,
    client_for,
    connected_session,
    recv_text,
    send_texts,
)
from tests.waiting import WAIT, Task, drain, eventually

AUDIO = b"\x01\x02\x03\x04"
TOKENS = (
    '{"tokens":[{"text":"Hello","start_ms":60,"end_ms":300,"confidence":0.9,"is_final":true},'
    '{"text":" the","start_ms":360,"end_ms":420,"confidence":0.5,"is_final":false}],'
    '"final_audio_proc_ms":300,"total_audio_proc_ms":420}'
)
FINISHED = '{"tokens":[],"final_audio_proc_ms":420,"total_audio_proc_ms":420,"finished":true}'


# -- rt-v4, passed through ------------------------------------------------------------------------


def test_rt_v4_byte_for_byte(raw_peer: RawPeer) -> None:
    """rt-v4: typed config, raw binary audio, typed controls, typed end; native responses."""
    with connected_session(raw_peer, enable_endpoint_detection=True, language_hints=["en"]) as (
        session,
        remote,
        start,
    ):
        assert remote.request.path == "/v1/stt/soniox/speech-ai:rt-v4"
        assert start == (
            '{"type":"config","model":"stt-rt-v4","audio_format":"pcm_s16le","sample_rate":16000,'
            '"num_channels":1,"language_hints":["en"],"enable_endpoint_detection":true}'
        )
        session.send_audio(AUDIO)
        got = remote.recv_message()
        assert (got.opcode, got.payload) == (BINARY, AUDIO)
        session.finalize()
        assert recv_text(remote) == '{"type":"finalize"}'
        session.finalize(trailing_silence_ms=200)
        assert recv_text(remote) == '{"type":"finalize","trailing_silence_ms":200}'
        session.keep_alive()
        assert recv_text(remote) == '{"type":"keepalive"}'
        session.end_audio()
        assert recv_text(remote) == '{"type":""}'
        send_texts(remote, TOKENS, '{"tokens":[{"text":"<end>","is_final":true}]}', FINISHED)
        remote.send(close_frame(1000))
        events = list(session)
        assert [event.kind for event in events] == ["result", "result", "endpoint", "finished"]
        assert events[0].result.final_tokens == [
            Token("Hello", start_ms=60, end_ms=300, confidence=0.9, is_final=True)
        ]
        assert events[-1].result.final_audio_proc_ms == 420


def test_rt_v4_start_message_contains_every_option(raw_peer: RawPeer) -> None:
    """The config message has every option that the route documents, as the service spells it."""
    options = {
        "language_hints": ["en", "de"],
        "enable_speaker_diarization": True,
        "enable_language_identification": True,
        "enable_endpoint_detection": True,
        "max_endpoint_delay_ms": 900,
    }
    with connected_session(raw_peer, **options) as (_, _, start):
        assert start == (
            '{"type":"config","model":"stt-rt-v4","audio_format":"pcm_s16le","sample_rate":16000,'
            '"num_channels":1,"language_hints":["en","de"],"enable_speaker_diarization":true,'
            '"enable_language_identification":true,"enable_endpoint_detection":true,'
            '"max_endpoint_delay_ms":900}'
        )


def test_rt_v4_needs_its_last_response(raw_peer: RawPeer) -> None:
    """A close without `finished` is a lost connection, even with 1000."""
    with connected_session(raw_peer) as (session, remote, _):
        session.send_audio(AUDIO)
        session.end_audio()
        remote.send(close_frame(1000))
        assert isinstance(drain(session)[-1], SonioxConnectionError)


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ('{"tokens":[],"error_code":400,"error_message":"Audio decode error"}', BadRequestError),
        ('{"type":"error","code":"auth_error","message":"No such key."}', AuthError),
        (
            '{"type":"error","code":"backend_connection_failed","message":"Upstream."}',
            RealtimeError,
        ),
    ],
)
def test_rt_v4_errors_of_the_service_and_of_the_gateway(
    raw_peer: RawPeer, frame: str, kind: type
) -> None:
    """A native error frame and one of the gateway each raise their class."""
    with connected_session(raw_peer) as (session, remote, _):
        send_texts(remote, READY, frame)
        (error,) = drain(session)
        assert isinstance(error, kind)


@pytest.mark.parametrize(
    "model", ["rt-v4", "stt-rt-v4", "speech-ai:rt-v4", "soniox/speech-ai:rt-v4", None]
)
def test_models_are_named_by_route_or_by_service(raw_peer: RawPeer, model: Any) -> None:
    """The gateway's name, the service's, and no model at all select the same route."""
    with connected_session(raw_peer, **({} if model is None else {"model": model})) as (
        session,
        remote,
        start,
    ):
        assert remote.request.path.endswith("speech-ai:rt-v4")
        assert start.startswith('{"type":"config","model":"stt-rt-v4",')
        assert session.config.model == "stt-rt-v4"


def test_newer_models_use_the_service_s_messages(raw_peer: RawPeer) -> None:
    """rt-v5 gets the service's own start message, without a type, and its own end."""
    with connected_session(raw_peer, model="rt-v5") as (session, remote, start):
        assert remote.request.path == "/v1/stt/soniox/speech-ai:rt-v5"
        assert start == (
            '{"model":"stt-rt-v5","audio_format":"pcm_s16le","sample_rate":16000,"num_channels":1}'
        )
        session.send_audio(AUDIO)
        assert remote.recv_message().payload == AUDIO
        session.end_audio()
        assert recv_text(remote) == ""
        send_texts(remote, TOKENS, FINISHED)
        assert [event.kind for event in session] == ["result", "finished"]


# -- rt-v3, the gateway's own ---------------------------------------------------------------------

V3 = {"model": "rt-v3", "greeting": READY}


def test_rt_v3_byte_for_byte(raw_peer: RawPeer) -> None:
    """rt-v3: init, base64 audio after ready, typed controls, close; transcripts in response."""
    fields = {"language_hints": ["de", "en"], "enable_speaker_diarization": True}
    with connected_session(raw_peer, **V3, **fields) as (session, remote, start):
        assert remote.request.path == "/v1/stt/soniox/speech-ai:rt-v3"
        assert start == (
            '{"type":"init","config":{"language":"de","sample_rate":16000,'
            '"audio_format":"pcm_s16le","enable_partials":true,"enable_speaker_diarization":true,'
            '"language_hints":["de","en"]}}'
        )
        session.send_audio(AUDIO)
        assert recv_text(remote) == '{"type":"audio","data":"AQIDBA=="}'
        session.finalize(trailing_silence_ms=300)
        assert recv_text(remote) == '{"type":"finalize"}'
        session.keep_alive()
        assert recv_text(remote) == '{"type":"keepalive"}'
        session.end_audio()
        assert recv_text(remote) == '{"type":"close"}'
        send_texts(
            remote,
            '{"type":"partial_transcript","transcript":"Gut","confidence":0.5,"tokens":[]}',
            '{"type":"final_transcript","transcript":"Guten Tag.","confidence":0.9,'
            '"language":"de","duration":1.2}',
        )
        remote.send(close_frame(1000))
        events = list(session)
        assert [event.kind for event in events] == ["result", "result", "finished"]
        assert events[0].result.tokens == [Token("Gut", confidence=0.5)]
        assert events[1].result.tokens == [
            Token("Guten Tag.", confidence=0.9, language="de", is_final=True)
        ]
        assert events[1].result.raw["duration"] == 1.2
        assert session.state == "finished"


def test_rt_v3_sends_no_audio_before_ready(raw_peer: RawPeer) -> None:
    """Opening waits for `ready`: before it only the init is sent."""
    opening = Task(
        lambda: client_for(raw_peer).realtime.stt(
            {"model": "rt-v3", **RAW}, options={"keepalive_interval_sec": 1}
        )
    )
    with raw_peer.accept() as remote:
        assert recv_text(remote).startswith('{"type":"init"')
        send_texts(remote, '{"type":"metadata"}')
        assert not opening.done
        send_texts(remote, READY)
        session = opening.result(WAIT)
        session.send_audio(AUDIO)
        assert recv_text(remote).startswith('{"type":"audio"')
    session.close()


def test_rt_v3_large_audio_is_split_and_complete(raw_peer: RawPeer) -> None:
    """Audio of any size is sent completely, in messages of at most 64 KB."""
    pcm = bytes(range(256)) * 600
    with connected_session(raw_peer, **V3) as (session, remote, _):
        sending = Task(lambda: session.send_audio(pcm))
        received = b""
        while len(received) < len(pcm):
            message = recv_text(remote)
            assert message.startswith('{"type":"audio","data":"') and message.endswith('"}')
            piece = base64.b64decode(message[24:-2], validate=True)
            assert len(piece) <= 64 * 1024
            received += piece
        sending.result()
        assert received == pcm


def test_rt_v3_tokens_keep_their_times(raw_peer: RawPeer) -> None:
    """Tokens of a transcript keep their times and speakers; none are invented."""
    with connected_session(raw_peer, **V3) as (session, remote, _):
        session.send_audio(AUDIO)
        send_texts(
            remote,
            '{"type":"partial_transcript","transcript":"Hi you","confidence":0.7,"tokens":['
            '{"text":"Hi","start_ms":10,"end_ms":90,"speaker":"1","is_final":true},'
            '{"text":" you","confidence":0.4}]}',
        )
        event = next(iter(session))
        assert event.result.tokens == [
            Token("Hi", start_ms=10, end_ms=90, confidence=0.7, speaker="1"),
            Token(" you", confidence=0.4),
        ]
        assert event.result.final_audio_proc_ms == 0


@pytest.mark.parametrize(
    "tokens",
    ['[{"text":"other words"}]', "17", '["Hi"]', '[{"text":3}]', '{"text":"Hi"}', "null"],
)
def test_rt_v3_the_transcript_overrides_its_tokens(raw_peer: RawPeer, tokens: str) -> None:
    """If the tokens have another text or are malformed, the transcript's text is used."""
    with connected_session(raw_peer, **V3) as (session, remote, _):
        send_texts(remote, f'{{"type":"final_transcript","transcript":" Hi ","tokens":{tokens}}}')
        assert next(iter(session)).result.tokens == [Token("Hi", is_final=True)]


def test_rt_v3_final_transcripts_read_as_one_text(raw_peer: RawPeer) -> None:
    """Final transcripts are joined, with spaces if the script has them; partials are replaced."""
    finals_sent = ["One two.", " Three.", "", "これは。", "それは。", "Four"]
    transcript = Transcript()
    seen: list[str] = []
    with connected_session(raw_peer, **V3) as (session, remote, _):
        session.send_audio(AUDIO)
        session.end_audio()
        for text in finals_sent:
            send_texts(
                remote,
                f'{{"type":"partial_transcript","transcript":"{text[:3]}","tokens":[]}}',
                f'{{"type":"FINAL_TRANSCRIPT","data":{{"transcript":"{text}"}}}}',
            )
        remote.send(close_frame(1000))
        finals = ""
        for event in session:
            transcript.add_event(event)
            seen.append(transcript.text)
            finals += "".join(token.text for token in event.result.final_tokens)
    assert finals == transcript.final_text == transcript.text
    assert "One two. Thr" not in seen and "One two. Th" in seen  # " Three."[:3]
    assert finals == "One two. Three. これは。それは。Four"


@pytest.mark.parametrize("code", [1001, 1008, 1011, None])
def test_rt_v3_is_complete_only_after_an_orderly_close(raw_peer: RawPeer, code: Any) -> None:
    """A close with another code than 1000 after our end is a lost connection."""
    with connected_session(raw_peer, **V3) as (session, remote, _):
        session.send_audio(AUDIO)
        session.end_audio()
        assert recv_text(remote) != recv_text(remote)  # the audio, and the end
        remote.send(close_frame(code, "no" if code else ""))
        assert isinstance(drain(session)[-1], SonioxConnectionError)


def test_rt_v3_a_close_before_our_end_is_a_loss(raw_peer: RawPeer) -> None:
    """A gateway that closes with 1000 while audio is still sent has not finished."""
    with connected_session(raw_peer, **V3) as (session, remote, _):
        session.send_audio(AUDIO)
        assert recv_text(remote)
        remote.send(close_frame(1000))
        assert isinstance(drain(session)[-1], SonioxConnectionError)
        assert session.state == "error"


def test_rt_v3_finish_returns_when_the_gateway_closes(raw_peer: RawPeer) -> None:
    """`finish()` waits for the close, runs the finished handler once, and raises nothing."""
    with connected_session(raw_peer, **V3) as (session, remote, _):
        called: list[str] = []
        session.on("finished", lambda: called.append("finished"))
        session.on("disconnected", lambda reason: called.append("disconnected"))
        session.send_audio(AUDIO)
        finishing = Task(lambda: session.finish(20))
        assert recv_text(remote) != recv_text(remote)
        assert not finishing.done
        remote.send(close_frame(1000))
        finishing.result()
        eventually(lambda: called == ["finished", "disconnected"])


def test_rt_v3_an_error_instead_of_ready_is_raised(raw_peer: RawPeer) -> None:
    """If a message refuses the key, `stt()` raises with what to check."""
    opening = Task(lambda: client_for(raw_peer).realtime.stt(model="rt-v3", **RAW))
    with raw_peer.accept() as remote:
        assert recv_text(remote)
        send_texts(remote, '{"type":"error","code":"auth_error","message":"Invalid API key"}')
        remote.send(close_frame(1000))
        with pytest.raises(AuthError, match="SLNG_API_KEY"):
            opening.result()


def test_rt_v3_an_error_later_ends_the_session(raw_peer: RawPeer) -> None:
    """`error{code,message}` raises after the results before it, nested or not."""
    with connected_session(raw_peer, **V3) as (session, remote, _):
        session.send_audio(AUDIO)
        send_texts(
            remote,
            '{"type":"final_transcript","transcript":"One."}',
            '{"type":"error","data":{"code":500,"message":"Overloaded."}}',
        )
        received = drain(session)
        assert received[0].text == "One."
        assert isinstance(received[-1], RealtimeError)
        assert received[-1].status_code == 500


# -- the bridge -----------------------------------------------------------------------------------


def test_the_bridge_byte_for_byte(raw_peer: RawPeer) -> None:
    """The bridge: init with an encoding, binary audio after ready, ends of utterances."""
    with connected_session(
        raw_peer,
        model="unmute/soniox/speech-ai:rt-v4",
        greeting=READY,
        language_hints=["en"],
        extra={"enable_vad": True},
    ) as (session, remote, start):
        assert remote.request.path == "/v1/bridges/unmute/stt/soniox/speech-ai:rt-v4"
        assert start == (
            '{"type":"init","config":{"sample_rate":16000,"encoding":"linear16","language":"en",'
            '"enable_partials":true,"enable_vad":true}}'
        )
        session.send_audio(AUDIO)
        got = remote.recv_message()
        assert (got.opcode, got.payload) == (BINARY, AUDIO)
        session.keep_alive()
        assert recv_text(remote) == '{"type":"keepalive"}'
        session.finalize()
        assert recv_text(remote) == '{"type":"finalize"}'
        session.end_audio()
        assert recv_text(remote) == '{"type":"close"}'
        send_texts(
            remote,
            '{"type":"partial_transcript","transcript":"Hel"}',
            '{"type":"final_transcript","transcript":"Hello."}',
            '{"type":"utterance_end"}',
        )
        remote.send(close_frame(1000))
        events = list(session)
        assert [e.kind for e in events if e.text or e.kind != "result"] == [
            "result",
            "result",
            "endpoint",
            "finished",
        ]
        assert "".join(e.text for e in events if e.result.final_tokens) == "Hello."


# -- options that a route does not support --------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "fields", "named"),
    [
        ("rt-v3", {"translation": {"type": "one_way", "target_language": "de"}}, "translation"),
        ("rt-v3", {"context": "medicine", "num_channels": 2}, "context, num_channels"),
        ("rt-v3", {"enable_endpoint_detection": True}, "enable_endpoint_detection"),
        ("unmute/x", {"enable_speaker_diarization": True}, "enable_speaker_diarization"),
        ("unmute/x", {"audio_format": "mulaw", "sample_rate": 8000}, "audio_format"),
        ("unmute/x", {"language_hints": ["en", "de"]}, "one language"),
    ],
)
def test_unsupported_options_are_refused_before_connecting(
    raw_peer: RawPeer, model: str, fields: dict[str, Any], named: str
) -> None:
    """An option that the route does not support raises ConfigurationError; nothing is opened."""
    with pytest.raises(ConfigurationError, match=named):
        client_for(raw_peer).realtime.stt(**{**RAW, "model": model, **fields})
    assert raw_peer.idle


@pytest.mark.parametrize("model", STT_PATHS)
def test_a_message_of_the_user_s_is_sent_as_given(raw_peer: RawPeer, model: str) -> None:
    """On every route `send_message()` sends its JSON unchanged: no type is added."""
    greeting = READY if model in ("rt-v3", "unmute/soniox/speech-ai:rt-v3") else None
    with connected_session(raw_peer, greeting=greeting, model=model) as (session, remote, _):
        session.send_message({"type": "newer", "at": [1]})
        session.send_message({"words": "x"})
        assert recv_text(remote) == '{"type":"newer","at":[1]}'
        assert recv_text(remote) == '{"words":"x"}'
