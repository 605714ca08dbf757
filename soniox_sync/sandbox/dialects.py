"""Translation between messages on the wire and the native messages of the services.

The services use the native messages of PROTOCOL 2 and 3. A gateway with different messages is
another `Dialect`, not another service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Union

__all__ = ["NATIVE", "Dialect"]


@dataclass(frozen=True)
class Dialect:
    """Translation between the native messages of a service and those on the wire.

    `decode` turns a JSON value from the client into native messages, with `bytes` for audio;
    `encode` turns a native message of the service into those to send, with `bytes` for audio in
    binary messages. Neither may raise, whatever
    the client sends: a value that cannot be decoded is passed on, and the service refuses it.
    """

    name: str
    decode: Callable[[Any], list[Union[Any, bytes]]]
    encode: Callable[[Mapping[str, Any]], Sequence[Union[Mapping[str, Any], bytes]]]


NATIVE = Dialect("native", lambda value: [value], lambda message: [message])
