"""What must be true of CDNOW? Everything is computed again, with pandas, from the raw file."""

import lzma
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from io import BytesIO

import numpy as np
import pandas as pd

from cli.sample import cdnow

LAST_DAY = pd.Timestamp("1998-06-30")
STAGES = ("prospect", "new", "active", "at_risk", "dormant", "churned", "won_back")


@dataclass(frozen=True)
class Customer:
    orders: int
    net_minor: int
    last_on: str
    stage: str


@dataclass(frozen=True)
class Expected:
    """The whole file, seen on one day."""

    customers: int
    orders: int
    revenue: str
    stages: dict[str, int]
    by_customer: dict[str, Customer]
    boundaries: dict[str, list[object]]


@cache
def orders() -> pd.DataFrame:
    """customer, date, cds, amount_minor; one row an order, in the order of the file."""
    text = lzma.decompress((cdnow.files(cdnow.__name__) / "cdnow.txt.xz").read_bytes())
    names = ["customer", "date", "cds", "dollars"]
    frame = pd.read_csv(BytesIO(text), sep=r"\s+", names=names, skiprows=1, dtype=str)
    frame["date"] = pd.to_datetime(frame["date"], format="%Y%m%d")
    frame["amount_minor"] = (frame["dollars"].astype(float) * 100).round().astype(int)
    return frame


def stage(orders: int, silence_days: int, broken_silence_days: float) -> str:
    """The default rules, in the contract's order; `broken_silence_days` came before the last order."""
    if orders >= 2 and silence_days <= 90 and broken_silence_days > 180:
        return "won_back"
    if orders == 1 and silence_days <= 60:
        return "new"
    if orders >= 2 and silence_days <= 90:
        return "active"
    if silence_days <= 180:
        return "at_risk"
    return "dormant" if silence_days <= 365 else "churned"


@cache
def expected(on: pd.Timestamp = LAST_DAY) -> Expected:
    """What every answer must say on the day `on`, by the file's own dates."""
    frame = orders().sort_values(["customer", "date"], kind="stable")
    frame["gap"] = frame.groupby("customer")["date"].diff().dt.days
    each = frame.groupby("customer").agg(
        orders=("date", "size"), net=("amount_minor", "sum"), last=("date", "last"), gap=("gap", "last")
    )
    each["silence"] = (on - each["last"]).dt.days
    each["stage"] = [stage(*row) for row in zip(each["orders"], each["silence"], each["gap"], strict=True)]

    def percentiles(column: str) -> list[int]:
        return [int(n) for n in np.percentile(each[column], [20, 40, 60, 80], method="inverted_cdf")]

    counts = each["stage"].value_counts()
    return Expected(
        customers=len(each),
        orders=len(frame),
        revenue=dollars(int(frame["amount_minor"].sum())),
        stages={name: int(counts.get(name, 0)) for name in STAGES},
        by_customer={
            str(name): Customer(int(row.orders), int(row.net), f"{row.last:%Y-%m-%d}", str(row.stage))
            for name, row in each.iterrows()
        },
        boundaries={
            "r": percentiles("silence"),
            "f": percentiles("orders"),
            "m": [dollars(minor) for minor in percentiles("net")],
        },
    )


def dollars(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def day_of(as_of: str, shift_days: int) -> pd.Timestamp:
    """The day of the file's own dates that an `as_of` falls on."""
    moment = datetime.fromisoformat(as_of).astimezone(UTC)
    return pd.Timestamp(moment.date()) - pd.Timedelta(days=shift_days)


@cache
def lapses() -> pd.DataFrame:
    """customer, on: each time an active customer becomes at risk, 91 days after an order."""
    frame = orders().sort_values(["customer", "date"], kind="stable")
    each = frame.groupby("customer")["date"]
    frame["number"], frame["gap"] = each.cumcount() + 1, each.diff().dt.days
    frame["next"] = each.shift(-1)
    frame["on"] = frame["date"] + pd.Timedelta(days=91)
    lapsed = (frame["next"].isna() | (frame["next"] >= frame["on"])) & (frame["on"] <= LAST_DAY)
    was_active = (frame["number"] >= 2) & ~(frame["gap"] > 180)
    return frame.loc[lapsed & was_active, ["customer", "on"]]
