"""Do imports point one way: schemas ← projections ← {streams, history} ← api ← cli?"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MAY_IMPORT = {
    "schemas": set(),
    "projections": {"schemas"},
    "streams": {"schemas", "projections"},
    "history": {"schemas", "projections"},
    "api": {"schemas", "projections", "streams", "history"},
    "cli": {"schemas", "projections", "streams", "history", "api"},
}


def imports(source: str) -> set[str]:
    """The project's packages that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names} & MAY_IMPORT.keys()


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    """No module imports a layer above its own, or beside it."""
    modules = list((ROOT / package).rglob("*.py"))
    assert modules
    wrong = {
        f"{module.relative_to(ROOT)} imports {name}"
        for module in modules
        for name in imports(module.read_text("utf-8")) - MAY_IMPORT[package] - {package}
    }
    assert not wrong


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_module_begins_with_what_it_answers(package: str) -> None:
    """The first line of every module is its docstring."""
    for module in (ROOT / package).rglob("*.py"):
        text = module.read_text("utf-8")
        assert text.startswith('"""'), module.relative_to(ROOT)


def test_an_import_against_the_direction_is_seen() -> None:
    """The check finds imports inside functions and of submodules."""
    assert imports("def f():\n    from api.app import create_api\nimport cli.main, json") == {"api", "cli"}
