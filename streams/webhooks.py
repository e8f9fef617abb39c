"""Is a message ours? Signatures as Standard Webhooks has them, by secrets that only the environment holds.

https://www.standardwebhooks.com: HMAC-SHA256 over id, timestamp and body; one signature for each secret, so
that a receiver with the old or the new one accepts the message while they overlap.
"""

import base64
import binascii
import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"
LEAST_BYTES, SECRET_BYTES = 24, 32
TOLERANCE_S = 300
DIGITS = 12  # of a timestamp, at most
VARIABLE = "HEADWATER_WEBHOOK_SECRET_"
NEW_SECRET = "whsec_$(openssl rand -base64 32)"  # noqa: S105  # how to make one


class NoSecret(ValueError):
    """There is no usable secret; the message says which variable to set, and never has any of it."""


class BadSignature(ValueError):
    """The message is not of who has the secret, or is too old; the message says which."""


def sign(keys: Sequence[bytes], message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers of a message that is sent at `at_s` (seconds since 1970)."""
    signatures = " ".join(f"v1,{_signature(secret, message_id, str(at_s), body)}" for secret in keys)
    return {ID: message_id, TIMESTAMP: str(at_s), SIGNATURE: signatures}


def verify(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now_s: float) -> str:
    """The id of a message; raises BadSignature. The headers' names are in lower case, or find themselves."""
    message_id, at, given = (headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not (message_id and at and given):
        raise BadSignature(f"a header is missing: {ID}, {TIMESTAMP} and {SIGNATURE} are needed")
    if not (at.isascii() and at.isdigit() and len(at) <= DIGITS) or abs(now_s - int(at)) > TOLERANCE_S:
        raise BadSignature(f"{TIMESTAMP} is {at[:20]!r}, more than {TOLERANCE_S} s from now: set the clocks")
    said = [each.removeprefix("v1,").encode() for each in given.split(" ") if each.startswith("v1,")]
    right = [_signature(secret, message_id, at, body).encode() for secret in keys]
    if not any(hmac.compare_digest(one, other) for one in said for other in right):
        raise BadSignature("no signature is by this secret, or the message was changed on the way")
    return message_id


def secrets_of(name: str, data_dir: Path, environ: Mapping[str, str] = os.environ) -> tuple[bytes, ...]:
    """The secrets of that name, the newest one first by convention; raises NoSecret with the remedy.

    They are in HEADWATER_WEBHOOK_SECRET_<NAME>, in the file that …_FILE names, or in DATA_DIR/secrets/<name>,
    separated by spaces.
    """
    variable, own = VARIABLE + name.upper().replace("-", "_"), secret_file(name, data_dir)
    text, where = environ.get(variable, ""), variable
    path = environ.get(f"{variable}_FILE") or (own if own.exists() else None)
    if not text and path:
        where = f"the file {path}"
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise NoSecret(f"{where} cannot be read ({type(error).__name__}): correct its path.") from error
    if not text.split():
        raise NoSecret(f"There is no secret {name!r} to sign with: set {variable} to {NEW_SECRET}.")
    return tuple(parse(secret, where) for secret in text.split())


def secret_file(name: str, data_dir: Path) -> Path:
    """Where a secret is that no variable tells."""
    return data_dir / "secrets" / name


def new_secret(name: str, data_dir: Path) -> Path:
    """Make a secret in its file, which only its owner can read; raises FileExistsError."""
    path = secret_file(name, data_dir)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode())
    return path


def parse(secret: str, where: str) -> bytes:
    """The key of a secret in the form whsec_<base64>; raises NoSecret, which tells `where` it was from."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) < LEAST_BYTES:
        raise NoSecret(
            f"A secret of {where} is not {PREFIX} and {LEAST_BYTES} bytes or more in base64: make one with "
            f"{NEW_SECRET}."
        )
    return key


def _signature(secret: bytes, message_id: str, at: str, body: bytes) -> str:
    digest = hmac.digest(secret, b".".join((message_id.encode(), at.encode(), body)), "sha256")
    return base64.b64encode(digest).decode()
