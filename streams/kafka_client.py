"""How is Kafka reached? By one set of options for every client, tried once, so that a refusal says why."""

import asyncio
import ssl
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError

from streams.log import LogUnavailable
from streams.settings import KAFKA_SCHEME, Settings

PROBE_S = 10.0


def servers(settings: Settings) -> list[str]:
    """The brokers that HEADWATER_LOG_URL names, host:port each; raises ValueError where it names none."""
    listed = (settings.log_url or "").removeprefix(KAFKA_SCHEME).strip("/").split(",")
    found = [server if ":" in server else f"{server}:9092" for server in listed if server]
    if not found or not all(server.rpartition(":")[2].isdigit() for server in found):
        raise ValueError(
            f"HEADWATER_LOG_URL is {settings.log_url!r}: name the brokers as kafka://host:9092[,host:9092…]."
        )
    return found


def connection(settings: Settings) -> dict[str, Any]:
    """The keyword arguments with which any of aiokafka's clients reaches the brokers."""
    protocol = settings.kafka_security_protocol
    password = settings.kafka_password
    options: dict[str, Any] = {"bootstrap_servers": servers(settings), "security_protocol": protocol}
    if protocol.endswith("SSL"):
        options["ssl_context"] = _tls(settings)
    if protocol.startswith("SASL"):
        if settings.kafka_username is None or password is None:
            raise ValueError(
                f"HEADWATER_KAFKA_SECURITY_PROTOCOL is {protocol}: "
                "set HEADWATER_KAFKA_USERNAME and HEADWATER_KAFKA_PASSWORD too."
            )
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = password.get_secret_value()
    return options


def _tls(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ca_file)
        if settings.kafka_cert_file is not None:
            context.load_cert_chain(settings.kafka_cert_file, settings.kafka_key_file)
    except OSError as error:
        raise ValueError(
            f"The TLS files cannot be used ({error}): correct HEADWATER_KAFKA_CA_FILE, _CERT_FILE, _KEY_FILE."
        ) from error
    return context


async def probe(connecting: dict[str, Any]) -> None:
    """Return once one of the brokers answers and lets us in; raises LogUnavailable with what each said."""
    options = dict(connecting)
    reasons = []
    for server in options.pop("bootstrap_servers"):
        host, _, port = server.rpartition(":")
        try:
            async with asyncio.timeout(PROBE_S):
                conn = await create_conn(host, int(port), request_timeout_ms=int(PROBE_S * 1000), **options)
            conn.close()
        except (OSError, KafkaError, TimeoutError) as error:
            reasons.append(f"{server}: {_reason(error)}")
        else:
            return
    raise LogUnavailable(
        f"No Kafka broker lets us in ({'; '.join(reasons)}): start it, or correct HEADWATER_LOG_URL "
        "and the HEADWATER_KAFKA_* settings."
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {PROBE_S:.0f} s"
    text = str(error) or type(error).__name__
    return "it wants other credentials" if "uthentication" in text or "SASL" in text.upper() else text
