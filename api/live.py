"""How does a page learn at once what has changed? By server-sent events, from one place to all who follow.

Summaries and customers are states: a slow follower gets the latest. Transitions are a sequence: each follower
has a buffer, and one that falls behind its bound is disconnected; its Last-Event-ID (the next offset of each
partition) then resumes from the log, so nothing is lost.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from api import answers
from api.models import Models
from api.problems import Problem
from api.read_model import ReadModel
from api.store import Change, transition_of
from streams.log import Log
from streams.topics import TRANSITIONS

HEARTBEAT_S = 15.0
PAUSE_S = 0.2  # between two writes to a follower, so that a burst is one write
BUFFER_BYTES = 1 << 20
FOLLOWERS = 256
RESUME_RECORDS = 500


class Live:
    """The followers of one read model."""

    def __init__(self, read_model: ReadModel, log: Log, models: Models) -> None:
        self._read_model = read_model
        self._models = models
        self._log = log
        self._next = _next_offsets(read_model)
        self._followers: set[_Follower] = set()
        self._closing = False
        read_model.on_change(self._on_change)

    @property
    def followers(self) -> int:
        return len(self._followers)

    def close(self) -> None:
        """End every stream; a server must do so before it waits for its connections to end."""
        self._closing = True
        for follower in self._followers:
            follower.moved.set()

    def follow(self, customer_id: str | None, last_event_id: str | None) -> AsyncIterator[bytes]:
        """A stream of SSE bytes: summaries, transitions, and one customer's states if asked for.

        Raises a Problem (422, 503) before the first byte.
        """
        resume = None if last_event_id is None else _parse(last_event_id)
        if len(self._followers) >= FOLLOWERS:
            raise Problem(503, f"{FOLLOWERS} pages follow this engine already: close one and try again.")
        return self._stream(customer_id, resume)

    async def _stream(self, customer_id: str | None, resume: list[int] | None) -> AsyncIterator[bytes]:
        follower = _Follower(customer_id)
        self._followers.add(follower)
        try:
            joined = list(self._next)
            yield await self._states(follower, joined)
            if resume is not None and len(resume) == len(joined):
                async for chunk in self._missed(resume, joined):
                    yield chunk
            while not self._closing and not follower.lost:
                if not follower.moved.is_set():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(follower.moved.wait(), HEARTBEAT_S)
                yield await self._news(follower) or KEEPALIVE_COMMENT
                await asyncio.sleep(PAUSE_S)
        finally:
            self._followers.discard(follower)

    async def _news(self, follower: "_Follower") -> bytes:
        """What has happened since the last write to this follower; nothing if nothing has."""
        if not follower.moved.is_set():
            return b""
        follower.moved.clear()
        return follower.take() + await self._states(follower, None)

    async def _states(self, follower: "_Follower", joined: Sequence[int] | None) -> bytes:
        at = None if joined is None else _text(joined)
        news = _event("summary", answers.summary(self._read_model), at)
        if follower.customer_id is not None and follower.customer_moved:
            follower.customer_moved = False
            found = self._read_model.customer(follower.customer_id)
            if found is not None:
                await self._models.have([found])
                news += _event("customer", answers.customer_body(found, self._models))
        return news

    async def _missed(self, resume: list[int], joined: Sequence[int]) -> AsyncIterator[bytes]:
        """The transitions from `resume` up to where the follower joined."""
        resume = [min(offset, end) for offset, end in zip(resume, joined, strict=True)]
        for partition, end in enumerate(joined):
            while resume[partition] < end:
                read = await self._log.read(TRANSITIONS, partition, resume[partition], RESUME_RECORDS)
                told = b""
                for record in read.records:
                    resume[partition] = record.offset + 1
                    event = transition_of(record)
                    if event is not None and record.offset < end:
                        told += _event("transition", answers.transition(event), _text(resume))
                resume[partition] = read.end if read.records else end
                if told:
                    yield told

    def _on_change(self, change: Change) -> None:
        chunk = b""
        for partition, offset, event in change.transitions:
            self._next[partition] = offset + 1
            if self._followers:
                chunk += _event("transition", answers.transition(event), _text(self._next))
        for follower in self._followers:
            follower.offer(chunk, change)


class _Follower:
    """What one open connection has yet to be told."""

    def __init__(self, customer_id: str | None) -> None:
        self.customer_id = customer_id
        self.customer_moved = True
        self.moved = asyncio.Event()
        self.lost = False
        self._transitions = bytearray()

    def offer(self, transitions: bytes, change: Change) -> None:
        if len(self._transitions) + len(transitions) > BUFFER_BYTES:
            self.lost = True
        else:
            self._transitions += transitions
        self.customer_moved = self.customer_moved or self.customer_id in change.customers
        self.moved.set()

    def take(self) -> bytes:
        taken = bytes(self._transitions)
        self._transitions.clear()
        return taken


def _event(name: str, body: object, at: str | None = None) -> bytes:
    return format_sse_event(data_str=answers.encode(body).decode(), event=name, id=at)


def _next_offsets(read_model: ReadModel) -> list[int]:
    following = read_model.next_offsets()
    return [offset for (topic, _), offset in sorted(following.items()) if topic == TRANSITIONS]


def _text(offsets: Sequence[int]) -> str:
    return ".".join(map(str, offsets))


def _parse(last_event_id: str) -> list[int]:
    parts = last_event_id.split(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise Problem(
            422,
            f"Last-Event-ID {last_event_id[:80]!r} is not one of this stream's: leave it out to begin now.",
        )
    return list(map(int, parts))
