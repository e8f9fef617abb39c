"""Does the README say what the code does?"""

import re
import tomllib
from pathlib import Path

from msgspec.structs import asdict

from projections.parameters import Rules
from streams.settings import Settings
from streams.wanted import load_rules

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_every_setting_is_in_the_table() -> None:
    """With its default and its description, and no other is."""
    rows = re.findall(r"^\| `HEADWATER_(\w+)` \| (?:`(.*)`)? ?\| (.+) \|$", README, re.MULTILINE)
    assert rows == [
        (name.upper(), "" if field.default is None else str(field.default), field.description)
        for name, field in Settings.model_fields.items()
    ]


def test_the_lifecycle_file_has_the_defaults(tmp_path: Path) -> None:
    """Every key, the one without a default as a comment; copied to where it belongs, it is taken."""
    ((block, commented),) = re.findall(r"```toml\n(.*?)# (\w+) = [^\n]*\n```", README, re.DOTALL)
    rules = asdict(Rules())
    assert tomllib.loads(block) | {commented: None} == {k: v for k, v in rules.items() if k != "version"}
    (tmp_path / "lifecycle.toml").write_text(block, encoding="utf-8")
    taken = load_rules(Settings(data_dir=tmp_path))
    assert taken is not None
    assert asdict(taken) | {"version": ""} == rules | {"version": ""}
