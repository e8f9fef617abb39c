"""How is this engine set up? Read from HEADWATER_* variables; the command line's options override them."""

import re
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

KAFKA_SCHEME = "kafka://"
KEY = re.compile(r"[!-~]{16,}")  # printable ASCII, as a header carries it


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="HEADWATER_", frozen=True, hide_input_in_errors=True)

    data_dir: Path = Field(Path(".headwater"), description="Everything the embedded engine keeps.")
    log_url: str | None = Field(
        None,
        description="Which log to use: kafka://host:9092[,host:9092…], or sqlite:///PATH, the embedded one, "
        "which is the default (DATA_DIR/log.db).",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How Kafka's listener is secured."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="How to say who we are to Kafka."
    )
    kafka_username: str | None = Field(None, description="Kafka's user, for SASL.")
    kafka_password: SecretStr | None = Field(None, description="Kafka's password, for SASL.")
    kafka_ca_file: Path | None = Field(
        None, description="Authorities that Kafka's certificate may be of (PEM); by default the system's."
    )
    kafka_cert_file: Path | None = Field(None, description="Our certificate, where Kafka asks for one (PEM).")
    kafka_key_file: Path | None = Field(None, description="The key of that certificate (PEM).")
    worker_id: str | None = Field(
        None,
        description="This worker's name, the same at each start: Kafka then keeps its partitions for it "
        "while it restarts (static membership).",
    )
    session_seconds: float = Field(
        15.0, ge=1, description="How long a silent worker keeps its partitions, on Kafka."
    )
    history_url: str | None = Field(
        None,
        repr=False,  # it may hold a password
        description="Which ClickHouse to use, clickhouse://user:password@host:8123/database "
        "(clickhouses:// over TLS), one database a log; by default chDB in DATA_DIR/history.",
    )
    host: str = Field("127.0.0.1", description="Address to serve on; beyond loopback only with a key.")
    api_key: SecretStr | None = Field(
        None, description="What every call but the health checks is asked for; at least 16 characters."
    )
    api_url: str | None = Field(
        None,
        description="The API that commands ask, http://host:8000; by default the data directory's.",
    )
    server_names: str = Field(
        "", description="Names in a request's Host besides loopback's and HEADWATER_HOST, comma-separated."
    )
    registry_url: SecretStr | None = Field(
        None,
        description="A Confluent-compatible schema registry, https://USER:PASSWORD@HOST; "
        "by default the built-in one.",
    )
    port: int = Field(8000, description="Port to serve on.")
    clock: Literal["wall", "events"] = Field(
        "wall", description="Whether ticks of the wall clock move time, or only events do."
    )
    tick_seconds: float = Field(60.0, gt=0, description="How often the wall clock ticks.")
    currency: str = Field("USD", description="The base currency, fixed at the first start.")
    timezone: str = Field("UTC", description="Where a day of the reports begins: a name such as Asia/Tokyo.")
    lifecycle: Path | None = Field(
        None, description="The lifecycle rules; by default DATA_DIR/lifecycle.toml, if the file exists."
    )
    segments: Path | None = Field(
        None, description="The segments; by default DATA_DIR/segments.toml, if the file exists."
    )
    triggers: Path | None = Field(
        None, description="The triggers; by default DATA_DIR/triggers.toml, if the file exists."
    )
    targets: str = Field(
        "churn,order_30d,order_7d,redeem",
        description="What customers are scored for, comma-separated: names of "
        "projections/scoring/targets; empty for no scores.",
    )
    ask_days: int = Field(
        7, ge=1, le=366, description="Days between two questions about a customer, to learn from."
    )
    ask_percent: int = Field(
        100, ge=1, le=100, description="Percent of the customers who are asked about, to learn from."
    )
    champion: Literal["logistic", "cohorts"] = Field(
        "logistic",
        description="The model whose scores customers have; the others learn beside it as shadows. "
        "Another one learns from all examples again.",
    )
    discount_rate: float = Field(
        0.0, ge=0, le=1, description="A year's discount of the expected 12-month value: 0.1 is 10 %."
    )
    delivery_concurrency: int = Field(
        32, ge=1, le=1000, description="Calls that are under way to one endpoint of triggers, at most."
    )
    partitions: int = Field(4, ge=1, le=512, description="Partitions of a new data directory's keyed topics.")
    run_records: int | None = Field(
        None,
        ge=1,
        le=4000,
        description="Most records of one run of the batch lane; by default 1000 embedded, "
        "where the API waits for it, and 4000 on Kafka.",
    )

    @field_validator("api_key")
    @classmethod
    def _strong(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not KEY.fullmatch(key.get_secret_value()):
            raise PydanticCustomError(
                "weak_key",
                "needs at least 16 ASCII characters without spaces, as openssl rand -hex 32 prints",
            )
        return key

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise PydanticCustomError(
                "unknown_timezone", "is no time zone: name one such as Europe/Berlin or Asia/Tokyo"
            ) from error
        return name

    @property
    def scored_targets(self) -> tuple[str, ...]:
        """The names in `targets`."""
        return tuple(name.strip() for name in self.targets.split(",") if name.strip())

    @property
    def distributed(self) -> bool:
        """Whether the log is Kafka's."""
        return (self.log_url or "").startswith(KAFKA_SCHEME)

    @property
    def records_a_run(self) -> int:
        """`run_records`, or its default."""
        return self.run_records or (4_000 if self.distributed else 1_000)

    @property
    def log_path(self) -> Path:
        """Where the embedded log is; raises ValueError for a URL that is not sqlite's."""
        if self.log_url is None:
            return self.data_dir / "log.db"
        if self.distributed:
            raise ValueError(
                f"HEADWATER_LOG_URL is {self.log_url!r}, and on Kafka the engine is several processes: run "
                "headwater worker, archive, tick and api, or unset it for the embedded engine."
            )
        if not self.log_url.startswith("sqlite:///"):
            raise ValueError(
                f"HEADWATER_LOG_URL is {self.log_url!r}, which this engine cannot open: "
                "use sqlite:///PATH, kafka://host:9092, or leave it out."
            )
        return Path(self.log_url.removeprefix("sqlite:///"))
