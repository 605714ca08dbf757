# The examples of docs/reference/speech.rst, run in order by tests/test_call_examples.py.
# Given: `client`.

# == soniox_sync.realtime.facade.Realtime.speak
client.realtime.speak("Good morning.", voice="Adrian", language="en").save("morning.wav")

# == soniox_sync.Speech.save
num_bytes = client.realtime.speak("Good morning.", voice="Adrian").save("morning.wav")

# == soniox_sync.Speech.read
audio = client.realtime.speak("Good morning.", voice="Adrian", audio_format="pcm_s16le").read()

# == soniox_sync.Speech.__iter__
with open("morning.wav", "wb") as file:
    for chunk in client.realtime.speak(["Good ", "morning."], voice="Adrian"):
        file.write(chunk)

# == soniox_sync.Speech.events
for chunk in client.realtime.speak("Good morning.", voice="Adrian", timestamps=True).events():
    if chunk.timestamps is not None:
        print(chunk.timestamps.characters)

# == soniox_sync.Speech.cancel
speech = client.realtime.speak("A long story.", voice="Adrian")
speech.cancel()  # from any thread: the audio ends at once

# == soniox_sync.Speech.close
speech.close()

# == soniox_sync.speakable
from soniox_sync import speakable

print("".join(speakable(["**Good** ", "morning 👋"])))

# == soniox_sync.realtime.facade.TtsFactory.__call__
with client.realtime.tts(voice="Adrian", language="en", audio_format="wav") as stream:
    stream.send_text("Good morning.", end=True)
    stream.save("morning.wav")

# == soniox_sync.TtsStream.send_text
stream = client.realtime.tts(voice="Adrian", language="en", audio_format="wav")
stream.send_text("Good ")
stream.send_text("morning.", end=True)

# == soniox_sync.TtsStream.read
audio = stream.read(timeout_sec=30)

# == soniox_sync.TtsStream.wait
stream.wait(timeout_sec=10)

# == soniox_sync.TtsStream.close
stream.close()

# == soniox_sync.TtsStream.send_stream
with client.realtime.tts(voice="Adrian", language="en", audio_format="wav") as stream:
    stream.send_stream(["Good ", "morning."])  # and ends the text
    audio = stream.read()

# == soniox_sync.TtsStream.finish
with client.realtime.tts(voice="Adrian", language="en", audio_format="wav") as stream:
    stream.send_text("Good morning.")
    stream.finish()
    audio = stream.read()

# == soniox_sync.TtsStream.save
with client.realtime.tts(voice="Adrian", language="en", audio_format="mp3") as stream:
    stream.send_text("Good morning.", end=True)
    stream.save("morning.mp3")

# == soniox_sync.TtsStream.__iter__
with client.realtime.tts(voice="Adrian", language="en", audio_format="pcm_s16le") as stream:
    stream.send_text("Good morning.", end=True)
    for chunk in stream:
        print(len(chunk))

# == soniox_sync.TtsStream.events
with client.realtime.tts(
    voice="Adrian", language="en", audio_format="pcm_s16le", return_timestamps=True
) as stream:
    stream.send_text("Good morning.", end=True)
    for chunk in stream.events():
        print(len(chunk.audio), chunk.timestamps)

# == soniox_sync.TtsStream.cancel
with client.realtime.tts(voice="Adrian", language="en", audio_format="wav") as stream:
    stream.send_text("A long story.")
    stream.cancel()

# == soniox_sync.realtime.facade.TtsFactory.multi_stream
with client.realtime.tts.multi_stream() as connection:
    stream = connection.stream(voice="Adrian", language="en", audio_format="wav")
    stream.send_text("Good morning.", end=True)
    audio = stream.read()

# == soniox_sync.TtsConnection.connect
connection = client.realtime.tts.multi_stream()
connection.connect()  # does nothing while it is connected

# == soniox_sync.TtsConnection.stream
stream = connection.stream(voice="Nina", language="de", audio_format="wav", wait_sec=10)

# == soniox_sync.TtsConnection.keep_alive
connection.keep_alive()  # the library does so by itself when nothing else is sent

# == soniox_sync.TtsConnection.close
connection.close()

# == soniox_sync.realtime.facade.TtsFactory.pool
pool = client.realtime.tts.pool(max_connections=2)

# == soniox_sync.TtsPool.warm
pool.warm(1)  # connects before the first text comes

# == soniox_sync.TtsPool.stream
with pool.stream(voice="Adrian", language="en", audio_format="wav", wait_sec=10) as stream:
    stream.send_text("Good morning.", end=True)
    audio = stream.read()

# == soniox_sync.TtsPool.speak
audio = pool.speak("Good morning.", voice="Adrian").read()

# == soniox_sync.TtsPool.close
pool.close()
