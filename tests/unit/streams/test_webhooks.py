"""Does an independent verifier accept what we sign, and refuse what we did not?"""

import time
from pathlib import Path

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from streams.webhooks import BadSignature, NoSecret, new_secret, parse, secrets_of, sign, verify

OLD = "whsec_dGhlIG9sZCBvbmUsIHdoaWNoIGlzIGxvbmcgZW5vdWdo"
NEW = "whsec_dGhlIG5ldyBvbmUsIHdoaWNoIGlzIGxvbmcgZW5vdWdo"
OTHER = "whsec_c29tZWJvZHkgZWxzZSdzLCB3aGljaCBpcyBsb25nIHRvbw=="
BODY = '{"type":"stage.changed","name":"Zoë"}'.encode()
NOWHERE = Path("/nowhere")
ID = "0192f3a4-0000-8000-8000-000000000001"


def key(*secrets: str) -> tuple[bytes, ...]:
    return tuple(parse(secret, "the test") for secret in secrets)


def signed(*secrets: str, seconds_ago: int = 0) -> dict[str, str]:
    return sign(key(*secrets), ID, int(time.time()) - seconds_ago, BODY)


def test_the_verifier_accepts_what_is_signed() -> None:
    """Ours does, too, and says which message it is."""
    headers = signed(NEW)
    assert Webhook(NEW).verify(BODY, headers)["type"] == "stage.changed"
    assert verify(key(NEW), headers, BODY, time.time()) == ID


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_while_secrets_overlap_either_is_enough(secret: str) -> None:
    """A receiver with the old one accepts a message, and one with the new one does."""
    headers = signed(NEW, OLD)
    assert headers["webhook-signature"].count("v1,") == 2
    Webhook(secret).verify(BODY, headers)
    assert verify(key(secret), headers, BODY, time.time()) == ID


@pytest.mark.parametrize(
    ("secret", "body", "seconds_ago"),
    [(NEW, BODY + b" ", 0), (OTHER, BODY, 0), (NEW, BODY, 301), (NEW, BODY, -302)],
)
def test_what_was_changed_or_is_old_is_refused(secret: str, body: bytes, seconds_ago: int) -> None:
    """Another body, a wrong secret, a timestamp that is off: by both verifiers."""
    headers = signed(NEW, seconds_ago=seconds_ago)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)
    with pytest.raises(BadSignature):
        verify(key(secret), headers, body, time.time())


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "another"},
        {"webhook-id": ""},
        {"webhook-timestamp": "9" * 5_000},
        {"webhook-timestamp": "soon"},
        {"webhook-signature": "v2,AAAA"},
        {"webhook-signature": "v1,Ä"},
        {"webhook-signature": ""},
    ],
)
def test_headers_of_any_kind_are_refused_in_words(changes: dict[str, str]) -> None:
    """None of them is an error of another kind."""
    with pytest.raises(BadSignature):
        verify(key(NEW), signed(NEW) | changes, BODY, time.time())


def test_secrets_are_in_the_environment() -> None:
    """By the name of the action's secret; two, while they overlap."""
    environ = {"HEADWATER_WEBHOOK_SECRET_OUR_CRM": f"{NEW} {OLD}"}
    assert secrets_of("our-crm", NOWHERE, environ) == key(NEW, OLD)


def test_secrets_are_in_a_file(tmp_path: Path) -> None:
    """Which the environment names, and which may change while the engine runs."""
    file = tmp_path / "secret"
    environ = {"HEADWATER_WEBHOOK_SECRET_CRM_FILE": str(file)}
    with pytest.raises(NoSecret, match=r"the file .*secret cannot be read"):
        secrets_of("crm", NOWHERE, environ)
    file.write_text(f"{OLD}\n")
    assert secrets_of("crm", NOWHERE, environ) == key(OLD)
    file.write_text(f"{NEW}\n{OLD}\n")
    assert secrets_of("crm", NOWHERE, environ) == key(NEW, OLD)


def test_a_secret_that_no_variable_tells_is_in_the_data_directory(tmp_path: Path) -> None:
    """Made there, for its owner's eyes; a variable goes before it; it is made once."""
    path = new_secret("crm", tmp_path)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    assert secrets_of("crm", tmp_path, {}) == key(path.read_text())
    assert secrets_of("crm", tmp_path, {"HEADWATER_WEBHOOK_SECRET_CRM": NEW}) == key(NEW)
    with pytest.raises(FileExistsError):
        new_secret("crm", tmp_path)


def test_a_missing_secret_is_told_with_the_remedy() -> None:
    """Which variable to set, and to what."""
    with pytest.raises(NoSecret, match=r"set HEADWATER_WEBHOOK_SECRET_CRM to whsec_\$\(openssl"):
        secrets_of("crm", NOWHERE, {})


@pytest.mark.parametrize("secret", ["hunter2", "whsec_hunter2", "whsec_aHVudGVyMg==", NEW[6:]])
def test_a_secret_of_another_form_is_refused_and_not_shown(secret: str) -> None:
    """Without the prefix, not base64, or too short to be one."""
    with pytest.raises(NoSecret) as refused:
        secrets_of("crm", NOWHERE, {"HEADWATER_WEBHOOK_SECRET_CRM": secret})
    assert secret.removeprefix("whsec_") not in str(refused.value)
