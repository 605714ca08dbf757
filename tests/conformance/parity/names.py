"""Names of the official SDK that have another name here, or none, with the reason.

Whatever is in neither table must have the same name here; `compare` looks each of them up.
Keys are `Class`, `Class.method`, `Class.method(parameter)` or `Class.field`.
"""

from __future__ import annotations

# official -> name here, and what else differs
RENAMED: dict[str, tuple[str, str]] = {
    # the client
    "SonioxClient(api_base_url)": ("SonioxClient(api_url=)", ""),
    "SonioxClient(websocket_base_url)": ("SonioxClient(stt_ws_url=)", ""),
    "SonioxClient(tts_api_base_url)": ("SonioxClient(tts_api_url=)", ""),
    "SonioxClient(tts_websocket_base_url)": ("SonioxClient(tts_ws_url=)", ""),
    "SonioxClient(webhook_secret)": ("client.webhooks.verify(secret=)", "or the environment"),
    "SonioxClient(webhook_signature_header)": (
        "client.webhooks.verify(header=)",
        "or the environment",
    ),
    "SonioxClient(client_kwargs)": (
        "SonioxClient(proxy=, verify=, ssl_context=, http_session=)",
        "options of httpx there; here they apply to WebSockets as well",
    ),
    # HTTP
    "SonioxClient.request": (
        "client.request()",
        (
            "returns the body (parsed JSON, or bytes), not an ``httpx.Response``; raises for an "
            "error status; ``path`` begins with ``/``; ``data`` is a body, not a form"
        ),
    ),
    "SttAPI.transcribe_from_url": ("client.stt.transcribe()", ""),
    "SttAPI.transcribe_from_file_id": ("client.stt.transcribe()", ""),
    "SttAPI.transcribe_from_file": ("client.stt.transcribe()", ""),
    "SttAPI.translate_from_url": ("client.stt.translate()", ""),
    "SttAPI.translate_from_file_id": ("client.stt.translate()", ""),
    "SttAPI.translate_from_file": ("client.stt.translate()", ""),
    "SonioxWebhooksAPI.verify_signature": (
        "client.webhooks.verify()",
        "raises if there is no secret; ``allow_unsigned=True`` permits that",
    ),
    "SonioxWebhooksAPI.verify_signature(auth)": (
        "client.webhooks.verify(secret=, header=)",
        "two arguments instead of an object",
    ),
    "SonioxWebhooksAPI.unwrap(payload)": ("client.webhooks.unwrap(body=)", ""),
    "SonioxWebhooksAPI.unwrap(auth)": (
        "client.webhooks.unwrap(secret=, header=)",
        "two arguments instead of an object",
    ),
    "SonioxWebhooksAPI.webhook_payload": ("client.webhooks.fields()", ""),
    "SonioxWebhooksAPI.webhook_payload(webhook_url)": ("client.webhooks.fields(url=)", ""),
    "SonioxWebhooksAPI.webhook_payload(auth)": (
        "client.webhooks.fields(secret=, header=)",
        "two arguments instead of an object",
    ),
    # transcription in real time
    "RealtimeSTTClient.connect": ("client.realtime.stt()", "returns connected"),
    "RealtimeSTTClient.connect(api_key)": (
        "SttSessionOptions(api_key=)",
        "in ``client.realtime.stt(options=)``",
    ),
    "RealtimeSTTClient.connect(connect_timeout_sec)": (
        "SttSessionOptions(connect_timeout_sec=)",
        "in ``client.realtime.stt(options=)``",
    ),
    "RealtimeSTTSession.send_byte_chunk": ("session.send_audio()", ""),
    "RealtimeSTTSession.send_byte_chunk(chunk)": ("session.send_audio(data=)", ""),
    "RealtimeSTTSession.send_bytes": (
        "session.send_stream()",
        "``finish`` is ``False`` by default",
    ),
    "RealtimeSTTSession.send_control_message": (
        "session.send_message()",
        "there is also a method for each known message",
    ),
    "RealtimeSTTSession.send_control_message(control_type)": (
        "session.send_message(message=)",
        "a mapping",
    ),
    "RealtimeSTTSession.receive_event": (
        "session.next_event()",
        "``None`` at the end; an error raises",
    ),
    "RealtimeSTTSession.receive_events": ("session.results()", "or a loop over the session"),
    "RealtimeSTTSession.handle_events": (
        "session.on()",
        "a handler for each kind of event, on a thread of its own",
    ),
    # speech in real time
    "RealtimeTTSClient.connect": ("client.realtime.tts()", "returns connected"),
    "RealtimeTTSClient.connect(config)": ("client.realtime.tts(input=)", "or keywords"),
    "RealtimeTTSClient.connect_multi_stream": ("client.realtime.tts.multi_stream()", ""),
    "RealtimeTTSMultiplexedConnection.open_stream": ("connection.stream()", ""),
    "RealtimeTTSMultiplexedConnection.open_stream(config)": (
        "connection.stream(input=)",
        "or keywords",
    ),
    **{
        f"{owner}.{name}": row
        for owner in ("RealtimeTTSConnection", "RealtimeTTSStream")
        for name, row in {
            "send_text_chunk": ("stream.send_text()", ""),
            "send_text_chunk(text_end)": ("stream.send_text(end=)", ""),
            "send_text_chunks": ("stream.send_stream()", "always ends the text"),
            "send_text_chunks(chunks)": ("stream.send_stream(texts=)", ""),
            "receive_audio_chunks": ("stream.read()", "or a loop over the stream, or ``save()``"),
            "receive_event": ("stream.events()", "an iterator"),
            "receive_events": ("stream.events()", ""),
        }.items()
    },
    # fields
    "RealtimeTTSTextMessage.text_end": ("stream.send_text(end=)", ""),
    "RealtimeTTSEvent.audio_bytes": ("AudioChunk.audio", "decoded when first read"),
    "TranslationConfig.type": ("OneWayTranslation, TwoWayTranslation", "the class says which"),
    "TranslationConfig.language_a": ("TwoWayTranslation.language_a", ""),
    "TranslationConfig.language_b": ("TwoWayTranslation.language_b", ""),
    "WebhookAuthConfig.name": ("client.webhooks.verify(header=)", ""),
    "WebhookAuthConfig.value": ("client.webhooks.verify(secret=)", ""),
    **{
        f"ApiErrorValidationError.{key}": (
            "SonioxHttpError.validation_errors",
            f"a mapping with ``{key}``",
        )
        for key in ("error_type", "location", "message")
    },
    # errors
    "InvalidWebhookSignatureError": ("WebhookSignatureError", ""),
    "SonioxAPIError": ("SonioxHttpError", ""),
    "SonioxAuthenticationError": ("AuthenticationError", "401"),
    "SonioxConflictError": ("ConflictError", ""),
    "SonioxInvalidRequestError": ("SonioxHttpError", "with ``status_code`` 400"),
    "SonioxNotFoundError": ("NotFoundError", ""),
    "SonioxPermissionDeniedError": ("PermissionDeniedError", ""),
    "SonioxRateLimitError": ("RateLimitError", ""),
    "SonioxRealtimeError": ("RealtimeError", "with a subclass for each kind"),
    "SonioxServerError": ("ServerError", ""),
    "SonioxValidationError": ("ConfigurationError", "also a ``ValueError``"),
    # helpers
    "stream_audio": ("FileSource()", "or a path in ``client.realtime.transcribe()``"),
    "throttle_audio": ("FileSource(pace=)", "the pace is that of the audio format"),
    "start_audio_thread": ("session.start_sending()", ""),
    "start_text_thread": ("client.realtime.speak()", "takes an iterable, and reads it on a thread"),
    "output_file_for_audio_format": ("stream.save()", "to a path of your choice"),
}

_READER = "a reader thread parses what is received; ``raw`` of a result holds the response"
_SPEECH_READER = "a reader thread parses what is received; iterate over the stream"
_KEEPALIVE = "keepalives are sent whenever nothing else is; simply send text later"
_KEYWORDS = "the fields of the object are keywords here"

# official -> why it has no counterpart
LEFT_OUT: dict[str, str] = {
    "SonioxClient.request(files)": (
        "the methods for uploads read the file in pieces; for any other upload encode the body "
        "yourself, and pass its type with ``headers=``"
    ),
    "TtsAPI.generate(config)": _KEYWORDS,
    "TtsAPI.generate_to_file(config)": _KEYWORDS,
    "RealtimeSTTSession.enter": "``client.realtime.stt()`` returns connected",
    "RealtimeSTTSession.recv_bytes": _READER,
    "RealtimeSTTSession.parse_event": _READER,
    "RealtimeSTTSession.last_message": "keep the result that you need",
    "RealtimeSTTSession.handle_events(handler)": "one handler for each kind of event",
    "RealtimeTTSClient.connect(api_key)": "pass a callable as ``api_key`` to the client",
    "RealtimeTTSMultiplexedConnection.last_message": "events belong to their streams",
    **{
        f"RealtimeTTSMultiplexedConnection.{name}": _KEEPALIVE
        for name in ("pause", "paused", "resume")
    },
    **{
        f"{owner}.{name}": reason
        for owner in ("RealtimeTTSConnection", "RealtimeTTSStream")
        for name, reason in {
            "keep_alive": "sent automatically; by hand with ``connection.keep_alive()``",
            "pause": _KEEPALIVE,
            "resume": _KEEPALIVE,
            "last_message": "keep the chunk that you need",
            "send_text_chunks(text_end)": "``send_stream()`` always ends the text",
        }.items()
    },
    "RealtimeTTSConnection.paused": _KEEPALIVE,
    "RealtimeTTSConnection.recv_bytes": _SPEECH_READER,
    "RealtimeTTSConnection.parse_event": _SPEECH_READER,
    "RealtimeTTSEvent.stream_id": "a chunk comes from the stream that you read",
    "RealtimeTTSEvent.terminated": "iteration ends",
    **{
        f"{event}.{name}": reason
        for event in ("RealtimeEvent", "RealtimeTTSEvent")
        for name, reason in {
            "error_code": "an error is raised, with ``status_code``",
            "error_message": "an error is raised, with ``message``",
        }.items()
    },
    "RealtimeTTSTextMessage.stream_id": "the stream knows its own",
    "AsyncSonioxClient": "this library blocks; from an event loop use ``asyncio.to_thread()``",
    "stream_audio_async": "this library blocks",
    "throttle_audio_async": "this library blocks",
}

# classes of the official SDK whose methods are compared -> what has them here
HANDLES = {
    "api.files.FilesAPI": "client.files",
    "api.stt.SttAPI": "client.stt",
    "api.tts.TtsAPI": "client.tts",
    "api.models.ModelsAPI": "client.models",
    "api.tts_models.TtsModelsAPI": "client.tts_models",
    "api.voices.VoicesAPI": "client.voices",
    "api.auth.AuthAPI": "client.auth",
    "api.usage.UsageAPI": "client.usage",
    "api.usage_logs.UsageLogsAPI": "client.usage_logs",
    "api.concurrency_limits.ConcurrencyLimitsAPI": "client.concurrency_limits",
    "api.webhooks.SonioxWebhooksAPI": "client.webhooks",
    "realtime.RealtimeAPI": "client.realtime",
    "realtime.stt.RealtimeSTTClient": "client.realtime",
    "realtime.stt.RealtimeSTTSession": "session",
    "realtime.tts.RealtimeTTSClient": "client.realtime.tts",
    "realtime.tts.RealtimeTTSConnection": "stream",
    "realtime.tts.RealtimeTTSStream": "stream",
    "realtime.tts.RealtimeTTSMultiplexedConnection": "connection",
}

# models of `soniox.types` whose fields are compared -> the class, or the call with such keywords
FIELDS = {
    "Token": "Token",
    "RealtimeEvent": "Result",
    "RealtimeTTSEvent": "AudioChunk",
    "TtsTimestamps": "Timestamps",
    "RealtimeSTTConfig": "client.realtime.stt()",
    "RealtimeTTSConfig": "client.realtime.tts()",
    "RealtimeTTSTextMessage": "stream.send_text()",
    "StructuredContext": "Context",
    "StructuredContextGeneralItem": "ContextEntry",
    "StructuredContextTranslationTerm": "TranslationTerm",
    "TranslationConfig": "OneWayTranslation",
    "ApiError": "SonioxHttpError",
    "ApiErrorValidationError": "SonioxHttpError",
    "CreateTemporaryApiKeyPayload": "client.auth.create_temporary_api_key()",
    "CreateTemporaryApiKeyResponse": "rest.TemporaryApiKey",
    "CreateTtsPayload": "client.tts.generate()",
    "CreateTtsConfig": "client.tts.generate()",
    "CreateTranscriptionPayload": "client.stt.create()",
    "CreateTranscriptionConfig": "client.stt.create()",
    "Transcription": "TranscriptionJob",
    "TranscriptionTranscript": "JobTranscript",
    "GetTranscriptionsPayload": "client.stt.list()",
    "GetTranscriptionsResponse": "rest.stt.types.TranscriptionPage",
    "GetTranscriptionsCountResponse": "rest.Count",
    "File": "rest.File",
    "UploadFilePayload": "client.files.upload()",
    "GetFilesPayload": "client.files.list()",
    "GetFilesResponse": "rest.FilePage",
    "GetFilesCountResponse": "rest.Count",
    "Voice": "rest.Voice",
    "VoiceModel": "rest.voices.VoiceModel",
    "RecomputeVoicePayload": "client.voices.recompute()",
    "GetVoicesPayload": "client.voices.list()",
    "GetVoicesResponse": "rest.VoicePage",
    "GetVoicesCountResponse": "rest.Count",
    "GetSharedVoicesPayload": "client.voices.list_shared()",
    "GetSharedVoicesResponse": "rest.voices.SharedVoicePage",
    "TtsVoiceDetails": "rest.SharedVoice",
    "Model": "rest.SttModel",
    "GetModelsResponse": "rest.catalog.SttModels",
    "Language": "rest.catalog.Language",
    "SupportedLanguage": "rest.catalog.Language",
    "TranslationTarget": "rest.catalog.TranslationTarget",
    "TtsModel": "rest.TtsModel",
    "TtsVoice": "rest.catalog.ModelVoice",
    "GetTtsModelsResponse": "rest.catalog.TtsModels",
    "UsageLogEntry": "rest.UsageLog",
    "GetUsageLogsPayload": "client.usage_logs.list()",
    "GetUsageLogsResponse": "rest.usage.UsageLogPage",
    "UsageSummaryEntry": "rest.usage.UsageEntry",
    "GetUsageSummaryPayload": "client.usage.summary()",
    "GetUsageSummaryResponse": "rest.UsageSummary",
    "ConcurrencyCurrentValues": "rest.usage.Concurrency",
    "ConcurrencyLimitValues": "rest.usage.Concurrency",
    "ConcurrencyScopeValues": "rest.usage.ConcurrencyScope",
    "GetConcurrencyLimitsResponse": "rest.usage.ConcurrencyLimits",
    "ConcurrentStreamsHistoryEntry": "rest.usage.ConcurrencyPeriod",
    "GetConcurrentStreamsHistoryPayload": "client.concurrency_limits.history()",
    "GetConcurrentStreamsHistoryResponse": "rest.usage.ConcurrencyHistory",
    "WebhookAuthConfig": "client.webhooks.verify()",
    "WebhookEvent": "WebhookEvent",
}
