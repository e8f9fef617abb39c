"""Does docs/triggers.md say what the rules can say, and are its examples rules?"""

import re
from pathlib import Path
from typing import get_args

import pytest
from msgspec import Struct

from projections.triggers.deciding import Verdict
from projections.triggers.expressions import compiled
from projections.triggers.facts import NAMES
from projections.triggers.files import parse
from projections.triggers.rules import Action, Cap, On, QuietHours, Segment, Trigger

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "triggers.md").read_text("utf-8")
EXAMPLES = dict(re.findall(r"```toml\n# (\w+\.toml)\n(.*?)```", TEXT, re.DOTALL))


def test_the_examples_are_rules() -> None:
    """Both files can be put in force as they stand."""
    rules = parse(EXAMPLES["segments.toml"], EXAMPLES["triggers.toml"])
    assert (len(rules.segments), len(rules.triggers)) == (2, 3)


@pytest.mark.parametrize("kind", [Segment, Trigger, On, Action, Cap, QuietHours])
def test_every_key_is_told(kind: type[Struct]) -> None:
    """What can be written can be looked up."""
    assert [key for key in kind.__struct_encode_fields__ if f"`{key}`" not in TEXT] == []


def test_every_variable_and_verdict_is_told() -> None:
    """An expression finds its names here, and a verdict its check."""
    assert [name for name in (*NAMES, *get_args(Verdict)) if f"`{name}`" not in TEXT] == []


@pytest.mark.parametrize("expression", re.findall(r'preview "([^"]+)"', TEXT))
def test_expressions_of_commands_compile(expression: str) -> None:
    """What the text has the reader type works."""
    assert compiled(expression).source == expression


def test_the_example_of_the_readme_can_be_put_in_force() -> None:
    """The file that the README applies is one of ours, and parses."""
    example = "docs/examples/first-order.toml"
    assert example in (ROOT / "README.md").read_text("utf-8")
    [trigger] = parse("", (ROOT / example).read_text("utf-8")).triggers
    assert trigger.action.webhook.endswith(":9000/")
