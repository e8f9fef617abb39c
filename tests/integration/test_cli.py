"""Do the commands work as a user types them, with a server and without?"""

import json
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.browser.harness import KEY, Server
from tests.headwater import ROOT, ask, environment, headwater, start

STOPPED_WITHIN_S = 30
SHOWN_WITHIN_S = 30
ORDER = {"type": "OrderPlaced", "amount": "12.50", "currency": "USD"}


def written(path: Path, orders: int) -> Path:
    lines = [ORDER | {"customer_id": f"c{n % 7}", "order_id": str(n)} for n in range(orders)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory that a server holds, with 1,200 orders of 7 customers."""
    folder = tmp_path_factory.mktemp("served")
    server = Server(folder / "data")
    try:
        server.start()
        ask("events", "load", written(folder / "mine.jsonl", 1_200), "--data-dir", folder / "data")
        deadline = time.monotonic() + SHOWN_WITHIN_S
        while server.get("/summary")["events"] != 1_200:  # loaded is on the log; it shows a moment later
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield folder / "data"
    finally:
        server.stop()


def test_help_lists_the_commands() -> None:
    """What there is to do is told without an engine."""
    out, _ = ask("--help")
    for command in ("demo", "serve", "sql", "customer", "events", "rfm", "doctor", "rebuild"):
        assert command in out


@pytest.mark.parametrize("command", ["sql", "customer", "doctor", "rebuild", "events", "rfm"])
def test_a_directory_without_an_engine_is_refused(tmp_path: Path, command: str) -> None:
    """A mistyped directory is not silently created."""
    words = {
        "sql": ["sql", "select 1"],
        "customer": ["customer", "c"],
        "events": ["events", "tail"],
        "rfm": ["rfm", "calibrate"],
    }
    _, err = ask(*words.get(command, [command]), "--data-dir", tmp_path / "none", expect=2)
    assert "There is no engine in" in err
    assert not (tmp_path / "none").exists()


def test_a_loaded_file_shows_in_a_customer(served: Path) -> None:
    """The command prints what the API answers."""
    customer = json.loads(ask("customer", "c3", "--data-dir", served)[0])
    assert customer["orders"]["count"] == len(range(3, 1_200, 7))
    assert customer["lifecycle"]["stage"] == "active"


def test_an_unknown_customer_is_refused_in_one_sentence(served: Path) -> None:
    """No traceback, and exit 2."""
    _, err = ask("customer", "nobody", "--data-dir", served, expect=2)
    assert err.startswith("headwater: No event names the customer 'nobody'")
    assert "Traceback" not in err


def test_sql_prints_csv(served: Path) -> None:
    """For a pipe; what is archived within a second or two is waited for by asking again."""
    query = "select count() as orders, sum(amount_minor) as paid from OrderPlaced"
    answer = f"orders,paid\n1200,{1_200 * 12_50}\n"
    deadline = time.monotonic() + SHOWN_WITHIN_S
    while (out := ask("sql", query, "--format", "csv", "--data-dir", served)[0]) != answer:
        assert time.monotonic() < deadline, out
        time.sleep(0.2)


def test_sql_is_saved_and_run_again(served: Path) -> None:
    """A name stands for the statement that was saved under it last; an unknown one is refused."""
    where = ("--format", "csv", "--data-dir", served)
    assert ask("sql", "--save", "two", "select 1 + 1 as two", *where)[0] == "two\n2\n"
    assert ask("sql", "--saved", "two", *where)[0] == "two\n2\n"
    assert "use two" in ask("sql", "--saved", "tow", *where, expect=2)[1]
    assert "Give a statement" in ask("sql", *where, expect=2)[1]


def test_sql_that_writes_is_refused(served: Path) -> None:
    """The refusal is the API's sentence."""
    _, err = ask("sql", "drop table OrderPlaced", "--data-dir", served, expect=2)
    assert err.startswith("headwater: ")


def test_tail_prints_the_newest_events_one_a_line(served: Path) -> None:
    """As JSON objects that say where they lie."""
    out, _ = ask("events", "tail", "-n", "3", "--data-dir", served)
    lines = [json.loads(line) for line in out.splitlines()]
    assert len(lines) == 3
    assert all({"type", "event_id", "partition", "offset"} <= line.keys() for line in lines)


def test_help_of_sql_names_the_views() -> None:
    """What can be asked is told where one asks."""
    out, _ = ask("sql", "--help")
    for view in ("events", "orders", "stages", "transitions", "failed"):
        assert re.search(rf"\b{view}\b", out)


def test_tail_follows_until_it_is_stopped(served: Path, tmp_path: Path) -> None:
    """An event that comes later is printed; SIGINT ends it with exit 0."""
    process = start("events", "tail", "-n", "0", "--follow", "--data-dir", served)
    try:
        assert process.stdout is not None
        for attempt in range(100):  # the first may come before the tail is there
            line = {"type": "CustomEvent", "customer_id": "tailed", "name": f"n{attempt}"}
            (tmp_path / f"{attempt}.jsonl").write_text(json.dumps(line))
            ask("events", "load", tmp_path / f"{attempt}.jsonl", "--data-dir", served)
            if select.select([process.stdout], [], [], 0.5)[0]:
                break
        assert json.loads(process.stdout.readline())["customer_id"] == "tailed"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=STOPPED_WITHIN_S)
        assert process.returncode == 0
    finally:
        process.kill()


def test_a_second_load_appends_nothing(served: Path) -> None:
    """The log knows how far a file is loaded."""
    _, err = ask("events", "load", served.parent / "mine.jsonl", "--data-dir", served)
    assert "0 events loaded, 1200 were loaded before." in err


def test_a_renamed_file_is_refused_unless_it_is_asked_for_again(served: Path, tmp_path: Path) -> None:
    """Its rows are on the log; --again needs a name, and then counts them a second time."""
    path = tmp_path / "renamed.jsonl"
    line = json.dumps({"type": "CustomEvent", "customer_id": "twice", "name": "n"})
    (tmp_path / "first.jsonl").write_text(line)
    path.write_text(line + "\n")
    ask("events", "load", tmp_path / "first.jsonl", "--data-dir", served)
    _, err = ask("events", "load", path, "--data-dir", served, expect=2)
    assert err.startswith("headwater: These rows are loaded as 'first.jsonl' already, 1 of 1")
    _, err = ask("events", "load", path, "--again", "--data-dir", served, expect=2)
    assert "--name" in err
    _, err = ask("events", "load", path, "--again", "--name", "second", "--data-dir", served)
    assert err == "1 events loaded.\n"
    for _ in range(2):
        _, err = ask("events", "load", path, "--name", "second", "--data-dir", served)
        assert err == "0 events loaded, 1 were loaded before.\n"


def test_a_file_that_grew_is_loaded_from_its_first_new_line(served: Path, tmp_path: Path) -> None:
    """Each event once."""
    path = tmp_path / "grows.jsonl"
    lines = [json.dumps({"type": "CustomEvent", "customer_id": "grown", "name": f"n{n}"}) for n in range(3)]
    path.write_text("\n".join(lines[:2]))
    ask("events", "load", path, "--data-dir", served)
    path.write_text("\n".join(lines))
    _, err = ask("events", "load", path, "--data-dir", served)
    assert err == "1 events loaded, 2 were loaded before.\n"


@pytest.mark.parametrize("orders", [1_199, 1_201])
def test_a_changed_file_is_refused_with_the_remedy(served: Path, tmp_path: Path, orders: int) -> None:
    """Its rows would not continue those on the log; under another name they count again."""
    changed = written(tmp_path / "mine.jsonl", orders)
    changed.write_text(changed.read_text("utf-8").replace("12.50", "12.60"), "utf-8")
    _, err = ask("events", "load", changed, "--data-dir", served, expect=2)
    assert "from other rows" in err
    assert "each row without an event_id of its own counts again" in err


def test_a_load_is_given_up_by_the_name_that_the_doctor_tells(served: Path) -> None:
    """Its remedy, pasted, ends what it complained of."""
    event = {"type": "CustomEvent", "customer_id": "half", "name": "half"}
    chunk = {"digest": "0" * 64, "rows": 2, "first_row": 0, "events": [event]}
    address = json.loads((served / "server.json").read_bytes())["address"]
    httpx2.post(f"{address}/loads/half%20a%20file", json=chunk).raise_for_status()
    out, _ = ask("doctor", "--data-dir", served, expect=1)
    assert "BAD  every load is finished: 'half a file' is at row 1 of 2" in out
    remedy = shlex.split(re.findall(r"headwater (events load --give-up .*)\.", out)[0])
    _, err = ask(*remedy, "--data-dir", served)
    assert err == "half a file is given up: 1 of 2 events are loaded.\n"
    checks = httpx2.get(f"{address}/doctor").json()["checks"]
    assert all(check["ok"] for check in checks if check["what"] == "every load is finished")


def test_a_load_is_of_a_file_or_given_up(served: Path) -> None:
    """Neither, both, and a load that never was are refused with what to do."""
    for words in ((), (served.parent / "mine.jsonl", "--give-up", "x")):
        _, err = ask("events", "load", *words, "--data-dir", served, expect=2)
        assert err.endswith("give one.\n")
    _, err = ask("events", "load", "--give-up", "nobody", "--data-dir", served, expect=2)
    assert err.startswith("headwater: No load is called 'nobody'")


def test_a_file_with_a_fault_loads_nothing(served: Path, tmp_path: Path) -> None:
    """Each fault with its line; the valid lines are not appended either."""
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(ORDER | {"customer_id": "unseen", "order_id": "1"}) + '\n\n{"type": "Foo"}\n')
    _, err = ask("events", "load", path, "--data-dir", served, expect=2)
    assert "line 3: type:" in err
    ask("customer", "unseen", "--data-dir", served, expect=2)


def test_a_dry_run_appends_nothing(served: Path, tmp_path: Path) -> None:
    """It needs no engine at all."""
    path = written(tmp_path / "dry.jsonl", 3)
    _, err = ask("events", "load", path, "--dry-run", "--data-dir", tmp_path / "none")
    assert "3 events, all valid; nothing was appended." in err
    assert not (tmp_path / "none").exists()


def test_a_held_directory_is_refused_to_a_second_engine(served: Path) -> None:
    """serve, demo and rebuild need the directory for themselves: exit 2, naming the holder."""
    for command in (["serve", "--port", "0"], ["rebuild"]):
        _, err = ask(*command, "--data-dir", served, expect=2)
        assert re.search(r"in use by process \d+: stop it", err)


def test_a_port_in_use_is_refused_with_the_remedy(served: Path, tmp_path: Path) -> None:
    """Before anything is created."""
    port = json.loads((served / "server.json").read_bytes())["address"].rpartition(":")[2]
    _, err = ask("serve", "--port", port, "--data-dir", tmp_path / "data", expect=2)
    assert "choose another with --port" in err
    assert not (tmp_path / "data").exists()


def test_a_setting_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable, not a traceback."""
    monkeypatch.setenv("HEADWATER_PARTITIONS", "many")
    _, err = ask("serve", "--data-dir", tmp_path / "d", expect=2)
    assert err.startswith("headwater: HEADWATER_PARTITIONS: ")


def test_commands_show_the_key_that_they_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a server on every address, by loopback; without its key, or with another, they say what to set."""
    data_dir = tmp_path / "data"
    server = Server(data_dir, HEADWATER_API_KEY=KEY, HEADWATER_HOST="0.0.0.0")
    try:
        server.start()
        assert json.loads((data_dir / "server.json").read_bytes())["address"] == server.address
        for wrong in (None, "another-horse-battery"):
            if wrong:
                monkeypatch.setenv("HEADWATER_API_KEY", wrong)
            _, err = ask("sql", "select 1", "--data-dir", data_dir, expect=2)
            assert err.endswith("asks for a key: set HEADWATER_API_KEY to the server's key.\n")
        monkeypatch.setenv("HEADWATER_API_KEY", "no header\ncan carry")
        _, err = ask("sql", "select 1", "--data-dir", data_dir, expect=2)
        assert "set it to the server's key" in err
        monkeypatch.setenv("HEADWATER_API_KEY", KEY)
        ask("events", "load", written(tmp_path / "mine.jsonl", 3), "--data-dir", data_dir)
        assert ask("sql", "select 1 as one", "--format", "csv", "--data-dir", data_dir)[0] == "one\n1\n"
    finally:
        server.stop()
    out, _ = headwater("customer", "c2", "--data-dir", data_dir, HEADWATER_API_KEY=KEY)
    assert json.loads(out)["orders"]["count"] == 1


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_server_stops_in_order(tmp_path: Path, stop: signal.Signals) -> None:
    """Exit 0, without a traceback, also while someone follows; its address is taken back."""
    process = start("serve", "--port", "0", "--data-dir", tmp_path / "data")
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "event=serving" in line)
        with httpx2.stream("GET", line.strip().partition("address=")[2] + "/live") as live:
            assert live.status_code == 200
            process.send_signal(stop)
            _, err = process.communicate(timeout=STOPPED_WITHIN_S)
        assert process.returncode == 0, err
        assert "Traceback" not in err
    finally:
        process.kill()
    assert not (tmp_path / "data" / "server.json").exists()


def test_without_a_server_commands_open_the_directory_themselves(tmp_path: Path) -> None:
    """Load, read, rebuild, calibrate; and in the end all parts agree."""
    data_dir = tmp_path / "data"
    headwater("events", "load", written(tmp_path / "mine.jsonl", 30), "--data-dir", data_dir)
    headwater("rebuild", "--data-dir", data_dir)
    out, err = headwater("customer", "c3", "--data-dir", data_dir)
    assert json.loads(out)["orders"]["count"] == 4
    assert err == f"No server holds {data_dir}: opening the engine…\n"
    assert json.loads(headwater("rfm", "calibrate", "--data-dir", data_dir)[0])["f"]
    assert "BAD" not in headwater("doctor", "--data-dir", data_dir)[0]
    of_customers = headwater("events", "tail", "-n", "500", "--data-dir", data_dir)[0]
    everything = headwater("events", "tail", "-n", "500", "--all", "--data-dir", data_dir)[0]
    assert {json.loads(line)["type"] for line in of_customers.splitlines()} == {"OrderPlaced"}
    assert "BaseCurrencySet" in {json.loads(line)["type"] for line in everything.splitlines()}


def test_the_doctor_says_what_to_do(tmp_path: Path) -> None:
    """A history that lost its rows is named, with the remedy, and exit 1; following the remedy heals it."""
    data_dir = tmp_path / "data"
    headwater("events", "load", written(tmp_path / "mine.jsonl", 30), "--data-dir", data_dir)
    headwater("doctor", "--data-dir", data_dir)
    lose = f"connect('chdb://{data_dir / 'history'}', {{}}).command('TRUNCATE TABLE headwater.OrderPlaced')"
    subprocess.run(
        [sys.executable, "-c", f"from history.client import connect; {lose}"], cwd=ROOT, check=True
    )
    out, _ = headwater("doctor", "--data-dir", data_dir, expect=1)
    assert re.search(r"BAD +history has every event", out)
    assert "delete the folder history" in out
    shutil.rmtree(data_dir / "history")
    assert "BAD" not in headwater("doctor", "--data-dir", data_dir)[0]


def test_json_needs_the_end_of_the_load(tmp_path: Path) -> None:
    """An option that would do nothing is refused."""
    _, err = ask("demo", "--json", "--data-dir", tmp_path / "data", expect=2)
    assert "add --until-loaded" in err


def test_make_help_lists_the_targets() -> None:
    """The one way to run things."""
    make = subprocess.run(
        ["make", "help"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    for target in ("setup", "demo", "serve", "test", "lint", "bench", "clean-data"):
        assert re.search(rf"^  {target} ", make.stdout, re.MULTILINE)
