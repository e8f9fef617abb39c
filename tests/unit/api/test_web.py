"""Are the dashboard's files what they claim to be, and its pages safe to open?"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.keys import Key
from api.web import routes, sign_in

WEB = Path(routes.__file__).parent
VENDOR = WEB / "static" / "vendor"
PAGES = [
    "/",
    "/ui/customers/00004",
    "/ui/reports",
    "/ui/reports/new",
    "/ui/reports/cohort_retention",
    "/ui/sql",
]
PAGES += ["/ui/triggers", "/docs", "/sign-in"]
PACKAGE = re.compile(r"# (@?[\w./-]+) (\d[\w.]*) (MIT|Apache-2\.0|OFL-1\.1)")


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI(docs_url=None)
    app.state.key = Key("correct-horse-battery")
    app.include_router(routes.router)
    app.include_router(sign_in.router)
    routes.mount_static(app)
    with TestClient(app) as client:
        yield client


def test_vendored_files_are_the_ones_that_were_published() -> None:
    """Every vendored file has the digest listed under its package, version and licence; none is unlisted."""
    package = None
    listed: dict[str, str] = {}
    for line in (VENDOR / "SHA256SUMS").read_text("utf-8").splitlines()[1:]:
        if line.startswith("#"):
            package = PACKAGE.fullmatch(line)
            assert package, line
            continue
        digest, name = line.split("  ")
        assert package, line
        listed[name] = digest
    on_disk = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }
    assert on_disk == listed


def test_each_vendored_package_comes_with_its_licence() -> None:
    """MIT, Apache-2.0 and OFL all ask that their text goes with the files."""
    for package in filter(Path.is_dir, VENDOR.iterdir()):
        assert list(package.glob("LICENSE*")), package.name


@pytest.mark.parametrize("path", [*PAGES, "/static/js/dashboard.js"])
def test_pages_may_run_nothing_but_this_engines_files(client: TestClient, path: str) -> None:
    """The Content-Security-Policy has no 'unsafe-…' and no other host."""
    policy = client.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("template", sorted((WEB / "templates").glob("*.html")), ids=lambda path: path.name)
def test_templates_hold_no_script_and_no_style(template: Path) -> None:
    """The policy would block them: scripts and styles are files."""
    text = template.read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", text)


@pytest.mark.parametrize("path", PAGES)
def test_what_a_page_names_is_there(client: TestClient, path: str) -> None:
    """Each file that a page, a module or a stylesheet refers to is served."""
    todo = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', client.get(path).text))
    assert todo
    done: set[str] = set()
    while todo - done:
        name = min(todo - done)
        done.add(name)
        answer = client.get(name)
        assert answer.status_code == 200, name
        folder = name.rpartition("/")[0]
        if "/vendor/" in name:
            continue
        for relative in re.findall(r'(?:from "|import\("|url\(")(\.[^"]+)"', answer.text):
            todo.add(str((Path(folder) / relative).resolve()))


def test_a_customer_id_in_the_page_is_text(client: TestClient) -> None:
    """Markup in the path comes back escaped, with its slashes."""
    page = client.get("/ui/customers/a%2Fb%3Cscript%3Ealert(1)%3C%2Fscript%3E%22")
    assert "<script>alert" not in page.text
    assert "a/b&lt;script&gt;alert(1)&lt;/script&gt;&#34;" in page.text


@pytest.mark.parametrize("module", sorted((WEB / "static/js").glob("*.js")), ids=lambda path: path.name)
def test_a_script_begins_with_the_question_it_answers(module: Path) -> None:
    """As in Python modules; and no script builds markup from text."""
    text = module.read_text("utf-8")
    first_line = text.partition("\n")[0]
    assert first_line.startswith("/** ")
    assert "?" in first_line
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
    )
    assert len(text.splitlines()) <= 300
