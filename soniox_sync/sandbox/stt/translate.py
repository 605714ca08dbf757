"""Stand-in for translation: it translates a few words and marks the others. Deterministic."""

from __future__ import annotations

__all__ = ["translate_words"]

_WORDS: dict[str, dict[str, str]] = {
    "es": {
        "hello": "hola", "good": "buen", "morning": "día", "thank": "gracias", "you": "tú",
        "yes": "sí", "no": "no", "please": "por favor", "the": "el", "and": "y", "is": "es",
        "world": "mundo", "coffee": "café", "how": "cómo", "are": "estás", "my": "mi",
        "name": "nombre", "dog": "perro", "brown": "marrón", "quick": "rápido", "fox": "zorro",
    },
    "fr": {
        "hello": "bonjour", "good": "bon", "morning": "matin", "thank": "merci", "you": "vous",
        "yes": "oui", "no": "non", "please": "s'il vous plaît", "the": "le", "and": "et",
        "is": "est", "world": "monde", "coffee": "café", "how": "comment", "are": "êtes",
        "my": "mon", "name": "nom", "dog": "chien", "brown": "brun", "quick": "rapide",
        "fox": "renard",
    },
    "de": {
        "hello": "hallo", "good": "guten", "morning": "Morgen", "thank": "danke", "you": "du",
        "yes": "ja", "no": "nein", "please": "bitte", "the": "der", "and": "und", "is": "ist",
        "world": "Welt", "coffee": "Kaffee", "how": "wie", "are": "sind", "my": "mein",
        "name": "Name", "dog": "Hund", "brown": "braun", "quick": "schnell", "fox": "Fuchs",
    },
}  # fmt: skip


def translate_words(words: list[str], source: str, target: str) -> list[str]:
    """Translate each word and keep its punctuation; an unknown one becomes `word(target)`."""
    return [_translate(word, source, target) for word in words]


def _translate(word: str, source: str, target: str) -> str:
    core = word.rstrip(".,!?;:")
    tail = word[len(core) :]
    if not core:
        return word
    known = _lookup(core.lower(), source, target) or f"{core}({target})"
    return (known[:1].upper() + known[1:] if core[:1].isupper() else known) + tail


def _lookup(word: str, source: str, target: str) -> str:
    """Translate via English, on which the table is based; return `""` for an unknown word."""
    if source != "en":
        back = {foreign.lower(): english for english, foreign in _WORDS.get(source, {}).items()}
        word = back.get(word, "")
    if target == "en":
        return word if source != "en" else ""
    return _WORDS.get(target, {}).get(word, "")
