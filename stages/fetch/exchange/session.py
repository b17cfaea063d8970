"""Requests that end: a line that drips is given up after two minutes, and on a stop all are, at once."""

from concurrent.futures import Future, wait
from threading import Thread
from typing import Any

import requests

from stages.fetch.exchange.pacing import Pacer, StoppedError

LONGEST_SECONDS = 120.0  # from a request to its answer's last byte
CHECK_SECONDS = 0.2  # between looks at whether to go on


class Session(requests.Session):
    """A session as ccxt has one, but a request is given up when `pacer` is stopped, or after too long.

    The time-out of `requests` itself is for each read: a byte in ten seconds keeps it content for hours.
    """

    def __init__(self, pacer: Pacer) -> None:
        """`pacer`: of the threads that are stopped together."""
        super().__init__()
        self.pacer = pacer

    def request(self, *args: Any, **options: Any) -> requests.Response:
        """The answer. Raises StoppedError, a time-out, or what requests does."""
        answer: Future[requests.Response] = Future()
        ask = super().request

        def get() -> None:
            try:
                answer.set_result(ask(*args, **options))
            except BaseException as error:  # noqa: BLE001  # whatever it is, it's for the one who asked
                answer.set_exception(error)

        # A daemon, which doesn't keep the process from ending: nothing can be done about a read but to
        # leave it alone.
        Thread(target=get, daemon=True).start()
        give_up_at = self.pacer.clock() + LONGEST_SECONDS
        while not wait([answer], CHECK_SECONDS).done:
            if self.pacer.stopped.is_set():
                raise StoppedError
            if self.pacer.clock() > give_up_at:
                raise requests.ReadTimeout(f"no whole answer within {LONGEST_SECONDS:.0f} seconds")
        return answer.result()
