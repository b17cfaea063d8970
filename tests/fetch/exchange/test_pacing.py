from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.fetch.exchange.pacing import CREDIT_SECONDS, MARGIN, NEWS_SECONDS, Pacer, StoppedError


class LatePacer(Pacer):
    """One whose time passes only in naps, from each of which it wakes too late."""

    def __init__(self, late: list[float]) -> None:
        """`late`: by how much, nap after nap; then not at all."""
        self.now, self.late = 0.0, late
        super().__init__()

    def clock(self) -> float:
        """The time that all naps took."""
        return self.now

    def nap(self, seconds: float) -> None:
        """Sleep, and a bit more."""
        self.now += seconds + (self.late.pop() if self.late else 0.0)


@given(late=st.lists(st.floats(0, 0.1), max_size=120), per_second=st.integers(2, 100))
@settings(deadline=None)
def test_no_second_holds_more_requests_than_the_limit(late: list[float], per_second: int):
    """However late a thread wakes up, what it lost isn't made up for by a burst."""
    pacer = LatePacer(late)
    sent = []
    for _ in range(120):
        pacer.wait(1 / per_second)
        sent.append(pacer.now)

    for first in range(120):
        assert sum(sent[first] <= time < sent[first] + 1 for time in sent) <= per_second


def test_requests_on_time_go_at_the_limit_less_a_margin():
    """As many as the margin allows, and the same number whichever endpoint's cost is whole or a part."""
    pacer = LatePacer([])
    for _ in range(101):
        pacer.wait(0.4 * 0.05)

    assert pacer.now == pytest.approx(100 * 0.02 * MARGIN - CREDIT_SECONDS, abs=0.03)


def test_idle_time_is_no_credit():
    """Ten seconds without a request don't let ten seconds' worth go at once."""
    pacer = LatePacer([])
    pacer.wait(1.0)
    pacer.now += 10
    for _ in range(3):
        pacer.wait(1.0)

    assert pacer.now >= 10 + 2 * MARGIN - CREDIT_SECONDS


def test_a_pause_holds_for_whoever_asks_next():
    """A shorter pause later on doesn't end a longer one."""
    pacer = LatePacer([])
    pacer.pause(30)
    pacer.pause(1)
    pacer.wait(0.1)

    assert pacer.now == 30


def test_a_stop_wakes_those_who_wait_and_refuses_the_rest():
    """A thread in the middle of a long pause ends at once."""
    pacer, ends = Pacer(), []
    pacer.pause(600)

    def run() -> None:
        with pytest.raises(StoppedError):
            pacer.wait(0)
        ends.append(True)

    threads = [Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    pacer.stop()
    for thread in threads:
        thread.join(timeout=10)

    assert ends == [True] * 3
    with pytest.raises(StoppedError):
        pacer.nap(0)


def test_threads_share_one_limit():
    """Ten threads that ask five times each are as slow as one that asks fifty times."""
    pacer = Pacer()
    sent: list[float] = []

    def run() -> None:
        for _ in range(5):
            pacer.wait(0.004)
            sent.append(pacer.clock())

    threads = [Thread(target=run) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert max(sent) - min(sent) >= 49 * 0.004 * MARGIN - CREDIT_SECONDS


def test_what_all_threads_meet_is_news_once():
    """Two dozen lines about one outage hide the others; one that lasts is told again."""
    pacer = LatePacer([])

    assert [pacer.is_news(event) for event in ("down", "down", "banned", "down")] == [
        True,
        False,
        True,
        False,
    ]
    pacer.now += NEWS_SECONDS
    assert pacer.is_news("down")
