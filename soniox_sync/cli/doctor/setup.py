"""What the command line and the environment say, and the two checks of it that need no network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional
from urllib.parse import urlsplit

from ...config import ConnectionConfig, ResolvedConnectionConfig, resolve_connection_config
from ...config.constants import ENV_API_KEY
from ...config.keys import is_temporary, problem_with
from ...errors import ConfigurationError
from ...runtime.redaction import Redactor
from ..reports import for_command_line
from .plan import Outcome

__all__ = ["Setup", "check_key", "check_region"]

URLS = ("api_url", "stt_ws_url", "tts_api_url", "tts_ws_url")
# variables that may hold the URL of a proxy, with a password
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True)
class Setup:
    """Where to connect and with which key, not checked yet. The repr shows no key.

    `key`: as found, `None` if there is none. `variable`: where it was looked for. `connection`:
    region or URLs from elsewhere than the environment. `environ`: variables of the library, but
    for the key. `trace`: where the client of the checks records what it sends and receives.
    """

    key: Optional[str] = field(repr=False)
    variable: str
    connection: ConnectionConfig
    environ: Mapping[str, str] = field(repr=False)
    trace: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, region: Optional[str], variable: Optional[str]) -> Setup:
        """Return what the options `--region` and `--api-key-env` and the environment say."""
        variable = variable or ENV_API_KEY
        environ = {
            name: value
            for name, value in os.environ.items()
            if name.startswith("SONIOX_") and name != ENV_API_KEY
        }
        connection = ConnectionConfig(region=region)
        return cls(os.environ.get(variable), variable, connection, environ)

    @property
    def bare_key(self) -> str:
        """Key without surrounding white space, empty if there is none."""
        return (self.key or "").strip()

    @property
    def is_temporary(self) -> bool:
        """Whether the key looks like a temporary one."""
        return is_temporary(self.bare_key)

    def resolve(self) -> ResolvedConnectionConfig:
        """Return the four URLs.

        Raises
            ConfigurationError: an unknown region, or an unusable URL.
        """
        return resolve_connection_config(self.connection, environ=self.environ)

    def redactor(self) -> Redactor:
        """Return what removes the key, however it is quoted, and the passwords of proxies."""
        bare = self.bare_key
        inner = "".join(ch for ch in bare if "!" <= ch <= "~").strip("\"'`")
        secrets = {self.key or "", bare, inner, inner.partition("earer")[2]}
        for name in _PROXIES:
            for value in (os.environ.get(name, ""), os.environ.get(name.upper(), "")):
                login = value.rpartition("@")[0].rpartition("/")[2]
                secrets |= {login, login.partition(":")[2]}
        return Redactor(secrets)


def check_key(setup: Setup) -> Outcome:
    """Check that there is a key that can be sent, and of which kind it is."""
    bare = setup.bare_key
    problem = problem_with(bare)
    if problem == "empty":
        return Outcome("no_key", f"{setup.variable} is not set" if setup.key is None else "empty")
    if problem == "unexpanded":
        detail = f"the value of {setup.variable} is the name of a variable, not expanded"
        return Outcome(problem, detail)
    if problem is not None:
        return Outcome(problem, f"the value of {setup.variable} is not a bare key")
    kind = "temporary key" if setup.is_temporary else "regular key"
    blank = ", white space around it is ignored" if bare != setup.key else ""
    return Outcome(detail=f"{kind} from {setup.variable}{blank}")


def check_region(setup: Setup) -> Outcome:
    """Check that region and URLs can be used; the detail lists the hosts."""
    try:
        addresses = setup.resolve()
    except ConfigurationError as error:
        message = str(error)
        kind = "region" if message.lower().partition(":")[0].endswith("region") else "url"
        return Outcome(kind, for_command_line(message).partition(";")[0])
    hosts = [urlsplit(getattr(addresses, name)).netloc for name in URLS]
    return Outcome(detail=", ".join(dict.fromkeys(hosts)))
