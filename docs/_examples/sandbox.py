# The examples of docs/reference/sandbox.rst, run in order by tests/test_call_examples.py.

# == soniox_sync.sandbox.Sandbox
from soniox_sync.sandbox import Sandbox

with Sandbox() as sandbox:
    client = sandbox.client()
    print(client.models.list()[0].id)

# == soniox_sync.sandbox.Sandbox.start
sandbox = Sandbox()
sandbox.start()  # as entering a `with` block does

# == soniox_sync.sandbox.Sandbox.client
client = sandbox.client(max_retries=0)

# == soniox_sync.sandbox.Sandbox.slng_client
gateway = sandbox.slng_client()

# == soniox_sync.sandbox.Sandbox.script
sandbox.script("Hello there.", ms_per_word=100, final_lag_ms=100)

# == soniox_sync.sandbox.Faults.refuse
sandbox.faults.refuse(503, kind="rest")

# == soniox_sync.sandbox.Faults.error_frame
sandbox.faults.error_frame("service_unavailable", kind="stt", after_audio_ms=500)

# == soniox_sync.sandbox.Faults.drop
sandbox.faults.drop(kind="stt", after_audio_ms=500)

# == soniox_sync.sandbox.Faults.delay
sandbox.faults.delay(0.5, kind="tts")

# == soniox_sync.sandbox.Faults.clear
sandbox.faults.clear()

# == soniox_sync.sandbox.TrafficLog.messages
for message in sandbox.log.messages(kind="stt"):
    print(message)

# == soniox_sync.sandbox.Sandbox.close
sandbox.close()
