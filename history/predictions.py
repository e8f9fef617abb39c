"""What was predicted of a customer, and what came of it? The questions that have their answer."""

from clickhouse_connect.driver.client import Client
from msgspec import Struct

LATEST = """
SELECT target, about, toUnixTimestamp64Milli(asked_at), toUnixTimestamp64Milli(ends_at), features_version,
  features, probability, model_offset, label, asked_partition, asked_offset
FROM ExampleMatured FINAL
WHERE customer_id = {customer_id:String} AND target = {target:String}
  AND asked_at < fromUnixTimestamp64Milli({before_ms:Int64}, 'UTC')
  AND ({about:String} = '' OR about = {about:String})
ORDER BY asked_at DESC, asked_offset DESC
LIMIT 1
"""


class Prediction(Struct, frozen=True):
    """A question as it was asked. Times in ms; `label` is None while nobody may know."""

    target: str
    about: str
    asked_at: int
    ends_at: int
    features_version: int
    features: bytes
    probability: float | None
    model_offset: int | None
    label: bool | None
    asked_partition: int
    asked_offset: int


def order_of(prediction: Prediction) -> tuple[int, int]:
    """Which of a customer's predictions is the later one."""
    return prediction.asked_at, prediction.asked_offset


def latest(client: Client, customer_id: str, target: str, about: str, before_ms: int) -> Prediction | None:
    """The last one of the target that was asked before the moment, of those whose horizon has passed.

    `about`: what it was asked about; empty for anything.
    """
    asked = {"customer_id": customer_id, "target": target, "about": about, "before_ms": before_ms}
    with_bytes: dict[str, str | dict[str, str]] = {"features": "bytes"}
    found = client.query(LATEST, parameters=asked, column_formats=with_bytes)
    return None if not found.result_rows else Prediction(*found.result_rows[0])
