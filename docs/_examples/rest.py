# The examples of docs/reference/rest.rst, run in order by tests/test_call_examples.py.
# Given: `client`, and a recording, meeting.wav.

# == soniox_sync.SonioxClient.request
models = client.request("GET", "/models")["models"]

# == soniox_sync.rest.tts.TtsApi.generate
audio = client.tts.generate(text="Good morning.", voice="Emma", audio_format="wav")

# == soniox_sync.rest.tts.TtsApi.generate_stream
with open("morning.wav", "wb") as file:
    for chunk in client.tts.generate_stream(text="Good morning.", voice="Emma"):
        file.write(chunk)

# == soniox_sync.rest.tts.TtsApi.generate_to_file
client.tts.generate_to_file("morning.wav", text="Good morning.", voice="Emma")

# == soniox_sync.rest.files.FilesApi.upload
file = client.files.upload("meeting.wav")

# == soniox_sync.rest.files.FilesApi.get
print(client.files.get(file.id).filename)

# == soniox_sync.rest.files.FilesApi.get_or_none
if client.files.get_or_none("no-such-id") is None:
    print("deleted")

# == soniox_sync.rest.files.FilesApi.list
page = client.files.list(limit=10)

# == soniox_sync.rest.files.FilesApi.list_all
for each in client.files.list_all():
    print(each.filename, each.size)

# == soniox_sync.rest.files.FilesApi.count
print(client.files.count().total)

# == soniox_sync.rest.stt.api.SttApi.create
job = client.stt.create(file_id=file.id, language_hints=["en"])

# == soniox_sync.rest.stt.api.SttApi.wait
job = client.stt.wait(job.id, interval_sec=0.1)

# == soniox_sync.rest.stt.api.SttApi.get
print(client.stt.get(job.id).status)

# == soniox_sync.rest.stt.api.SttApi.get_transcript
print(client.stt.get_transcript(job.id).text)

# == soniox_sync.rest.stt.api.SttApi.get_or_none
print(client.stt.get_or_none("no-such-id"))

# == soniox_sync.rest.stt.api.SttApi.list
page = client.stt.list(limit=10)

# == soniox_sync.rest.stt.api.SttApi.list_all
for each in client.stt.list_all():
    print(each.id, each.status)

# == soniox_sync.rest.stt.api.SttApi.count
print(client.stt.count().total)

# == soniox_sync.rest.stt.api.SttApi.delete
client.stt.delete(job.id)  # the job; its file stays

# == soniox_sync.rest.stt.api.SttApi.delete_if_exists
client.stt.delete_if_exists(job.id)

# == soniox_sync.rest.files.FilesApi.delete
client.files.delete(file.id)

# == soniox_sync.rest.files.FilesApi.delete_if_exists
client.files.delete_if_exists(file.id)

# == soniox_sync.rest.stt.api.SttApi.transcribe
job = client.stt.transcribe(file="meeting.wav", language_hints=["en"])

# == soniox_sync.rest.stt.api.SttApi.transcribe_and_wait
job = client.stt.transcribe_and_wait(file="meeting.wav", wait_interval_sec=0.1)

# == soniox_sync.rest.stt.api.SttApi.destroy
client.stt.destroy(job.id)  # the job and its file

# == soniox_sync.rest.stt.api.SttApi.transcribe_and_wait_with_tokens
transcript = client.stt.transcribe_and_wait_with_tokens(
    file="meeting.wav", delete_after=True, wait_interval_sec=0.1
)
print(transcript.text)

# == soniox_sync.rest.stt.api.SttApi.translate
job = client.stt.translate(file="meeting.wav", to="de")

# == soniox_sync.rest.stt.api.SttApi.translate_and_wait
job = client.stt.translate_and_wait(file="meeting.wav", to="de", wait_interval_sec=0.1)

# == soniox_sync.rest.stt.api.SttApi.translate_and_wait_with_tokens
transcript = client.stt.translate_and_wait_with_tokens(
    file="meeting.wav", to="de", wait_interval_sec=0.1
)

# == soniox_sync.rest.webhooks.WebhooksApi.fields
hook = client.webhooks.fields("https://your.host/soniox", secret="a long random text")

# == soniox_sync.rest.stt.api.SttApi.transcribe_file_with_webhook
job = client.stt.transcribe_file_with_webhook(
    file="meeting.wav", webhook_url="https://your.host/soniox"
)

# == soniox_sync.rest.webhooks.WebhooksApi.verify
headers = {"X-Soniox-Webhook-Secret": "a long random text"}  # of the request
client.webhooks.verify(headers, secret="a long random text")

# == soniox_sync.rest.webhooks.WebhooksApi.unwrap
body = b'{"id": "548d023b", "status": "completed"}'  # of the request
event = client.webhooks.unwrap(body, headers, secret="a long random text")
print(event.id, event.status)

# == soniox_sync.rest.stt.api.SttApi.destroy_all
client.stt.destroy_all()

# == soniox_sync.rest.stt.api.SttApi.delete_all
client.stt.delete_all()

# == soniox_sync.rest.files.FilesApi.delete_all
client.files.delete_all()

# == soniox_sync.rest.catalog.ModelsApi.list
for model in client.models.list():
    print(model.id)

# == soniox_sync.rest.catalog.TtsModelsApi.list
for model in client.tts_models.list():
    print(model.id)

# == soniox_sync.rest.voices.VoicesApi.create
voice = client.voices.create(file="meeting.wav", name="chairman")

# == soniox_sync.rest.voices.VoicesApi.get
print(client.voices.get(voice.id).name)

# == soniox_sync.rest.voices.VoicesApi.get_or_none
print(client.voices.get_or_none("no-such-id"))

# == soniox_sync.rest.voices.VoicesApi.list
page = client.voices.list(limit=10)

# == soniox_sync.rest.voices.VoicesApi.list_all
for each in client.voices.list_all():
    print(each.name)

# == soniox_sync.rest.voices.VoicesApi.count
print(client.voices.count().total)

# == soniox_sync.rest.voices.VoicesApi.list_shared
page = client.voices.list_shared("tts-rt-v2", gender="female")

# == soniox_sync.rest.voices.VoicesApi.list_all_shared
for each in client.voices.list_all_shared("tts-rt-v2"):
    print(each.id, each.description)

# == soniox_sync.rest.voices.VoicesApi.recompute
voice = client.voices.recompute(voice.id, model="tts-rt-v2")

# == soniox_sync.rest.voices.VoicesApi.delete
client.voices.delete(voice.id)

# == soniox_sync.rest.voices.VoicesApi.delete_if_exists
client.voices.delete_if_exists(voice.id)

# == soniox_sync.rest.voices.VoicesApi.delete_all
client.voices.delete_all()

# == soniox_sync.rest.auth.AuthApi.create_temporary_api_key
key = client.auth.create_temporary_api_key(usage_type="tts_rt", expires_in_seconds=60)

# == soniox_sync.rest.usage.UsageApi.summary
from datetime import datetime, timedelta, timezone

now = datetime.now(timezone.utc)
summary = client.usage.summary(start_time=now - timedelta(days=7), end_time=now)

# == soniox_sync.rest.usage.UsageLogsApi.list
page = client.usage_logs.list(start_time=now - timedelta(days=1), end_time=now)

# == soniox_sync.rest.usage.UsageLogsApi.list_all
for log in client.usage_logs.list_all(start_time=now - timedelta(days=1), end_time=now):
    print(log.model, log.cost_usd)

# == soniox_sync.rest.usage.ConcurrencyLimitsApi.get
limits = client.concurrency_limits.get()

# == soniox_sync.rest.usage.ConcurrencyLimitsApi.history
history = client.concurrency_limits.history(
    start_time=now - timedelta(hours=1), end_time=now, period_sec=60, kind="stt"
)
