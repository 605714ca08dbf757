"""From what went wrong to what to do: errors to kinds of failure, kinds to sentences. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

from ...errors import ConfigurationError, SonioxError, SonioxTimeoutError
from ...runtime.tls import certificate_error
from .plan import Outcome

if TYPE_CHECKING:
    import ssl

__all__ = ["ADVICE", "advice_for", "kind_of_certificate", "of_error", "of_upgrade", "without_http"]

# Kind of failure -> what to do. In braces: `variable` that holds the key, `hosts` of the service,
# `limit` in seconds.
ADVICE: Mapping[str, str] = {
    # key
    "no_key": (
        "set {variable} to a key from the Soniox console, or add --sandbox to try things out "
        "without one"
    ),
    "quotes": (
        "remove the quotes from the value of {variable}: some tools keep those of an env file"
    ),
    "bearer": "remove the word 'Bearer' from the value of {variable}",
    "unexpanded": (
        "set {variable} to the key itself: single quotes, and many tools for env files, do not "
        "expand variables"
    ),
    "characters": (
        "copy the key from the console into {variable} again: it contains a blank, a control "
        "character or a character outside ASCII"
    ),
    # region
    "region": (
        "choose us, eu, jp or in with --region or SONIOX_REGION; for another region set "
        "SONIOX_BASE_DOMAIN=<region>.soniox.com instead"
    ),
    "url": "correct or unset the variable that is named",
    "trace": "name another file with --trace or SONIOX_SYNC_TRACE, or leave the trace out",
    # dns
    "dns": (
        "check the network connection, the DNS server, and the spelling of region and URLs "
        "(SONIOX_BASE_DOMAIN, SONIOX_..._URL)"
    ),
    "dns_silent": (
        "check the network connection and the DNS server; where only a proxy leads out, set "
        "HTTPS_PROXY"
    ),
    # proxy
    "proxy": (
        "check host, port, user and password of the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY "
        "and whether it allows {hosts}, or unset the variable"
    ),
    # tls
    "unreachable": (
        "check that a firewall lets this machine connect to {hosts}; where only a proxy leads out, "
        "set HTTPS_PROXY"
    ),
    "ca_file": (
        "set REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE (in Python: verify=) to a file of CA "
        "certificates, or unset it"
    ),
    "untrusted": (
        "if a proxy or firewall of yours re-signs traffic, set SSL_CERT_FILE or REQUESTS_CA_BUNDLE "
        "(in Python also verify=) to its CA file; if one of them is set already, its file lacks "
        "the CA of this server"
    ),
    "validity": (
        "set the clock of this machine if the check of the clock fails too; otherwise whoever runs "
        "the server or proxy has to renew its certificate"
    ),
    "hostname": (
        "check the URLs, and whether a proxy or the login page of a network answers instead of the "
        "service"
    ),
    "no_tls": (
        "check the port in the URL, and whether a proxy or firewall answers instead of the service"
    ),
    # clock
    "clock": "set the clock of this machine, best by network time (NTP)",
    # answers of the service
    "unauthorized": (
        "check that the key in {variable} is complete and not expired; if the key is of another "
        "region, set --region"
    ),
    "usage": (
        "make a new temporary key: one opens only the service of its usage_type, until it expires, "
        "a single-use key only once; if the key is of another region, set --region"
    ),
    "payment": (
        "add funds to the organization, or raise its or the project's monthly budget, in the "
        "Soniox console"
    ),
    "permission": "give the key in {variable} the permission for this in the Soniox console",
    "forbidden": (
        "allow {hosts} in the proxy or firewall that answered; if it was the service, give the key "
        "the permission for this in the Soniox console"
    ),
    "limit": "wait a minute, close idle connections, or ask Soniox for a higher limit",
    "not_found": (
        "check the URLs of the service (SONIOX_..._URL): this one leads to something else"
    ),
    "redirected": (
        "set the final URL; if this network has a login page, log in there with a browser first"
    ),
    "not_the_service": (
        "check the URLs of the service (SONIOX_..._URL), and whether a proxy or a login page "
        "answers instead of it"
    ),
    "refused": "update soniox-sync if there is a newer version, or report this message",
    "unavailable": "run this again later: the service, or a proxy before it, has a problem",
    "late": (
        "run this again; if it takes more than {limit:g} s again, look for a slow network, or a "
        "proxy or firewall that holds back connections to {hosts}"
    ),
    "lost": (
        "run this again; if it is cut again, look for a proxy or firewall that cuts connections to "
        "{hosts}"
    ),
    # WebSockets
    "upgrade_refused": (
        "allow WebSockets to {hosts} in the proxy or firewall that answered: HTTP works, but the "
        "upgrade to a WebSocket does not"
    ),
    "upgrade_silent": (
        "allow WebSockets to {hosts} in the proxy or firewall between here and there: HTTP works, "
        "but the upgrade to a WebSocket gets no answer"
    ),
    "upgrade_cut": (
        "allow WebSockets to {hosts} in the proxy or firewall between here and there: HTTP works, "
        "but the upgrade to a WebSocket is cut"
    ),
    "no_audio": "report this: the service ended the speech without any audio",
}

# codes of OpenSSL (X509_V_ERR_...)
_NOT_YET_VALID, _EXPIRED = 9, 10
_HOSTNAME, _ADDRESS = 62, 64

_BY_STATUS: Mapping[int, str] = {
    400: "refused",
    402: "payment",
    404: "not_found",
    405: "not_found",
    407: "proxy",
    408: "late",
    422: "refused",
    429: "limit",
}


# The advice for a blocked upgrade says that HTTP works.
_WITHOUT_HTTP: Mapping[str, str] = {
    "upgrade_refused": "forbidden",
    "upgrade_silent": "late",
    "upgrade_cut": "lost",
}


def advice_for(kind: str, *, variable: str, hosts: str, limit: float) -> str:
    """Return the sentence for a kind of failure."""
    return ADVICE[kind].format(variable=variable, hosts=hosts, limit=limit)


def kind_of_certificate(error: ssl.SSLCertVerificationError) -> str:
    """Return why a certificate was refused."""
    code = getattr(error, "verify_code", 0)
    if code in (_NOT_YET_VALID, _EXPIRED):
        return "validity"
    return "hostname" if code in (_HOSTNAME, _ADDRESS) else "untrusted"


def of_error(error: SonioxError, *, temporary: bool = False) -> Outcome:
    """Return the outcome of a call to the service that failed.

    `temporary`: the key is a temporary one.
    """
    if isinstance(error, ConfigurationError):  # of the connection: the rest was checked before
        setting = str(error).partition(":")[0]
        return Outcome(setting if setting in ("proxy", "trace") else "url", str(error))
    certificate = certificate_error(error)
    if certificate is not None:
        return Outcome(kind_of_certificate(certificate), certificate.verify_message)
    status: Optional[int] = getattr(error, "status_code", None)
    if isinstance(error, SonioxTimeoutError):
        return Outcome("late", _without_advice(error))
    if getattr(error, "code", "") == "parse_error":
        return Outcome("not_the_service", str(error))
    if status is None:
        return Outcome("lost", str(error))
    kind = _kind_of_status(status, getattr(error, "error_type", None), temporary)
    whole = kind in ("refused", "redirected")  # where the words of the server matter
    return Outcome(kind, str(error) if whole else _facts(error, status))


def of_upgrade(error: SonioxError, *, temporary: bool = False) -> Outcome:
    """Return the outcome of a WebSocket that could not be opened, although HTTP works.

    An answer in the service's own words, a JSON object with an `error_type`, is the service's; so
    are 401 and what says that nothing is there. Any other one is what proxies and firewalls send.
    """
    if isinstance(error, ConfigurationError) or certificate_error(error) is not None:
        return of_error(error)
    status: Optional[int] = getattr(error, "status_code", None)
    if isinstance(error, SonioxTimeoutError):
        return Outcome("upgrade_silent", _without_advice(error))
    if status is None:
        return Outcome("upgrade_cut", str(error))
    own = getattr(error, "error_type", None) is not None
    if own or status in (401, 402, 404, 407, 429) or 300 <= status < 400 or status >= 500:
        return of_error(error, temporary=temporary)
    return Outcome("upgrade_refused", f"the upgrade was answered with HTTP {status}")


def without_http(kind: str) -> str:
    """Return the kind of a failed upgrade when HTTP does not work either: not its own fault."""
    return _WITHOUT_HTTP.get(kind, kind)


def _without_advice(error: SonioxError) -> str:
    # a timeout's message goes on with keywords of Python that raise it
    return str(error).partition(": check ")[0]


def _kind_of_status(status: int, error_type: Optional[str], temporary: bool) -> str:
    if status == 401:
        return "usage" if temporary else "unauthorized"
    if status == 403:
        return "permission" if error_type else "forbidden"
    if 300 <= status < 400:
        return "redirected"
    return _BY_STATUS.get(status, "unavailable" if status >= 500 else "refused")


def _facts(error: SonioxError, status: int) -> str:
    """Return status, type and request id: the rest of the message would repeat the advice."""
    request_id = getattr(error, "request_id", None)
    parts = [getattr(error, "error_type", None), request_id and f"request {request_id}"]
    told = ", ".join(part for part in parts if part)
    return f"answered with {status}" + (f" ({told})" if told else "")
