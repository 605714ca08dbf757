# The examples of docs/reference/transcript.rst, run in order by tests/test_call_examples.py.
# Given: `client`, and a recording, meeting.wav.

# == soniox_sync.Transcript.add
from soniox_sync import Result, Token, Transcript

transcript = Transcript()
transcript.add(Result(tokens=[Token(text="Hello.", start_ms=0, end_ms=400, is_final=True)]))

# == soniox_sync.Transcript.add_event
transcript = Transcript()
for event in client.realtime.transcribe("meeting.wav", pace=False):
    transcript.add_event(event)

# == soniox_sync.Transcript.segments
for segment in transcript.segments(group_by=("speaker",)):
    print(segment.speaker, segment.text)

# == soniox_sync.Transcript.utterances
for utterance in transcript.utterances():
    print(utterance.start_ms, utterance.text)

# == soniox_sync.Transcript.to_srt
print(transcript.to_srt(max_line_length=32))

# == soniox_sync.Transcript.to_vtt
print(transcript.to_vtt(max_lines=1))

# == soniox_sync.Transcript.to_text
print(transcript.to_text(speakers=False))

# == soniox_sync.Transcript.to_json
document = transcript.to_json()

# == soniox_sync.Transcript.to_html
page = transcript.to_html(audio="meeting.wav", title="Meeting")

# == soniox_sync.Transcript.translation_pairs
for pair in transcript.translation_pairs():
    print(pair.original, pair.translation)

# == soniox_sync.Transcript.mark_endpoint
transcript.mark_endpoint()  # an utterance is over; `add_event()` does so by itself

# == soniox_sync.transcript.segment_tokens
from soniox_sync.transcript import segment_tokens

segments = segment_tokens(transcript.tokens, group_by=("speaker", "language"))

# == soniox_sync.transcript.segments_to_text
from soniox_sync.transcript import segments_to_text

print(segments_to_text(segments))

# == soniox_sync.transcript.segment_to_dict
from soniox_sync.transcript import segment_to_dict

print(segment_to_dict(segments[0])["text"])

# == soniox_sync.transcript.token_to_dict
from soniox_sync.transcript import token_to_dict

print(token_to_dict(transcript.tokens[0]))

# == soniox_sync.transcript.event_to_json
from soniox_sync.transcript import event_to_json

for event in client.realtime.transcribe("meeting.wav", pace=False):
    line = event_to_json(event)

# == soniox_sync.transcript.render_tokens
from soniox_sync.transcript import render_tokens

print(render_tokens(transcript.final_tokens, transcript.non_final_tokens))

# == soniox_sync.transcript.translation_pairs
from soniox_sync.transcript import translation_pairs

pairs = translation_pairs(transcript.tokens)

# == soniox_sync.transcript.tokens_to_srt
from soniox_sync.transcript import tokens_to_srt

print(tokens_to_srt(transcript.tokens))

# == soniox_sync.transcript.tokens_to_vtt
from soniox_sync.transcript import tokens_to_vtt

print(tokens_to_vtt(transcript.tokens))

# == soniox_sync.transcript.build_cues
from soniox_sync.transcript import build_cues

cues = build_cues(transcript.tokens, {"max_lines": 1})

# == soniox_sync.transcript.cues_to_srt
from soniox_sync.transcript import cues_to_srt

print(cues_to_srt(cues))

# == soniox_sync.transcript.cues_to_vtt
from soniox_sync.transcript import cues_to_vtt

print(cues_to_vtt(cues))

# == soniox_sync.Transcript.clear
transcript.clear()
