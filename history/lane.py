"""How do queries wait for those of their kind, and for no others? In a thread with its own connection."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Thread
from typing import TypeVar

from clickhouse_connect.driver.client import Client

from history.client import answering, is_sound

T = TypeVar("T")

STOP_EVERY_S = 0.1


class Lane:
    """A thread and the connection that only it uses."""

    def __init__(self, name: str, opened: Callable[[], Client]) -> None:
        self._opened = opened
        self._client = opened()
        self._is_in_doubt = False
        self._thread = ThreadPoolExecutor(1, name)

    async def run(self, call: Callable[[Client], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, call)

    def _run(self, call: Callable[[Client], T]) -> T:
        if self._is_in_doubt:
            self._settle()
        try:
            with answering(self._client):
                return call(self._client)
        except Exception:
            self._is_in_doubt = self._client.uri.startswith("chdb:")  # a server keeps nothing of a request
            raise

    def _settle(self) -> None:
        """Go on with the connection if it is of use, else with another; raises HistoryUnavailable."""
        if not is_sound(self._client):
            found = self._opened()
            self._client.close()
            self._client = found
        self._is_in_doubt = False

    def close(self, stop: Callable[[], None]) -> None:
        """Drop what waits, have `stop` end what runs, until nothing does."""
        ending = Thread(target=partial(self._thread.shutdown, cancel_futures=True))
        ending.start()
        while ending.is_alive():
            stop()  # again, for a call that was between two queries
            ending.join(STOP_EVERY_S)
        self._client.close()
