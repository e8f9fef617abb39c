"""What did the benchmarks measure, against what was required?"""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NamedTuple

from rich.console import Console
from rich.table import Table

PACKAGES = ("faust-streaming", "rocksdict", "msgspec", "fastavro", "chdb", "clickhouse-connect", "fastapi")


class Row(NamedTuple):
    """One bar: `measured` holds if it is at least (or at most) `required`; None only reports."""

    bar: str
    required: float | None
    measured: float
    unit: str
    sense: Literal["at least", "at most"] = "at least"

    @property
    def holds(self) -> bool | None:
        if self.required is None:
            return None
        if self.sense == "at least":
            return self.measured >= self.required
        return self.measured <= self.required


def write(
    path: Path,
    rows: list[Row],
    packages: Sequence[str] = PACKAGES,
    others: Mapping[str, str] | None = None,
) -> None:
    """The rows as JSON, with the machine, the versions and the commit that gave them.

    `others` are versions of what is no Python package.
    """
    versions = {"python": platform.python_version()} | {name: version(name) for name in packages}
    document = {
        "machine": {"cpus": os.cpu_count(), "memory_gib": _memory_gib(), "system": platform.platform()},
        "versions": versions | dict(others or {}),
        "commit": _commit(),
        "rows": [
            {
                "bar": row.bar,
                "required": row.required,
                "sense": row.sense,
                "measured": round(row.measured, 3),
                "unit": row.unit,
                "holds": row.holds,
            }
            for row in rows
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")


def show(rows: list[Row]) -> None:
    """The rows as a table on standard output."""
    table = Table("bar", "required", "measured", "holds")
    for row in rows:
        required = "" if row.required is None else f"{row.sense} {row.required:,g} {row.unit}"
        holds = {True: "yes", False: "NO", None: "reported"}[row.holds]
        measured = f"{row.measured:,.0f}" if row.measured >= 1_000 else f"{row.measured:.3g}"
        table.add_row(row.bar, required, f"{measured} {row.unit}", holds)
    Console(width=140).print(table)


def _memory_gib() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
    )
    return asked.stdout.strip()
