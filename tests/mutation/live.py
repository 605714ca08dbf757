"""Equivalent mutants of `runtime` and `realtime`: module, scope, line before and after, reason."""

from __future__ import annotations

_RUNTIME = "soniox_sync/runtime/"
_REALTIME = "soniox_sync/realtime/"
_SEARCH = "only faster: what is looked for by its rarest byte is found by all of them, too"
_TRUTH = "only its truth counts, and that is the same"

LIVE: tuple[tuple[str, str, str, str, str], ...] = (
    (
        _RUNTIME + "connection.py",
        "Connection._read",
        "if opcode > BINARY:",
        "if True:",
        "only faster: a batch without control frames is delivered by what follows, too",
    ),
    (
        _RUNTIME + "redaction.py",
        "_spellings",
        "if secret.isalnum() and secret.isascii():",
        "if False:",
        "only faster: such a secret has one spelling",
    ),
    (
        _RUNTIME + "trace/output.py",
        "FileOutput._was_moved",
        "return False",
        "return None",
        _TRUTH,
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "KnownSecrets.learn",
        "new = [secret for secret in secrets if secret and secret not in self.secrets]",
        "new = [secret for secret in secrets if ((secret) or (secret not in self.secrets))]",
        "only faster: a known one keeps its place, an empty one is too short to be looked for",
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "Redaction.text",
        'if "//" in text:',
        "if True:",
        "only faster: without a mark there is nothing to replace",
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "_searcher",
        "if _FREQUENT.find(byte) < _RARE:",
        "if True:",
        _SEARCH,
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "_searcher",
        "if _FREQUENT.find(byte) < _RARE:",
        "if False:",
        _SEARCH,
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "Redaction.text",
        "if _MAYBE_FIELD.search(text):",
        "if True:",
        "only faster: without a mark there is nothing to replace",
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "_secrets_sent",
        "if _MAYBE_FIELD.search(text):",
        "if True:",
        "only faster: without a mark there is nothing to find",
    ),
    (
        _RUNTIME + "trace/redaction.py",
        "",
        """_FREQUENT = b'jxqzyvbk8697543wgp2hcuf10mdlr_sintoea{}[].,: "'""",
        """_FREQUENT = b'XXjxqzyvbk8697543wgp2hcuf10mdlr_sintoea{}[].,: "'""",
        _SEARCH,
    ),
)
