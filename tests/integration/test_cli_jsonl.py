"""What does a file of events come to: its faults by line, its chunks from any row?"""

import json
from pathlib import Path

from cli import jsonl

NOW_MS = 1_800_000_000_000
ORDER = {"type": "OrderPlaced", "customer_id": "c", "order_id": "o", "amount": "1.00", "currency": "USD"}


def written(path: Path, *texts: str) -> Path:
    path.write_text("".join(f"{text}\n" for text in texts), "utf-8")
    return path


def checked(path: Path) -> jsonl.Checked:
    *_, result = jsonl.check(path, NOW_MS)
    assert isinstance(result, jsonl.Checked)
    return result


def test_faults_name_their_line_and_field(tmp_path: Path) -> None:
    """Blank lines count as lines, so that an editor finds the place."""
    lines = [json.dumps(ORDER), "", json.dumps(ORDER | {"amount": "x"}), "{", '{"type": "Foo"}', "[]"]
    faults = checked(written(tmp_path / "f", *lines)).faults
    assert [fault.partition(":")[0] for fault in faults] == ["line 3", "line 4", "line 5", "line 6"]
    assert "amount" in faults[0]
    assert "not JSON" in faults[1]
    assert "type" in faults[2]
    assert faults[3].startswith("line 6: must be a JSON object")


def test_not_a_number_is_no_json(tmp_path: Path) -> None:
    """What the API refuses, a file may not smuggle in."""
    line = '{"type": "SurveyAnswered", "customer_id": "c", "score": NaN}'
    assert "not JSON" in checked(written(tmp_path / "f", line)).faults[0]


def test_a_key_that_stands_twice_is_a_fault(tmp_path: Path) -> None:
    """As in a body that is posted."""
    line = json.dumps(ORDER).replace("}", ', "order_id": "p"}')
    assert 'the key "order_id" stands twice' in checked(written(tmp_path / "f", line)).faults[0]


def test_text_that_is_not_utf8_is_a_fault(tmp_path: Path) -> None:
    """Bytes of another encoding are named by their line."""
    (tmp_path / "f").write_bytes(b'{"type": "PageViewed", "customer_id": "\xe9"}\n')
    assert checked(tmp_path / "f").faults[0].startswith("line 1: not JSON")


def test_a_line_over_the_limit_is_a_fault(tmp_path: Path) -> None:
    """It would not fit into one request."""
    faults = checked(written(tmp_path / "f", " " * jsonl.CHUNK_BYTES + "{}")).faults
    assert "split the event" in faults[0]


def test_only_the_first_faults_are_kept(tmp_path: Path) -> None:
    """A file of another kind does not fill the terminal."""
    assert len(checked(written(tmp_path / "f", *["{"] * 100)).faults) == jsonl.MOST_FAULTS


def test_chunks_hold_every_row_once(tmp_path: Path) -> None:
    """Within the API's limits, in the order of the file, without blank lines."""
    lines = [text for n in range(1_234) for text in ("", json.dumps(ORDER | {"order_id": str(n)}))]
    file = written(tmp_path / "f", *lines)
    chunks = list(jsonl.chunks(file, name="n", after_row=0))
    assert [event["order_id"] for chunk in chunks for event in chunk] == [str(n) for n in range(1_234)]
    assert all(len(chunk) <= jsonl.CHUNK_EVENTS for chunk in chunks)
    assert checked(file).rows == 1_234


def test_chunks_stay_below_the_size_of_a_request(tmp_path: Path) -> None:
    """Long events make short chunks."""
    lines = [json.dumps({"type": "CustomEvent", "name": "x" * 4_000})] * 400
    for chunk in jsonl.chunks(written(tmp_path / "f", *lines), name="n", after_row=0):
        assert len(json.dumps(chunk)) < 1 << 20


def test_ids_are_the_same_from_any_row(tmp_path: Path) -> None:
    """A resumed load gives a row the id that an earlier run gave it."""
    file = written(tmp_path / "f", *[json.dumps(ORDER)] * 5)
    [whole] = jsonl.chunks(file, name="n", after_row=0)
    [rest] = jsonl.chunks(file, name="n", after_row=3)
    assert rest == whole[3:]
    assert len({str(event["event_id"]) for event in whole}) == 5


def test_ids_are_of_the_load_and_the_row(tmp_path: Path) -> None:
    """Another name's are others, and rows that are added, or blank lines, leave those before as they were."""
    [events] = jsonl.chunks(written(tmp_path / "f", *[json.dumps(ORDER)] * 2), name="n", after_row=0)
    [grown] = jsonl.chunks(written(tmp_path / "g", "", *[json.dumps(ORDER)] * 3), name="n", after_row=0)
    [other] = jsonl.chunks(tmp_path / "f", name="m", after_row=0)
    assert grown[:2] == events
    assert not {str(event["event_id"]) for event in events} & {str(event["event_id"]) for event in other}


def test_the_digest_is_of_rows(tmp_path: Path) -> None:
    """A last line without its end, blank lines and Windows' line ends are the same rows; other text not."""
    file = written(tmp_path / "f", "{}", "[]")
    assert checked(file).digest == jsonl.digest_of_first(file, 2)
    (tmp_path / "g").write_bytes(b"{}\r\n\r\n []")
    assert checked(tmp_path / "g").digest == checked(file).digest
    assert jsonl.digest_of_first(written(tmp_path / "h", "{}", "[]", "1"), 2) == checked(file).digest
    assert checked(written(tmp_path / "i", "{}[]")).digest != checked(file).digest


def test_ids_of_the_file_are_kept(tmp_path: Path) -> None:
    """An event that has an id keeps it."""
    event_id = "11111111-1111-4111-8111-111111111111"
    [[event]] = jsonl.chunks(
        written(tmp_path / "f", json.dumps(ORDER | {"event_id": event_id})), name="n", after_row=0
    )
    assert event["event_id"] == event_id
