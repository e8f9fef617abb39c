"""How does a message leave? As a signed call, a record of headwater.messages, or a line of a file.

What an answer means is as Standard Webhooks recommends: 2xx is success, and everything else a failure that is
tried again, also redirects, which are not followed; 410 says that nobody listens any more, so that was the
last try; 429 and 503 may say when to come back.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
    ThreadedResolver,
)

from projections.triggers.rules import Action
from streams.endpoints import CheckedResolver, Forbidden, check_url
from streams.log import Append
from streams.topics import MESSAGES
from streams.webhooks import NoSecret, secrets_of, sign

TIMEOUT_S = 10.0  # of a call, from resolving to the last byte that is read
RESPONSE_BYTES = 1024
GONE = 410
BUSY = (429, 503)
RETRY_AFTER_AT_MOST_S = 86_400
HEADERS = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "Headwater"}


class Message(NamedTuple):
    """What is sent; the same id at each attempt."""

    id: str
    customer_id: str
    partition: int
    body: bytes


class Answer(NamedTuple):
    """What became of an attempt; without a `status` nobody answered."""

    succeeded: bool
    status: int | None = None
    error: str | None = None
    response: str | None = None
    retry_after_ms: int | None = None
    appends: tuple[Append, ...] = ()  # what is appended in one transaction with the receipt

    @property
    def is_gone(self) -> bool:
        return self.status == GONE


class Sender:
    """Sends to where an action says. Open it with `async with Sender.open(data_dir, embedded=…)`."""

    def __init__(self, session: ClientSession, data_dir: Path, *, embedded: bool) -> None:
        self._session = session
        self._data_dir = data_dir
        self._embedded = embedded

    @classmethod
    @asynccontextmanager
    async def open(cls, data_dir: Path, *, embedded: bool) -> AsyncIterator["Sender"]:
        """`embedded` engines may call this machine; files are in `data_dir` unless they say otherwise."""
        resolver = CheckedResolver(ThreadedResolver(), embedded=embedded)
        async with ClientSession(
            connector=TCPConnector(resolver=resolver, limit=0),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=TIMEOUT_S),
            headers=HEADERS,
            auto_decompress=False,
            trust_env=False,  # a proxy would connect to what nobody checked
        ) as session:
            yield cls(session, data_dir, embedded=embedded)

    async def send(self, action: Action, message: Message) -> Answer:
        """Try it once; raises Forbidden where the address may not be called."""
        if action.topic:
            record = Append(MESSAGES, message.partition, message.customer_id.encode(), message.body)
            return Answer(True, appends=(record,))
        if action.file:
            return _written(self._data_dir / action.file, message.body)
        return await self._call(action, message)

    async def _call(self, action: Action, message: Message) -> Answer:
        check_url(action.webhook, embedded=self._embedded)
        try:
            secrets = secrets_of(action.secret, self._data_dir)
        except NoSecret as error:
            return Answer(False, error=str(error))
        signed = sign(secrets, message.id, int(time.time()), message.body)
        try:
            async with self._session.post(
                action.webhook, data=message.body, headers=signed, allow_redirects=False
            ) as response:
                said = await _beginning(response)
        except TimeoutError:
            return Answer(False, error=f"no answer within {TIMEOUT_S:.0f} s")
        except Forbidden:
            raise
        except (ClientError, OSError, ValueError) as error:  # ValueError: a host that is no name
            return Answer(False, error=_why(error))
        return _answer(response, said)


async def _beginning(response: ClientResponse) -> bytes:
    said = b""
    while len(said) < RESPONSE_BYTES and (more := await response.content.read(RESPONSE_BYTES - len(said))):
        said += more
    return said


def _written(path: Path, body: bytes) -> Answer:
    try:
        with path.open("ab") as file:
            file.write(body + b"\n")
    except OSError as error:
        return Answer(False, error=f"the file cannot be written: {error.strerror}")
    return Answer(True)


def _answer(response: ClientResponse, said: bytes) -> Answer:
    text = said.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    if response.ok and response.status < 300:
        return Answer(True, response.status, response=text)
    error = f"HTTP {response.status}"
    if 300 <= response.status < 400:
        error += ": redirects are not followed"
    elif response.status == GONE:
        error += ": the receiver says that nobody listens there any more"
    wait_ms = _retry_after_ms(response.headers) if response.status in BUSY else None
    return Answer(False, response.status, error, text, wait_ms)


def _retry_after_ms(headers: Mapping[str, str]) -> int | None:
    """Retry-After, in seconds or as a date; at most a day, and None where it is neither."""
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        wait_s = float(said[:9])
    else:
        try:
            wait_s = parsedate_to_datetime(said).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return int(1000 * min(max(0.0, wait_s), RETRY_AFTER_AT_MOST_S))


def _why(error: Exception) -> str:
    """In words without the URL, of which the path may hold a secret."""
    if isinstance(error, ClientConnectorCertificateError):
        return f"the certificate of {error.host} is not accepted: {error.certificate_error}"
    if isinstance(error, ClientConnectorDNSError):
        return f"{error.host} cannot be resolved"
    if isinstance(error, ClientConnectorError):
        return f"{error.host}:{error.port} cannot be reached: {error.os_error.strerror or error.os_error}"
    return f"the connection broke: {type(error).__name__}"
