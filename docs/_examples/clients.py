# The examples of docs/reference/client.rst and others, run in order by tests/test_call_examples.py.
# Given: `client`.

# == soniox_sync.SonioxClient
from soniox_sync import SonioxClient

client = SonioxClient(region="us", stt_defaults={"language_hints": ["en"]})  # reads SONIOX_API_KEY

# == soniox_sync.SonioxClient.close
with SonioxClient() as other:  # closes it at the end
    print(other.models.list()[0].id)

# == soniox_sync.resolve_api_key
from soniox_sync import resolve_api_key

key = resolve_api_key()  # that of the environment, or an error that says what to do

# == soniox_sync.resolve_connection_config
from soniox_sync import resolve_connection_config

print(resolve_connection_config({"region": "eu"}).api_url)

# == soniox_sync.CancelToken
from soniox_sync import CancelToken

cancel = CancelToken()
transcription = client.realtime.transcribe(b"RIFF", cancel=cancel)

# == soniox_sync.CancelToken.on_cancel
cancel.on_cancel(lambda: print("cancelled"))

# == soniox_sync.CancelToken.wait
cancel.wait(0)  # whether it is cancelled

# == soniox_sync.CancelToken.raise_if_cancelled
cancel.raise_if_cancelled()

# == soniox_sync.CancelToken.cancel
cancel.cancel("the user went away")  # from any thread; every call with the token ends

# == soniox_sync.error_from_frame
from soniox_sync import error_from_frame

error = error_from_frame({"error_code": 503, "error_message": "Busy."})

# == soniox_sync.is_retriable
from soniox_sync import is_retriable

print(is_retriable(error))  # True: another attempt may succeed

# == soniox_sync.SttConfig
from soniox_sync import SttConfig

config = SttConfig(language_hints=["en"], enable_speaker_diarization=True)

# == soniox_sync.Context
from soniox_sync import Context

context = Context(text="A call about an order.", terms=["Soniox", "Elbe"])

# == soniox_sync.OneWayTranslation
from soniox_sync import OneWayTranslation

translation = OneWayTranslation("de")

# == soniox_sync.TwoWayTranslation
from soniox_sync import TwoWayTranslation

translation = TwoWayTranslation("en", "de")

# == soniox_sync.SttSessionOptions
from soniox_sync import SttSessionOptions

options = SttSessionOptions(connect_timeout_sec=5, finish_timeout_sec=20)

# == soniox_sync.TtsStreamInput
from soniox_sync import TtsStreamInput

defaults = TtsStreamInput(voice="Adrian", language="en", audio_format="wav")

# == soniox_sync.ConnectionConfig
from soniox_sync import ConnectionConfig

config = ConnectionConfig(region="eu")

# == soniox_sync.FileSource
from soniox_sync import FileSource

source = FileSource("meeting.wav", pace=False)

# == soniox_sync.IterableSource
from soniox_sync import IterableSource

source = IterableSource([bytes(3840)] * 10)

# == soniox_sync.MicrophoneSource
from soniox_sync import MicrophoneSource

source = MicrophoneSource(device="USB", sample_rate=16000)  # opens nothing yet

# == soniox_sync.sources.as_source
from soniox_sync.sources import as_source

source = as_source("meeting.wav")
