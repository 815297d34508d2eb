"""Work in a thread ends when its time is over, when it is stopped, when nobody wants it."""

from __future__ import annotations

import threading

import pytest

from catalog.deadline import Deadline
from catalog.errors import DeadlineError, Stopped
from catalog.fetch.http.background import BackgroundCall, DeadlineTask


def test_a_result_and_an_error_come_back_as_they_were() -> None:
    task = DeadlineTask(Deadline(10))
    assert BackgroundCall(lambda: 7, task, lambda: None).result() == 7
    with pytest.raises(ZeroDivisionError):
        BackgroundCall(lambda: 1 // 0, task, lambda: None).result()


def test_an_errand_ends_its_reserve_before_the_whole() -> None:
    deadline = Deadline(10)
    assert DeadlineTask(deadline, reserve=4).remaining() <= 6
    assert DeadlineTask(deadline, reserve=11).over


def test_work_that_cannot_be_cut_is_left_to_itself_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a look-up of a host's name, which no one can interrupt."""
    monkeypatch.setattr("catalog.fetch.http.background.GRACE_SECONDS", 0.1)
    free = threading.Event()
    cuts: list[bool] = []
    sent = BackgroundCall(free.wait, DeadlineTask(Deadline(0.2)), lambda: cuts.append(True))
    with pytest.raises(DeadlineError):
        sent.result()
    assert cuts
    free.set()


def test_a_cancelled_errand_ends_its_wait() -> None:
    task = DeadlineTask(Deadline(600))
    threading.Timer(0.05, task.cancel).start()
    with pytest.raises(Stopped):
        task.sleep(500)


def test_a_stopped_sweep_ends_its_errands() -> None:
    deadline = Deadline(600)
    task = DeadlineTask(deadline)
    deadline.stop.set()
    assert task.over
    with pytest.raises(Stopped):
        task.check()
