"""What does a report's file say? A question, TOML about parameters, columns and chart, then SQL or Python.

A report is one file in history/reports/. `.sql` has the front matter in its leading `-- ` lines, `.py` in its
docstring, which is read without running the file. Only to list it, or to ask it, is it imported.
"""

import ast
import importlib.util
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from history.report_values import BadParameter, Parameter

FOLDER = Path(__file__).parent / "reports"
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
ALWAYS = frozenset({"as_of", "timezone"})  # parameters of every report
RESERVED = ALWAYS | {"format"}
Group = Literal[
    "profiling",
    "persistency",
    "profitability",
    "performance",
    "prospecting",
    "product",
    "promotion",
    "rfm",
    "behaviour",
    "service",
]


class ReportColumn(Struct, frozen=True, forbid_unknown_fields=True):
    """One column of the answer; `unit` "money" is minor units of the base currency in the query."""

    name: str
    unit: str
    means: str


class Chart(Struct, frozen=True, forbid_unknown_fields=True):
    """How the answer is drawn; all but the kind are names of columns."""

    kind: Literal["bar", "line", "pie", "heatmap", "scatter", "funnel"]
    x: str
    y: str | list[str]
    series: str | None = None
    value: str | None = None


class Report(Struct, frozen=True):
    """A question that has an answer: SQL, or the file of a Python function."""

    name: str
    title: str
    question: str
    group: str
    parameters: tuple[Parameter, ...]
    columns: tuple[ReportColumn, ...]
    chart: Chart | None
    sql: str | None  # None for a function
    file: Path | None = None


class Broken(Struct, frozen=True):
    """A file that is no report, and why."""

    name: str
    error: str


class BadReport(ValueError):
    """The file is no report; the message is one sentence that says what to do."""


class Found(NamedTuple):
    reports: tuple[Report, ...]
    broken: tuple[Broken, ...]


class _FrontMatter(Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    group: Group
    columns: tuple[ReportColumn, ...]
    parameters: tuple[Parameter, ...] = ()
    chart: Chart | None = None


def discover() -> Found:
    """Every report of the folder, by name; a file that is none does not keep the others away.

    Queries are only read; `History.reports` has ClickHouse check them.
    """
    reports: list[Report] = []
    broken: list[Broken] = []
    for file in _files():
        try:
            report = read(file)
            if report.sql is None:
                function(file)
            reports.append(report)
        except BadReport as error:
            broken.append(Broken(file.name, str(error)))
    return Found(tuple(reports), tuple(broken))


def find(name: str) -> Report | None:
    """The report of that name; None where there is no such file. Raises BadReport."""
    return next((read(file) for file in _files() if file.stem == name), None)


def names() -> list[str]:
    return [file.stem for file in _files()]


def _files() -> list[Path]:
    found = (file for file in FOLDER.iterdir() if file.suffix in {".sql", ".py"})
    return sorted(file for file in found if not file.name.startswith("_"))


def read(file: Path) -> Report:
    """The report in the file; raises BadReport."""
    if not NAME.fullmatch(file.stem):
        raise BadReport(f"The name {file.stem!r} is none: use small letters, digits and _.")
    if file.suffix == ".sql" and file.with_suffix(".py").exists():
        raise BadReport(f"There is {file.stem}.py too: give one of them another name.")
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".sql":
            head, sql = _split(text)
            return parse(file.stem, head, sql=sql, file=file)
        tree = ast.parse(text)
        report = parse(file.stem, ast.get_docstring(tree) or "", sql=None, file=file)
        _check_function(tree, report)
        return report
    except BadReport:
        raise
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise BadReport(f"The file cannot be read ({error}): correct it.") from error


def function(file: Path) -> Callable[..., Mapping[str, Sequence[object]]]:
    """What answers a report in Python; raises BadReport where its file fails as it is imported."""
    try:
        now = file.stat()
        return _imported(file, now.st_mtime_ns, now.st_size)
    except (Exception, SystemExit) as error:
        told = f"{type(error).__name__}: {error}"[:500]
        raise BadReport(f"The file fails as it is imported ({told}): correct it.") from error


@lru_cache(maxsize=256)
def _imported(file: Path, *_: int) -> Callable[..., Mapping[str, Sequence[object]]]:
    """Once for each version of a file."""
    spec = importlib.util.spec_from_file_location(f"history.reports.{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.report  # type: ignore[no-any-return]


def parse(name: str, head: str, *, sql: str | None, file: Path | None = None) -> Report:
    """The report with this front matter; raises BadReport."""
    question, line, toml = head.partition("\n---\n")
    if not line:
        raise BadReport("The front matter is missing: begin with the question, a line ---, then TOML.")
    question = " ".join(question.split())
    if not question.endswith("?"):
        raise BadReport(f"The first line {question[:80]!r} is no question: end it with a question mark.")
    if sql is not None and not sql.strip():
        raise BadReport("The query is missing: write a SELECT after the front matter.")
    try:
        told = msgspec.convert(_with_names(tomllib.loads(toml)), _FrontMatter)
        for parameter in told.parameters:
            parameter.check()
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, BadParameter) as error:
        raise BadReport(f"The front matter is wrong: {error}.") from error
    _check_names(told)
    return Report(
        name, told.title, question, told.group, told.parameters, told.columns, told.chart, sql, file
    )


def _split(text: str) -> tuple[str, str]:
    """The leading comment without its dashes, and the query after it."""
    lines = text.splitlines()
    end = next((at for at, line in enumerate(lines) if not line.startswith("--")), len(lines))
    head = "\n".join(line.removeprefix("--").removeprefix(" ") for line in lines[:end])
    return head, "\n".join(lines[end:]).strip()


def _with_names(toml: dict[str, Any]) -> dict[str, Any]:
    """The TOML with its tables of parameters and columns as lists of what has a name."""
    named = {}
    for key in ("parameters", "columns"):
        table = toml.get(key, {})
        if not isinstance(table, dict) or not all(isinstance(each, dict) for each in table.values()):
            raise msgspec.ValidationError(f"[{key}] needs a line NAME = {{ … }} for each")
        named[key] = [{**each, "name": name} for name, each in table.items()]
    return toml | named


def _check_names(told: _FrontMatter) -> None:
    for given in [*(each.name for each in told.parameters), *(each.name for each in told.columns)]:
        if not NAME.fullmatch(given):
            raise BadReport(f"The name {given!r} is none: use small letters, digits and _.")
    if not told.columns:
        raise BadReport("[columns] is missing: name what each column of the answer means.")
    for name in sorted(RESERVED & {parameter.name for parameter in told.parameters}):
        raise BadReport(f"Every report has the parameter {name!r}: leave it out.")
    if told.chart is not None:
        columns = {column.name for column in told.columns}
        ys = [told.chart.y] if isinstance(told.chart.y, str) else told.chart.y
        for drawn in (told.chart.x, *ys, told.chart.series, told.chart.value):
            if drawn is not None and drawn not in columns:
                raise BadReport(f"The chart names {drawn!r}: use columns, which are {_listed(columns)}.")


def _check_function(tree: ast.Module, report: Report) -> None:
    """There is a function `report` that takes what is declared, and nothing else."""
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "report"]
    if not found:
        raise BadReport("The function is missing: write def report(ask: Ask, *, …).")
    arguments = found[-1].args
    taken = {each.arg for each in (*arguments.args[1:], *arguments.kwonlyargs)}
    declared = {parameter.name for parameter in report.parameters}
    for name in sorted(taken - declared - ALWAYS):
        raise BadReport(f"report() takes {name!r}: declare it in [parameters].")
    if arguments.kwarg is None:
        for name in sorted((declared | ALWAYS) - taken):
            raise BadReport(f"report() does not take {name!r}: add it, or **_: object.")


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
