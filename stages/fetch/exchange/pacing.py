"""When a request may go: at an exchange's own rate limit and no faster, whichever thread sends it."""

import math
from threading import Event, Lock
from time import monotonic

MARGIN = 1.1  # between requests, of what the limit asks: they may arrive closer together than they went
CREDIT_SECONDS = 0.02  # that a thread which woke late is let to catch up
NEWS_SECONDS = 10.0  # after which the same event is news again


class StoppedError(Exception):
    """Another thread has met the end: nothing more may be sent."""


class Pacer:
    """Gives the threads that share it their turns, and knows what one of them has told the log."""

    def __init__(self) -> None:
        """The first request may go at once."""
        self.turn, self.state, self.stopped = Lock(), Lock(), Event()
        self.free_at = self.clock()
        self.told: dict[str, float] = {}

    def clock(self) -> float:
        """Seconds, from any moment on."""
        return monotonic()

    def nap(self, seconds: float) -> None:
        """Wait, unless stopped. Raises StoppedError."""
        if self.stopped.wait(seconds):
            raise StoppedError

    def wait(self, seconds: float) -> None:
        """Return when a request may go that takes up `seconds` of the limit. Raises StoppedError."""
        with self.turn:
            while (ahead := self.free_at - self.clock()) > 0:
                self.nap(ahead)
            if self.stopped.is_set():
                raise StoppedError
            with self.state:
                self.free_at = max(self.free_at, self.clock() - CREDIT_SECONDS) + MARGIN * seconds

    def pause(self, seconds: float) -> None:
        """Let nothing go for so long."""
        with self.state:
            self.free_at = max(self.free_at, self.clock() + seconds)

    def stop(self) -> None:
        """Let nothing go any more, and wake whoever waits."""
        self.stopped.set()

    def is_news(self, event: str) -> bool:
        """Whether no thread has met it lately: what hits all of them is told once."""
        with self.state:
            now = self.clock()
            if now - self.told.get(event, -math.inf) < NEWS_SECONDS:
                return False
            self.told[event] = now
            return True
