"""One TLS context for each client, of what it was told to trust."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.runtime.tls import TlsSettings, certificate_error


def test_a_context_is_made_once_and_checks_by_default() -> None:
    """The same context is returned every time, and it demands certificates."""
    settings = TlsSettings()
    context = settings.context()
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
    assert settings.context() is context


def test_no_verification_trusts_any_server() -> None:
    """`verify=False` makes a context that demands nothing."""
    context = TlsSettings(False).context()
    assert context.verify_mode is ssl.CERT_NONE and not context.check_hostname


def test_a_given_context_is_used_as_it_is() -> None:
    """A context of the user's is returned, and none is made."""
    given = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert TlsSettings(True, given).context() is given


def test_what_cannot_wrap_a_socket_is_no_context() -> None:
    """A context is what has `wrap_socket`, as stand-ins have; anything else is refused."""

    class StandIn:
        def wrap_socket(self) -> None: ...

    stand_in: Any = StandIn()
    assert TlsSettings(True, stand_in).context() is stand_in
    wrong: Any = object()
    with pytest.raises(InputTypeError, match=r"ssl_context: expected an ssl\.SSLContext"):
        TlsSettings(True, wrong)


def test_a_missing_file_is_refused_at_once(tmp_path: Path) -> None:
    """A path in `verify` that does not exist is an error of the call that got it, and names it."""
    missing = str(tmp_path / "ca.pem")
    with pytest.raises(ConfigurationError, match=r"verify: expected the path of a CA file"):
        TlsSettings(missing)


def test_a_file_of_authorities_replaces_those_of_the_system(tmp_path: Path) -> None:
    """A path is what is trusted instead; one without certificates is an error when it is needed."""
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate")
    settings = TlsSettings(str(empty))
    with pytest.raises(ConfigurationError, match=r"^verify: expected usable CA certificates"):
        settings.context()


class Authorities:
    """Files with one throw-away authority each, and which of them a context trusts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, name: str) -> str:
        """Return the path of a file with an authority of this name."""
        path = self._folder / f"{name}.pem"
        trustme.CA(organization_name=name).cert_pem.write_to_path(str(path))
        return str(path)

    def trusted(self, settings: TlsSettings) -> set[str]:
        """Return the names of the authorities that the context of these settings trusts."""
        found = str(settings.context().get_ca_certs())
        return {path.stem for path in self._folder.glob("*.pem") if path.stem in found}


@pytest.fixture
def authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authorities:
    """Provide authorities, one of which stands for those of certifi."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    made = Authorities(tmp_path)
    certifi = made.file("of-certifi")
    monkeypatch.setattr("certifi.where", lambda: certifi)
    return made


def test_certifi_is_trusted_by_default(authorities: Authorities) -> None:
    """Its authorities are trusted as well as those of the system."""
    assert authorities.trusted(TlsSettings()) == {"of-certifi"}


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_file_in_the_environment_is_trusted_instead(
    authorities: Authorities, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What other programs of the user trust is trusted, and certifi is not."""
    monkeypatch.setenv(name, authorities.file("of-the-user"))
    assert authorities.trusted(TlsSettings()) == {"of-the-user"}


def test_the_bundle_of_requests_comes_before_that_of_curl(
    authorities: Authorities, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in requests; and a path in `verify` comes before both."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authorities.file("of-requests"))
    monkeypatch.setenv("CURL_CA_BUNDLE", authorities.file("of-curl"))
    assert authorities.trusted(TlsSettings()) == {"of-requests"}
    assert authorities.trusted(TlsSettings(authorities.file("of-verify"))) == {"of-verify"}


def test_a_refused_certificate_is_found_in_the_chain() -> None:
    """However deep below what was raised, as cause or as context; `None` if there is none."""
    refused = ssl.SSLCertVerificationError("not trusted")
    middle, outer = OSError("no connection"), ConnectionError("not open")
    outer.__cause__, middle.__context__ = middle, refused
    assert certificate_error(refused) is refused
    assert certificate_error(outer) is refused
    middle.__context__ = ssl.SSLError("another")
    assert certificate_error(outer) is None
