# The examples of docs/reference/transcription.rst, run in order by tests/test_call_examples.py.
# Given: `client`, and a recording, meeting.wav.

# == soniox_sync.realtime.facade.Realtime.transcribe
for utterance in client.realtime.transcribe("meeting.wav", pace=False).utterances():
    print(utterance.text)

# == soniox_sync.Transcription.utterances
for utterance in client.realtime.transcribe("meeting.wav", pace=False).utterances():
    print(utterance.speaker, utterance.text)

# == soniox_sync.Transcription.read
transcript = client.realtime.transcribe("meeting.wav", pace=False).read(timeout_sec=60)
print(transcript.text)

# == soniox_sync.Transcription.__iter__
for event in client.realtime.transcribe("meeting.wav", pace=False):
    print(event.kind, event.text)

# == soniox_sync.Transcription.next_event
transcription = client.realtime.transcribe("meeting.wav", pace=False)
event = transcription.next_event(timeout_sec=20)

# == soniox_sync.Transcription.close
transcription.close()  # from any thread; a loop over it ends

# == soniox_sync.Transcription.start
transcription = client.realtime.transcribe("meeting.wav", pace=False)
transcription.start()  # a missing file is reported here
print(transcription.read().text)

# == soniox_sync.realtime.facade.Realtime.record
from soniox_sync import FileSource

recording = client.realtime.record(
    source=FileSource("meeting.wav", pace=False), auto_reconnect=True, language_hints=["en"]
)
print(recording.read().text)

# == soniox_sync.Recording.on
recording = client.realtime.record(source=FileSource("meeting.wav", pace=False))


@recording.on("state_change")
def changed(change):
    print(change.old_state, "->", change.new_state, change.reason)


# == soniox_sync.Recording.off
recording.off("state_change", changed)

# == soniox_sync.Recording.once
recording.once("endpoint", lambda: print("the first utterance is over"))

# == soniox_sync.Recording.next_event
event = recording.next_event(timeout_sec=20)

# == soniox_sync.Recording.results
for result in recording.results():
    print(result.final_text, end="")

# == soniox_sync.Recording.stop
recording.stop(timeout_sec=10)  # no more audio; the last words still come

# == soniox_sync.Recording.wait
recording.wait(timeout_sec=10)

# == soniox_sync.Recording.cancel
recording.cancel()  # at once, without the last words

# == soniox_sync.Recording.close
recording.close()

# == soniox_sync.Recording.read
recording = client.realtime.record(source=FileSource("meeting.wav", pace=False))
transcript = recording.read(timeout_sec=60)

# == soniox_sync.Recording.utterances
recording = client.realtime.record(
    source=FileSource("meeting.wav", pace=False), enable_endpoint_detection=True
)
for utterance in recording.utterances():
    print(utterance.text)

# == soniox_sync.Recording.__iter__
recording = client.realtime.record(source=FileSource("meeting.wav", pace=False))
for event in recording:
    print(event.kind)

# == soniox_sync.realtime.facade.Realtime.stt
with client.realtime.stt(
    audio_format="pcm_s16le", sample_rate=16000, num_channels=1, language_hints=["en"]
) as session:
    session.send_audio(bytes(3840))  # 120 ms of silence

# == soniox_sync.SttSession.send_audio
session = client.realtime.stt(audio_format="pcm_s16le", sample_rate=16000, num_channels=1)
session.send_audio(bytes(3840))

# == soniox_sync.SttSession.on
session.on("state_change", lambda change: print(change.new_state))

# == soniox_sync.SttSession.once
session.once("finished", lambda: print("all words have come"))

# == soniox_sync.SttSession.keep_alive
session.keep_alive()  # the library does so by itself when nothing else is sent

# == soniox_sync.SttSession.pause
session.pause()

# == soniox_sync.SttSession.resume
session.resume()

# == soniox_sync.SttSession.finalize
session.finalize()  # what was said so far becomes final now

# == soniox_sync.SttSession.send_message
session.send_message({"type": "keepalive"})  # any JSON object

# == soniox_sync.SttSession.send_stream
session.send_stream([bytes(3840), bytes(3840)], pace_sec=0.12)

# == soniox_sync.SttSession.start_sending
handle = session.start_sending([bytes(3840)] * 3, pace_sec=0.12)

# == soniox_sync.realtime.stt.sending.SendHandle.join
handle.join(timeout_sec=10)

# == soniox_sync.SttSession.finish
session.finish(timeout_sec=10)

# == soniox_sync.SttSession.next_event
event = session.next_event(timeout_sec=0)  # 0: what is there now

# == soniox_sync.SttSession.read
transcript = session.read(timeout_sec=10)

# == soniox_sync.SttSession.close
session.close()

# == soniox_sync.SttSession.__iter__
with open("meeting.wav", "rb") as file, client.realtime.stt(audio_format="wav") as session:
    session.start_sending(file, pace_sec=0, finish=True)
    for event in session:
        print(event.final_text, end="")

# == soniox_sync.SttSession.results
with open("meeting.wav", "rb") as file, client.realtime.stt(audio_format="wav") as session:
    session.start_sending(file, pace_sec=0, finish=True)
    for result in session.results():
        print([token.text for token in result.final_tokens])

# == soniox_sync.SttSession.utterances
with (
    open("meeting.wav", "rb") as file,
    client.realtime.stt(audio_format="wav", enable_endpoint_detection=True) as session,
):
    session.start_sending(file, pace_sec=0, finish=True)
    for utterance in session.utterances():
        print(utterance.text)
