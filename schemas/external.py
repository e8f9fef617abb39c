"""Which ids has an external registry given our schemas, and what wrote a record whose id is none of ours?

Any registry that speaks Confluent's REST API serves: `adopt` registers the catalogue there and puts its ids
in force for this process. Where no registry is named, nothing of this runs.
"""

import time
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx2
import msgspec

from schemas import codec, registry
from schemas.registry import Registered, RegistryRefused, RegistryUnavailable

REGISTER_S = 15.0
LOOKUP_S = 2.0  # a fold waits for it
ASK_AGAIN_S = 60.0  # after an id that the registry does not know
UNKNOWN_AT_MOST = 10_000
ID_NOT_FOUND = 40403
NO_ANSWER = (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError)  # the last of a name that DNS cannot have
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


def adopt(url: str) -> None:
    """Register every version of every event at `url`, and use the ids it gives from now on.

    Blocks. A process does it once, at its start, before anything is read or written. What is registered
    already keeps its id. A user and password in the URL are sent as Basic authentication. Raises
    RegistryRefused; then nothing has changed here.
    """
    there = ExternalRegistry(url)
    codec.use(there.register_all(), there.find)


class ExternalRegistry:
    """One registry, by the URL of its REST API."""

    def __init__(self, url: str) -> None:
        self.address, auth = _split(url)  # the address never shows the password
        headers = {"Accept": f"{MEDIA_TYPE}, application/json", "Content-Type": MEDIA_TYPE}
        self._http = httpx2.Client(auth=auth, headers=headers, timeout=REGISTER_S)
        self._unknown: dict[int, float] = {}  # id -> when to ask again, monotonic
        self._found: dict[int, Any] = {}

    def register_all(self) -> dict[tuple[str, int], int]:
        """(subject, version) -> its id there, of the whole catalogue; raises RegistryRefused."""
        entries = sorted(registry.all_registered(), key=lambda entry: (entry.subject, entry.version))
        ids = {(entry.subject, entry.version): self._register(entry) for entry in entries}
        if len(set(ids.values())) < len(ids):
            raise RegistryRefused(
                f"The schema registry {self.address} gave two schemas one id: records could not be told "
                "apart; name another in HEADWATER_REGISTRY_URL."
            )
        return ids

    def _register(self, entry: Registered) -> int:
        url = f"{self.address}/subjects/{quote(entry.subject, safe='')}/versions"
        body = {"schemaType": "AVRO", "schema": msgspec.json.encode(entry.schema).decode()}
        try:
            answer = self._http.post(url, content=msgspec.json.encode(body))
        except NO_ANSWER as error:
            raise RegistryRefused(
                f"The schema registry {self.address} cannot be reached ({_named(error)}): start it, correct "
                "HEADWATER_REGISTRY_URL, or unset that for the built-in registry."
            ) from error
        given = _json(answer).get("id")
        if answer.status_code == 200 and type(given) is int and 0 < given < 1 << 31:
            return given
        raise RegistryRefused(self._refusal(entry, answer))

    def _refusal(self, entry: Registered, answer: httpx2.Response) -> str:
        what = f"version {entry.version} of {entry.subject}"
        said = " ".join(str(_json(answer).get("message", answer.reason_phrase)).split())[:300]
        there = f"The schema registry {self.address}"
        match answer.status_code:
            case 401 | 403 as status:
                return (
                    f"{there} refuses who asks ({status}): put a user that may write the subjects "
                    f"{registry.NAMESPACE}.* into HEADWATER_REGISTRY_URL, as https://USER:PASSWORD@HOST."
                )
            case 409:
                return (
                    f"{there} refuses {what} as incompatible with what it has there ({said}): delete that "
                    "subject if it is not Headwater's, or name another registry in HEADWATER_REGISTRY_URL."
                )
            case 422:
                return (
                    f"{there} refuses {what} ({said}): let that subject be written, or name another registry "
                    "in HEADWATER_REGISTRY_URL."
                )
            case 429 | 500 | 502 | 503 | 504 as status:
                return f"{there} fails at {what} ({status}: {said}): put it right and start again."
            case status:
                return (
                    f"{there} answers {status} as no Confluent-compatible registry does: correct "
                    "HEADWATER_REGISTRY_URL, which needs the path that the registry's API is under."
                )

    def find(self, schema_id: int) -> Any:
        """The schema of an id, None where the registry knows none; each is asked for once, None again later.

        Raises RegistryUnavailable for any other answer, or none in time.
        """
        if schema_id in self._found:
            return self._found[schema_id]
        if time.monotonic() < self._unknown.get(schema_id, 0.0):
            return None
        try:
            answer = self._http.get(f"{self.address}/schemas/ids/{schema_id}", timeout=LOOKUP_S)
        except NO_ANSWER as error:
            raise self._unavailable(schema_id, _named(error)) from error
        told = _json(answer)
        if answer.status_code == 404 and told.get("error_code") == ID_NOT_FOUND:
            if len(self._unknown) >= UNKNOWN_AT_MOST:
                self._unknown.clear()
            self._unknown[schema_id] = time.monotonic() + ASK_AGAIN_S
            return None
        if answer.status_code != 200 or not isinstance(told.get("schema"), str):
            raise self._unavailable(schema_id, str(answer.status_code))
        self._found[schema_id] = _schema(told)
        return self._found[schema_id]

    def _unavailable(self, schema_id: int, why: str) -> RegistryUnavailable:
        return RegistryUnavailable(
            schema_id,
            f"The schema registry {self.address} does not tell what schema id {schema_id} is ({why}): "
            "start it, or let its user read schemas",
        )


def _split(url: str) -> tuple[str, tuple[str, str] | None]:
    """The address without user, password and what follows the path; the user and password."""
    wrong = RegistryRefused(
        "HEADWATER_REGISTRY_URL is no address of a registry: write https://USER:PASSWORD@HOST:PORT/PATH, "
        "with : / @ in the password as %3A %2F %40, or unset it for the built-in registry."
    )
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None  # whose message could have the password
    if parts.scheme not in {"http", "https"} or not host:
        raise wrong
    place = f"[{host}]" if ":" in host else host
    address = urlunsplit((parts.scheme, place + (f":{port}" if port else ""), parts.path.rstrip("/"), "", ""))
    auth = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
    return address, auth


def _json(answer: httpx2.Response) -> dict[str, Any]:
    """The answer's JSON object; empty where it has none."""
    try:
        told = msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _schema(told: dict[str, Any]) -> Any:
    """What a registry tells of an id: the Avro schema, or what is none as its text."""
    if (told.get("schemaType") or "AVRO") != "AVRO":
        return f"a schema of type {told['schemaType']}"
    try:
        return msgspec.json.decode(told["schema"])
    except (msgspec.DecodeError, RecursionError):  # a primitive type may stand without quotes
        return told["schema"]


def _named(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
