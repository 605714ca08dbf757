"""How messages look on the wire: a pair of pure functions between JSON and the native form.

The services think in the native messages of PROTOCOL 2 and 3. A gateway that dresses them up
differently is another `Dialect`, not another service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Union

__all__ = ["NATIVE", "Dialect"]


@dataclass(frozen=True)
class Dialect:
    """Translates one service's messages.

    `decode` turns a JSON value from the client into native messages, `bytes` standing for audio;
    `encode` turns a native message from the service into those to send. Neither may raise for
    what a client can send: an undecodable value is passed on as it is, the service refuses it.
    """

    name: str
    decode: Callable[[Any], list[Union[Any, bytes]]]
    encode: Callable[[Mapping[str, Any]], list[Mapping[str, Any]]]


NATIVE = Dialect("native", lambda value: [value], lambda message: [message])
