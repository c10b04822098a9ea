"""The stages of a build: order, waiting, failure and cancellation."""

import threading
from concurrent.futures import CancelledError

import pytest

from analytics.marts.build import StageRunner

SECONDS = 10


def fail() -> None:
    raise ValueError("the stage failed")


def test_a_stage_waits_for_a_stage_of_another_thread_that_is_submitted_later() -> None:
    order: list[str] = []
    with StageRunner("loans", "rows") as stages:
        stages.submit("loans", "loans 3", lambda: order.append("loans 3"), after=["rows 1"])
        stages.submit("rows", "rows 1", lambda: order.append("rows 1"))
        stages.wait("loans 3")
    assert order == ["rows 1", "loans 3"]


def test_the_stages_of_one_thread_run_in_the_order_of_submission() -> None:
    order: list[int] = []
    with StageRunner("loans") as stages:
        for number in range(20):
            stages.submit("loans", f"loans {number}", lambda number=number: order.append(number))
        stages.wait("loans 19")
    assert order == list(range(20))


def test_the_error_of_a_stage_is_raised_by_whoever_waits_for_it() -> None:
    with StageRunner("loans", "rows") as stages:
        stages.submit("rows", "rows 1", fail)
        stages.submit("loans", "loans 3", lambda: None, after=["rows 1"])
        with pytest.raises(ValueError, match="the stage failed"):
            stages.wait("rows 1")
        with pytest.raises(ValueError, match="the stage failed"):
            stages.wait("loans 3")


def test_an_error_in_the_block_cancels_stages_that_wait_for_stages_never_submitted() -> None:
    has_started = threading.Event()
    errors: list[BaseException] = []

    def leave_early() -> None:
        with StageRunner("loans") as stages:
            stages.submit("loans", "loans 1", has_started.set)
            stages.submit("loans", "loans 2", lambda: None, after=["rows never submitted"])
            stages.submit("loans", "loans 3", lambda: None)
            assert has_started.wait(SECONDS)
            raise RuntimeError("the build was interrupted")

    def run() -> None:
        try:
            leave_early()
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive(), "the runner still waits"
    assert [str(error) for error in errors] == ["the build was interrupted"]


def test_a_stage_that_has_not_begun_is_cancelled_when_the_block_is_left() -> None:
    has_started = threading.Event()
    may_end = threading.Event()

    def block() -> None:
        has_started.set()
        assert may_end.wait(SECONDS)

    stages = StageRunner("loans")
    with stages:
        stages.submit("loans", "loans 1", block)
        stages.submit("loans", "loans 2", fail)
        assert has_started.wait(SECONDS)
        threading.Timer(0.1, may_end.set).start()
    with pytest.raises(CancelledError):
        stages.wait("loans 2")
