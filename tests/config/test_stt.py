"""`SttConfig`: the start message, and refusals that name the field."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from soniox_sync.config import (
    Context,
    ContextEntry,
    OneWayTranslation,
    SttConfig,
    SttSessionOptions,
    TranslationTerm,
    TwoWayTranslation,
    merge_stt_config,
)
from soniox_sync.errors import ConfigurationError, InputTypeError

RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}


def test_bare_config_sends_model_and_format_only():
    """A config without arguments sends the default model and automatic detection."""
    assert SttConfig().to_wire() == {"model": "stt-rt-v6", "audio_format": "auto"}
    assert all(type(value) is str for value in SttConfig().to_wire().values())


def test_every_field_is_sent_under_its_name():
    """Each documented field is sent under its own name with its own value."""
    fields = {
        "model": "stt-rt-v4",
        "audio_format": "pcm_s16le",
        "sample_rate": 16000,
        "num_channels": 2,
        "language_hints": ["en", "es"],
        "language_hints_strict": True,
        "context": {"text": "About birds."},
        "enable_speaker_diarization": True,
        "enable_language_identification": False,
        "enable_endpoint_detection": True,
        "max_endpoint_delay_ms": 500,
        "endpoint_sensitivity": -1.0,
        "endpoint_latency_adjustment_level": 3,
        "enable_agent_text_input": True,
        "translation": {"type": "one_way", "target_language": "fr"},
        "client_reference_id": "x" * 256,
    }
    wire = SttConfig(**fields, extra={"new_field": [1]}).to_wire()
    assert wire == {**fields, "new_field": [1]}
    assert json.loads(json.dumps(wire)) == wire


def test_speech_spelling_of_companded_audio_is_translated():
    """The name of mulaw in speech is sent as that of transcription."""
    config = SttConfig(audio_format="pcm_mulaw", sample_rate=8000, num_channels=1)
    assert config.to_wire()["audio_format"] == "mulaw"


def test_wire_is_a_copy():
    """Changing the wire dict changes neither the config nor the caller's list."""
    hints = ["en"]
    config = SttConfig(language_hints=hints, extra={"a": 1})
    wire = config.to_wire()
    wire["language_hints"].append("es")
    wire["a"] = 2
    assert hints == ["en"]
    assert config.to_wire()["a"] == 1


@pytest.mark.parametrize("name", ["auto", "mp3", "some_future_format"])
def test_containers_and_unknown_formats_are_accepted(name):
    """Containers and unknown names are accepted: the service decides."""
    assert SttConfig(audio_format=name).to_wire()["audio_format"] == name


@pytest.mark.parametrize("missing", ["sample_rate", "num_channels"])
@pytest.mark.parametrize("name", ["pcm_s16le", "mulaw", "pcm_f32be"])
def test_raw_audio_needs_rate_and_channels(name, missing):
    """A headerless format without rate or channels is refused by name."""
    fields = {**RAW, "audio_format": name, missing: None}
    with pytest.raises(ConfigurationError, match=missing):
        SttConfig(**fields).validate()


def test_only_raw_audio_has_rate_and_channels():
    """A config has the rate and channels of headerless audio only."""
    assert SttConfig(**RAW).raw_audio.bytes_per_second == 32000
    assert SttConfig().raw_audio is None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("model", "", "empty"),
        ("model", "x" * 51, "50"),
        ("sample_rate", 0, "from 1 to 10000000 Hz"),
        ("sample_rate", 2**32, "from 1 to 10000000 Hz"),
        ("num_channels", -1, "from 1 to 1024"),
        ("num_channels", 2000, "from 1 to 1024"),
        ("max_endpoint_delay_ms", 499, "500 to 3000 ms"),
        ("max_endpoint_delay_ms", 3001, "500 to 3000 ms"),
        ("endpoint_sensitivity", 1.01, "-1.0 to 1.0"),
        ("endpoint_sensitivity", float("nan"), "finite"),
        ("endpoint_latency_adjustment_level", 4, "0 to 3"),
        ("client_reference_id", "x" * 257, "256"),
        ("language_hints", ["en", "en"], "unique"),
        ("language_hints", ["en", ""], "empty"),
        ("translation", {"target_language": "es"}, "one_way"),
        ("translation", {"type": "one_way"}, "target_language"),
        ("translation", {"type": "two_way", "language_a": "en"}, "language_b"),
        ("translation", {"type": "one_way", "target_language": ""}, "empty"),
        ("context", {"general": [{"key": "topic"}]}, "value"),
        ("context", {"translation_terms": [{"source": "a"}]}, "target"),
        ("extra", {"model": "x"}, "'model'"),
        ("extra", {"api_key": "snx_secret"}, "api_key"),
    ],
)
def test_values_out_of_limits_are_refused(field, value, words):
    """A value the service would refuse is refused before sending, naming field and limit."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        SttConfig(**{field: value}).validate()
    assert field in str(caught.value)
    assert "snx_secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("model", None, "str"),
        ("audio_format", 5, "str"),
        ("sample_rate", "16000", "int"),
        ("sample_rate", 16000.0, "int"),
        ("num_channels", True, "int"),
        ("language_hints", "en", r"\['en'\]"),
        ("language_hints", {"en": 1}, "list"),
        ("language_hints", [None], "str"),
        ("language_hints_strict", 1, "True or False"),
        ("enable_speaker_diarization", "false", "True or False"),
        ("endpoint_sensitivity", "0", "number"),
        ("endpoint_sensitivity", True, "number"),
        ("translation", "es", "mapping"),
        ("context", 5, "mapping"),
        ("context", {"terms": "one"}, r"\['one'\]"),
        ("context", {"general": "x"}, "list"),
        ("context", {"general": [1]}, "mapping"),
        ("client_reference_id", 7, "str"),
        ("extra", [1], "mapping"),
        ("extra", {1: 2}, "str"),
    ],
)
def test_values_of_the_wrong_type_are_refused(field, value, words):
    """A value of the wrong type is a type error naming the field and the expected type."""
    with pytest.raises(InputTypeError, match=words) as caught:
        SttConfig(**{field: value}).to_wire()
    assert field in str(caught.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: OneWayTranslation(""), "target_language: expected a str that is not empty"),
        (lambda: TwoWayTranslation("en", None), "language_b: expected a str, got None"),
        (lambda: Context(translation_terms=[{"source": "a"}]), "no 'target'"),
        (lambda: Context(terms="word"), r"write \['word'\]"),
        (lambda: ContextEntry("topic", 5), "value: expected a str, got int"),
        (lambda: SttConfig(sample_rate=0), "sample_rate: expected an int from 1 to 10000000 Hz"),
        (lambda: SttConfig(context=5), "context: expected Context, a mapping or a str, got int"),
    ],
    ids=range(7),
)
def test_values_are_refused_at_construction(make, words):
    """A config, and each of its parts, refuses a wrong value when it is made."""
    with pytest.raises(ConfigurationError, match=words):
        make()


def test_a_list_changed_later_is_checked_before_it_is_sent():
    """A wrong value put into a list or mapping later is refused by `to_wire`."""
    hints, extra = ["en"], {"a": 1}
    config = SttConfig(language_hints=hints, extra=extra)
    hints.append("en")
    with pytest.raises(ConfigurationError, match="language_hints"):
        config.to_wire()
    hints.pop()
    extra["model"] = "x"
    with pytest.raises(ConfigurationError, match="extra"):
        config.validate()


# --- translation and context -----------------------------------------------------------------


def test_translation_dataclasses_become_objects():
    """Both translation dataclasses are sent in the service's shape."""
    one = SttConfig(translation=OneWayTranslation("es")).to_wire()
    two = SttConfig(translation=TwoWayTranslation("en", language_b="de")).to_wire()
    assert one["translation"] == {"type": "one_way", "target_language": "es"}
    assert two["translation"] == {"type": "two_way", "language_a": "en", "language_b": "de"}


def test_unknown_translation_is_accepted():
    """An unknown kind of translation is sent unchanged."""
    wish = {"type": "three_way", "languages": ["a", "b", "c"]}
    assert SttConfig(translation=wish).to_wire()["translation"] == wish


CONTEXT_WIRE = {
    "general": [{"key": "domain", "value": "Healthcare"}],
    "text": "A visit.",
    "terms": ["Celebrex"],
    "translation_terms": [{"source": "MRI", "target": "IRM"}],
}


@pytest.mark.parametrize(
    "context",
    [
        CONTEXT_WIRE,
        Context(**CONTEXT_WIRE),
        Context(
            general=[ContextEntry("domain", "Healthcare")],
            text="A visit.",
            terms=("Celebrex",),
            translation_terms=[TranslationTerm("MRI", "IRM")],
        ),
        Context(
            general={"domain": "Healthcare"},
            text="A visit.",
            terms=["Celebrex"],
            translation_terms={"MRI": "IRM"},
        ),
        Context(
            general={"key": "domain", "value": "Healthcare"},
            text="A visit.",
            terms=["Celebrex"],
            translation_terms={"source": "MRI", "target": "IRM"},
        ),
    ],
)
def test_context_has_one_shape_on_the_wire(context):
    """Dataclasses, entry dicts and plain dicts are sent as the same context."""
    assert SttConfig(context=context).to_wire()["context"] == CONTEXT_WIRE


def test_context_may_be_text_or_partial_or_new():
    """A str, an empty context and the fields of `extra` are sent unchanged."""
    assert SttConfig(context="birds").to_wire()["context"] == "birds"
    assert SttConfig(context=Context()).to_wire()["context"] == {}
    for context in ({"text": "x", "extra": {"mood": 1}}, Context(text="x", extra={"mood": 1})):
        assert SttConfig(context=context).to_wire()["context"] == {"text": "x", "mood": 1}


@pytest.mark.parametrize(
    ("field", "given", "message"),
    [
        ("context", {"therms": ["x"]}, "context has no field 'therms'; did you mean 'terms'?"),
        ("context", {"mood": 1}, "A field that this library does not know goes through extra="),
        ("context", {"general": [{"key": "a", "valeu": "b"}]}, "did you mean 'value'?"),
        ("context", {"translation_terms": [{"source": "a", "taget": "b"}]}, "mean 'target'?"),
        ("context", {"extra": {"text": "x"}}, "context.extra: expected names that are not fields"),
        ("context", {"extra": 5}, "context.extra: expected a mapping, got int"),
        (
            "translation",
            {"type": "one_way", "target_langauge": "es"},
            "translation has no field 'target_langauge'; did you mean 'target_language'?",
        ),
        ("translation", {"typ": "one_way", "target_language": "es"}, "did you mean 'type'?"),
        (
            "translation",
            {"type": "two_way", "language_a": "en", "language_c": "de"},
            "did you mean 'language_b'?",
        ),
        (
            "translation",
            {"type": "one_way", "target_language": "es", "extra": {"type": "x"}},
            "translation.extra: expected names that are not fields",
        ),
    ],
)
def test_names_inside_are_checked_too(field, given, message):
    """An unknown name inside `context` or `translation` is refused with the nearest one."""
    with pytest.raises(ConfigurationError) as caught:
        SttConfig(**{field: given})
    assert message in str(caught.value)


def test_extra_inside_a_translation_is_sent():
    """A translation's `extra` fields are sent beside its own."""
    wire = {"type": "one_way", "target_language": "es", "glossary": "g1"}
    extra = {"glossary": "g1"}
    for translation in (
        OneWayTranslation("es", extra=extra),
        {"type": "one_way", "target_language": "es", "extra": extra},
    ):
        assert SttConfig(translation=translation).to_wire()["translation"] == wire
    two = TwoWayTranslation("en", "de", extra=extra)
    assert SttConfig(translation=two).to_wire()["translation"]["glossary"] == "g1"
    new = {"type": "three_way", "languages": ["en"], "extra": extra}
    assert "extra" not in SttConfig(translation=new).to_wire()["translation"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SttConfig(modle="m"), "SttConfig has no field 'modle'; did you mean 'model'?"),
        (lambda: Context(therms=["x"]), "Context has no field 'therms'; did you mean 'terms'?"),
        (lambda: OneWayTranslation(target="es"), "did you mean 'target_language'?"),
        (lambda: SttSessionOptions(ping_interval=3), "did you mean 'ping_interval_sec'?"),
    ],
)
def test_constructors_suggest_the_nearest_keyword(make, message):
    """A mistyped keyword of an option object gets a suggestion, not only Python's TypeError."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert message in str(caught.value)


# --- merging ---------------------------------------------------------------------------------


def test_keywords_override_the_defaults():
    """Keywords override defaults; fields set by neither are not sent."""
    merged = merge_stt_config(
        {"language_hints": ["en"], "model": "stt-rt-v4"}, {"model": "m2"}, sample_rate=8000
    )
    assert merged == SttConfig(model="m2", language_hints=["en"], sample_rate=8000)


def test_builtin_values_override_nothing():
    """An object's built-in model and format do not override those of the defaults."""
    defaults = SttConfig(model="special", **RAW)
    merged = merge_stt_config(defaults, SttConfig(language_hints=["en"]))
    assert (merged.model, merged.audio_format) == ("special", "pcm_s16le")


def test_chosen_value_equal_to_the_builtin_one_counts():
    """A model that was set explicitly overrides the defaults even if it is the built-in one."""
    merged = merge_stt_config(SttConfig(model="special"), SttConfig(model="stt-rt-v6"))
    assert merged.model == "stt-rt-v6"


def test_none_switches_a_default_off():
    """A keyword of None switches a default off; the model falls back to the built-in one."""
    merged = merge_stt_config(
        {"model": "special", "translation": {"type": "one_way", "target_language": "es"}},
        {"translation": None, "model": None},
    )
    assert merged.to_wire() == {"model": "stt-rt-v6", "audio_format": "auto"}


def test_extra_is_merged():
    """The extra fields of both are sent; the keyword's override the defaults'."""
    merged = merge_stt_config({"extra": {"a": 1, "b": 1}}, {"extra": {"b": 2}})
    assert merged.extra == {"a": 1, "b": 2}
    assert merge_stt_config({"extra": {"a": 1}}, {"extra": None}).extra is None


def test_misspelt_keyword_gets_a_suggestion():
    """A keyword that is not a field is refused with the nearest field and the hint at extra."""
    with pytest.raises(ConfigurationError) as caught:
        merge_stt_config(None, {"language_hint": ["en"]})
    assert "'language_hints'" in str(caught.value)
    assert "extra={...}" in str(caught.value)


@pytest.mark.parametrize("wrong", ["pcm", 5, [("model", "x")]])
def test_only_configs_and_mappings_merge(wrong):
    """Something that is neither a config nor a mapping is refused."""
    with pytest.raises(InputTypeError, match="SttConfig or a mapping"):
        merge_stt_config(wrong)


def test_config_is_a_value():
    """A config compares by content, cannot be changed, and copies, pickles and replaces."""
    config = SttConfig(**RAW, translation=OneWayTranslation("es"), context=Context(text="x"))
    for twin in (copy.deepcopy(config), pickle.loads(pickle.dumps(config)), config.replace()):
        assert twin == config
    assert config.replace(model="m").model == "m"
    with pytest.raises(AttributeError):
        config.model = "x"
    assert SttConfig() == SttConfig(model="stt-rt-v6", audio_format="auto")


def test_pickled_defaults_still_count_as_unchosen():
    """A config that went through pickle still lets the defaults set its model."""
    twin = pickle.loads(pickle.dumps(SttConfig(language_hints=["en"])))
    assert merge_stt_config({"model": "special"}, twin).model == "special"


def test_repr_is_short_and_hides_extra_values():
    """The repr shows what is set, cuts long values, and shows only the names in extra."""
    shown = repr(SttConfig(context="y" * 1000, extra={"provider_key": "s3cr3t"}))
    assert shown.startswith("SttConfig(model='stt-rt-v6', audio_format='auto', context='yyy")
    assert len(shown) < 250
    assert "s3cr3t" not in shown
    assert "provider_key" in shown
