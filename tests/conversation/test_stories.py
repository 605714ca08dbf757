"""Random conversations: what holds whatever caller, reply, voice and sink do."""

from __future__ import annotations

import os

import pytest

from tests.conversation.world import Story

COUNT = int(os.environ.get("SONIOX_SYNC_STORIES", "120"))


@pytest.mark.parametrize("first", range(0, COUNT, 20))
def test_what_always_holds(first: int) -> None:
    """Words in one turn each, answers once and never two at a time, heard is what was played."""
    for seed in range(first, first + 20):
        try:
            Story(seed).run().check()
        except BaseException as error:
            raise AssertionError(f"Story({seed}).run().check(): {error!r}") from error
