"""How is this engine set up? Read from HEADWATER_* variables; the command line's options override them."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="HEADWATER_", frozen=True)

    data_dir: Path = Field(Path(".headwater"), description="Everything the embedded engine keeps.")
    log_url: str | None = Field(
        None, description="Which log to use; by default sqlite:///DATA_DIR/log.db, the embedded one."
    )
    history_url: str | None = Field(
        None, description="Which ClickHouse to use; by default chDB in DATA_DIR/history."
    )
    registry_url: SecretStr | None = Field(
        None,
        description="A Confluent-compatible schema registry, https://USER:PASSWORD@HOST; "
        "by default the built-in one.",
    )
    host: str = Field("127.0.0.1", description="Address to serve on; loopback only.")
    port: int = Field(8000, description="Port to serve on.")
    clock: Literal["wall", "events"] = Field(
        "wall", description="Whether ticks of the wall clock move time, or only events do."
    )
    tick_seconds: float = Field(60.0, gt=0, description="How often the wall clock ticks.")
    currency: str = Field("USD", description="The base currency, fixed at the first start.")
    lifecycle: Path | None = Field(
        None, description="The lifecycle rules; by default DATA_DIR/lifecycle.toml, if the file exists."
    )
    partitions: int = Field(4, ge=1, le=512, description="Partitions of a new data directory's keyed topics.")
    run_records: int = Field(1000, ge=1, le=1000, description="Most records of one run of the batch lane.")

    @property
    def log_path(self) -> Path:
        """Where the embedded log is; raises ValueError for a URL that is not sqlite's."""
        if self.log_url is None:
            return self.data_dir / "log.db"
        if not self.log_url.startswith("sqlite:///"):
            raise ValueError(
                f"HEADWATER_LOG_URL is {self.log_url!r}, which this engine cannot open: "
                "use sqlite:///PATH or leave it out."
            )
        return Path(self.log_url.removeprefix("sqlite:///"))
