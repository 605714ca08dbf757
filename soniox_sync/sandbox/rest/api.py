"""State behind the `/v1` endpoints, and how an endpoint is added."""

from __future__ import annotations

import functools
from typing import Callable

from ..keys import AcceptedKey
from ..server.routes import Answer, Request, Routes
from ..world import World
from .runner import JobRunner
from .store import Store

__all__ = ["RestApi"]


class RestApi:
    """What the account stores, and the threads that transcribe its files. Thread-safe."""

    def __init__(self, world: World, routes: Routes) -> None:
        self.world = world
        self.store: Store = Store()
        self.jobs: JobRunner = JobRunner(world, self.store)
        self._routes = routes

    def route(
        self, method: str, pattern: str, handler: Callable[[RestApi, Request], Answer]
    ) -> None:
        """Serve `method pattern` with `handler(api, request)`."""
        self._routes.add(method, pattern, functools.partial(handler, self))

    def admit(self, request: Request) -> AcceptedKey:
        """Check the key of a request and count the request.

        Raises
            Problem: 401, 402, 403 or 429.
        """
        key = self.world.keys.check(request.key, "rest")
        self.world.keys.use(key)
        self.world.quota.count_request("rest")
        return key

    def close(self) -> None:
        """End the threads; idempotent, bounded."""
        self.jobs.close()
