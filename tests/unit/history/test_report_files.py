"""Is a report's file read as it says, and one that is none told what is wrong with it?"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history import report_files
from history.report_files import BadReport, discover, find, parse, read

HEAD = """How many are there?
---
title = "How many"
group = "profiling"
chart = { kind = "bar", x = "what", y = ["many"] }
[parameters]
least = { kind = "integer", default = 1, minimum = 0, maximum = 9, means = "At least so many." }
[columns]
what = { unit = "text", means = "Of what." }
many = { unit = "count", means = "How many." }"""
SQL = "\n".join(f"-- {line}" for line in HEAD.splitlines()) + "\nSELECT 1 -- no front matter\nFROM events\n"
FUNCTION = "def report(ask, *, least, as_of, timezone):\n    return {}\n"
PYTHON = f'"""{HEAD}\n"""\n{FUNCTION}'
FAILING = f'"""{HEAD}\n"""\n%s\n{FUNCTION}'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where reports are looked for."""
    monkeypatch.setattr(report_files, "FOLDER", tmp_path)
    return tmp_path


def test_sql_has_its_front_matter_in_the_leading_comment(folder: Path) -> None:
    """What follows is the query."""
    (folder / "many.sql").write_text(SQL, "utf-8")
    report = read(folder / "many.sql")
    assert (report.name, report.title, report.group) == ("many", "How many", "profiling")
    assert report.question == "How many are there?"
    assert [(each.name, each.kind, each.default) for each in report.parameters] == [("least", "integer", 1)]
    assert [(each.name, each.unit) for each in report.columns] == [("what", "text"), ("many", "count")]
    assert report.chart is not None
    assert report.chart.y == ["many"]
    assert report.sql == "SELECT 1 -- no front matter\nFROM events"


def test_python_has_it_in_the_docstring_and_is_not_run(folder: Path) -> None:
    """What it says is known without it."""
    (folder / "many.py").write_text(FAILING % "raise SystemExit", "utf-8")
    report = read(folder / "many.py")
    assert (report.title, report.sql, report.file) == ("How many", None, folder / "many.py")


def test_a_broken_file_keeps_no_other_away(folder: Path) -> None:
    """It is listed with its error."""
    (folder / "__init__.py").write_text("")
    (folder / "notes.txt").write_text("no report")
    (folder / "good.sql").write_text(SQL, "utf-8")
    (folder / "also.py").write_text(PYTHON, "utf-8")
    (folder / "bytes.sql").write_bytes(b"\xff\xfe")
    (folder / "syntax.py").write_text("def", "utf-8")
    (folder / "Odd-name.sql").write_text(SQL, "utf-8")
    (folder / "bare.sql").write_text("SELECT 1", "utf-8")
    found = discover()
    assert [report.name for report in found.reports] == ["also", "good"]
    assert [each.name for each in found.broken] == ["Odd-name.sql", "bare.sql", "bytes.sql", "syntax.py"]
    assert all(each.error.endswith(".") for each in found.broken)
    assert find("good") is not None
    assert find("nobody") is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import nowhere", "(ModuleNotFoundError: No module named 'nowhere'): correct it."),
        ("1 / 0", "(ZeroDivisionError: division by zero): correct it."),
        ("raise SystemExit(3)", "(SystemExit: 3): correct it."),
        ("def", "invalid syntax"),
        ("\0", "null bytes"),
        ("(" * 5_000, "cannot be read"),
    ],
)
def test_a_file_that_fails_as_it_is_imported_is_broken(folder: Path, line: str, said: str) -> None:
    """The others are listed, and it is once it is corrected."""
    (folder / "also.sql").write_text(SQL, "utf-8")
    (folder / "many.py").write_text(FAILING % line, "utf-8")
    found = discover()
    assert [report.name for report in found.reports] == ["also"]
    assert [each.name for each in found.broken] == ["many.py"]
    assert said in found.broken[0].error
    (folder / "many.py").write_text(PYTHON, "utf-8")
    assert [report.name for report in discover().reports] == ["also", "many"]


def test_two_files_cannot_be_one_report(folder: Path) -> None:
    """The SQL is refused, the function stays."""
    (folder / "many.sql").write_text(SQL, "utf-8")
    (folder / "many.py").write_text(PYTHON, "utf-8")
    found = discover()
    assert [report.file for report in found.reports] == [folder / "many.py"]
    assert "many.py" in found.broken[0].error


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("?", ".", "is no question"),
        ("---", "--", "front matter is missing"),
        ("title =", "titel =", "unknown field `titel`"),
        ('title = "How many"\n', "", "missing required field `title`"),
        ('"profiling"', '"gossip"', "gossip"),
        ('kind = "bar"', 'kind = "radar"', "radar"),
        ('x = "what"', 'x = "who"', "The chart names 'who': use columns, which are many, what"),
        ('["many"]', '["much"]', "The chart names 'much'"),
        ('"integer"', '"whole"', "whole"),
        ("default = 1", "default = 10", "least must be at most 9, not '10'"),
        ("default = 1, ", "", "least has no default"),
        ("default = 1", "default = 'one'", "least must be a whole number"),
        ("least =", "as_of =", "Every report has the parameter 'as_of'"),
        ("least =", "format =", "Every report has the parameter 'format'"),
        ("least =", '"le st" =', "The name 'le st' is none"),
        ("[columns]", "[column]", "column"),
        ("many = {", "many = [", "front matter is wrong"),
        ('unit = "count", ', "", "missing required field `unit`"),
        ('unit = "count", ', 'unit = "count", mean = "x", ', "unknown field `mean`"),
    ],
)
def test_what_is_wrong_with_the_front_matter_is_told(before: str, after: str, said: str) -> None:
    """In one sentence, with the offending word."""
    assert before in HEAD
    with pytest.raises(BadReport) as told:
        parse("many", HEAD.replace(before, after), sql="SELECT 1")
    assert said in str(told.value)
    assert str(told.value).endswith(".")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("", "The function is missing"),
        ("def report(ask, *, as_of, timezone): ...", "does not take 'least'"),
        ("def report(ask, *, least, as_of): ...", "does not take 'timezone'"),
        ("def report(ask, *, least, most, **_): ...", "takes 'most': declare it"),
    ],
)
def test_a_function_takes_what_is_declared(folder: Path, function: str, said: str) -> None:
    """Nothing more and, but for **_, nothing less."""
    (folder / "many.py").write_text(f'"""{HEAD}\n"""\n{function}\n', "utf-8")
    with pytest.raises(BadReport, match=said):
        read(folder / "many.py")


def test_a_query_has_to_follow() -> None:
    """A front matter alone answers nothing."""
    with pytest.raises(BadReport, match="The query is missing"):
        parse("many", HEAD, sql=" \n")


@given(st.text(max_size=200), st.booleans())
def test_any_text_is_a_report_or_is_refused(text: str, after_question: bool) -> None:
    """There is no other way to fail."""
    head = f"Why?\n---\n{text}" if after_question else text
    with pytest.raises(BadReport):
        parse("any", head, sql="SELECT 1")
