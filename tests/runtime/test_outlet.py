"""An outlet keeps the user's object alive while handlers wait, and no longer."""

from __future__ import annotations

import gc
import weakref

from soniox_sync.runtime.delivery import CallbackWorker
from soniox_sync.runtime.outlet import Outlet


class Handle:
    """Object of the user's, such as a session."""


def outlet_with(worker: CallbackWorker) -> Outlet[str]:
    return Outlet(
        ("item", "end"),
        final=("end",),
        data_events=("item",),
        push=lambda item: None,
        limit=10,
        what="items",
        worker=worker,
    )


def test_an_object_with_handlers_lives_until_it_is_released(worker: CallbackWorker) -> None:
    """Until the end has come nobody else may refer to it; after that the outlet does not."""
    outlet, handle = outlet_with(worker), Handle()
    seen = weakref.ref(handle)
    outlet.register("end", lambda: None, keep=handle)
    del handle
    gc.collect()
    assert seen() is not None
    outlet.release()
    gc.collect()
    assert seen() is None


def test_a_handler_that_comes_after_the_end_keeps_nothing(worker: CallbackWorker) -> None:
    """Nobody would release it, and only the collector would free it, with its connection."""
    outlet, handle = outlet_with(worker), Handle()
    seen = weakref.ref(handle)
    outlet.release()
    outlet.register("end", lambda: None, keep=handle)
    gc.disable()
    try:
        del handle
        assert seen() is None
    finally:
        gc.enable()
