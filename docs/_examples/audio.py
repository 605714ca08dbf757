# The examples of docs/reference/audio.rst, run in order by tests/test_call_examples.py.

# == soniox_sync.audio.WavWriter
from soniox_sync.audio import WavWriter

with WavWriter("silence.wav", sample_rate=16000) as wav:
    wav.write(bytes(32000))  # one second

# == soniox_sync.audio.WavReader
from soniox_sync.audio import WavReader

with WavReader("silence.wav") as wav:
    for chunk in wav.chunks(120):
        print(len(chunk))

# == soniox_sync.audio.save_audio
from soniox_sync.audio import save_audio

save_audio([bytes(3200)] * 10, "silence.pcm", "pcm_s16le")

# == soniox_sync.audio.RawAudio.bytes_to_ms
from soniox_sync.audio import RawAudio

audio = RawAudio("pcm_s16le", 16000, 1)
print(audio.bytes_to_ms(32000))  # 1000

# == soniox_sync.audio.RawAudio.ms_to_bytes
print(audio.ms_to_bytes(120))  # 3840

# == soniox_sync.audio.is_raw
from soniox_sync.audio import is_raw

print(is_raw("pcm_s16le"), is_raw("mp3"))

# == soniox_sync.audio.default_tts_sample_rate
from soniox_sync.audio import default_tts_sample_rate

print(default_tts_sample_rate("wav"))
