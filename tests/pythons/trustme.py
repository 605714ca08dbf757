"""Stand-in for the package trustme, where `cryptography` cannot be installed (free-threaded 3.13).

PYTHONPATH=tests/pythons python3.13t -m pytest tests/transport

Contains what the tests use, implemented with the program `openssl`.
"""

from __future__ import annotations

import ipaddress
import shutil
import ssl
import subprocess
import tempfile
import weakref
from pathlib import Path


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Blob:
    """Bytes of a PEM file."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def bytes(self) -> bytes:
        """Return the bytes."""
        return self._data

    def write_to_path(self, path: str) -> None:
        """Write the bytes to a file."""
        Path(path).write_bytes(self._data)


class LeafCert:
    """Certificate with its key."""

    def __init__(self, key: Path, cert: Path) -> None:
        self._key, self._cert = key, cert

    def configure_cert(self, context: ssl.SSLContext) -> None:
        """Serve this certificate."""
        context.load_cert_chain(self._cert, self._key)


class CA:
    """Throw-away certificate authority."""

    def __init__(self) -> None:
        self._where = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, self._where, ignore_errors=True)
        key, cert = str(self._where / "ca.key"), str(self._where / "ca.pem")
        request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key]
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        _openssl(*request, "-out", cert, "-subj", "/CN=a throw-away authority", *usage)
        self.cert_pem = Blob(Path(cert).read_bytes())

    def issue_cert(self, *names: str) -> LeafCert:
        """Issue a certificate for host names and addresses."""
        key, cert, request = (self._where / f"leaf.{end}" for end in ("key", "pem", "csr"))
        extensions = self._where / "leaf.ext"
        extensions.write_text(f"subjectAltName={','.join(map(_alternative, names))}\n")
        make = ["req", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key)]
        _openssl(*make, "-out", str(request), "-subj", "/CN=leaf")
        sign = ["x509", "-req", "-in", str(request), "-days", "2", "-CAcreateserial"]
        authority = ["-CA", str(self._where / "ca.pem"), "-CAkey", str(self._where / "ca.key")]
        _openssl(*sign, *authority, "-extfile", str(extensions), "-out", str(cert))
        return LeafCert(key, cert)

    def configure_trust(self, context: ssl.SSLContext) -> None:
        """Trust this authority."""
        context.load_verify_locations(cadata=self.cert_pem.bytes().decode("ascii"))


def _alternative(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"
