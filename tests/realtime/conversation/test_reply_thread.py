"""The thread that calls `reply`, without the conversation round it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest

from soniox_sync.realtime.conversation.replies import ReplyThread
from soniox_sync.realtime.conversation.texts import Job, TextFeed
from tests.waiting import WAIT, Task


class Desk:
    """A reply thread, and what it passes on."""

    def __init__(self, reply: Callable[[str], Any]) -> None:
        self.texts: list[str] = []
        self.done: list[tuple[Job, Optional[BaseException]]] = []
        self.thread = ReplyThread(
            reply,
            None,
            lambda job, text: self.texts.append(text),
            lambda job, error: self.done.append((job, error)),
            "soniox-test-reply",
        )

    def answer(self, *jobs: Job) -> None:
        """Answer these, and end."""
        self.thread.start()
        for job in jobs:
            self.thread.take(job)
        self.thread.stop()
        self.thread.join(WAIT)


def test_a_text_that_comes_after_the_cut_is_not_spoken() -> None:
    """The cut came while `reply` made it: it is dropped, and the generator closed."""
    job = Job(1, "hello")
    closed = threading.Event()

    def reply(text: str) -> Iterator[str]:
        try:
            yield "Well, "
            job.end()
            yield "too late."
        finally:
            closed.set()

    desk = Desk(reply)
    desk.answer(job)
    assert desk.texts == ["Well, "]
    assert desk.done == [(job, None)]
    assert closed.is_set()


def test_a_turn_that_was_cut_before_its_reply_is_not_answered() -> None:
    """`reply` is not called at all, and the next turn is answered."""
    asked: list[str] = []
    first, second = Job(1, "one"), Job(2, "two")
    first.end()
    desk = Desk(lambda text: asked.append(text) or f"To {text}.")
    desk.answer(first, second)
    assert asked == ["two"]
    assert desk.texts == ["To two."]
    assert desk.done == [(first, None), (second, None)]


class Answer:
    """Response of a language model that has a field of that name."""

    close = "not a function"

    def __iter__(self) -> Iterator[str]:
        return iter(["Yes."])


def test_an_answer_whose_close_is_no_function_is_left_alone() -> None:
    """Only what can be closed is."""
    desk = Desk(lambda text: Answer())
    job = Job(1, "hello")
    desk.answer(job)
    assert desk.texts == ["Yes."]
    assert desk.done == [(job, None)]


def test_joining_waits_for_the_reply() -> None:
    """But not inside it."""
    inside, go_on = threading.Event(), threading.Event()

    def reply(text: str) -> str:
        desk.thread.join(WAIT)
        inside.set()
        go_on.wait(WAIT)
        return "Yes."

    desk = Desk(reply)
    task = Task(lambda: desk.answer(Job(1, "hello")))
    assert inside.wait(WAIT)
    assert not task.done and desk.texts == []
    go_on.set()
    task.result()
    assert desk.texts == ["Yes."]


# -- how far ahead of the voice -------------------------------------------------------------------


def held(job: Job) -> Task:
    return Task(job.may_go_on)


@pytest.mark.parametrize(("ahead", "waits"), [(1999, False), (2000, True)])
def test_a_reply_is_two_thousand_characters_ahead(ahead: int, waits: bool) -> None:
    """With as many waiting it is asked for no more until the voice has taken one."""
    job = Job(1, "hello")
    job.count(ahead)
    task = held(job)
    if waits:
        with pytest.raises(AssertionError, match="did not return"):
            task.result(0.05)
        job.count(-1)
    assert task.result() is True


def test_a_reply_on_hold_is_asked_for_nothing() -> None:
    """However little waits."""
    job = Job(1, "hello")
    job.hold(True)
    task = held(job)
    with pytest.raises(AssertionError, match="did not return"):
        task.result(0.05)
    job.hold(False)
    assert task.result() is True


@pytest.mark.parametrize("end", [Job.end, lambda job: job.cancel.cancel()])
def test_a_reply_that_is_cut_or_cancelled_is_not_wanted(end: Callable[[Job], object]) -> None:
    """It may not go on, and does not wait."""
    job = Job(1, "hello")
    assert job.is_wanted
    end(job)
    assert not job.is_wanted
    assert held(job).result() is False


def test_text_that_is_taken_or_dropped_waits_no_more() -> None:
    """`reply` may go on as soon as the voice has it, or will never have it."""
    job, feed = Job(1, "hello"), TextFeed()
    feed.put("x" * 1500, job)
    feed.put("y" * 1500, job)
    feed.put("not of a reply", None)
    assert next(iter(feed)) == "x" * 1500
    assert held(job).result() is True
    feed.put("z" * 600, job)
    feed.drop()
    assert list(feed) == []
    job.count(1999)
    assert held(job).result() is True
