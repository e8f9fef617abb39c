"""Is a fault in segments.toml or triggers.toml told with its file and line, and nothing else refused?"""

import pytest

from projections.triggers.files import MAX_BYTES, BadTriggers, parse, version_of

SEGMENTS = """[[segment]]
name = "big"
where = "orders.net > 100.0"
"""
TRIGGERS = """cap = { count = 3, days = 7 }

[[trigger]]
name = "win-back"
on = { change = "stage", to = ["at_risk", "dormant"] }
where = "orders.count >= 3"
action = { webhook = "https://example.org/hook?key=1", secret = "crm" }
consent = "email/marketing"
template = { tier = "traits.tier" }
holdout = 0.1
quiet_hours = { from = "21:00", to = "08:00" }
default_timezone = "Europe/Paris"
retract = true

[[trigger]]
name = "two"
on = { change = "segment", segment = "big", to = "in" }
action = { file = "x.jsonl" }
consent = "none"
holdout = 0
priority = 1
[trigger.cap]
count = 2
per = "day"
"""


def test_both_files_are_read_and_triggers_come_by_priority() -> None:
    """What is in force, in the order in which it is decided."""
    rules = parse(SEGMENTS, TRIGGERS)
    assert [each.name for each in rules.segments] == ["big"]
    assert [each.name for each in rules.triggers] == ["two", "win-back"]
    assert rules.cap is not None
    assert rules.cap.count == 3
    assert parse("", "") == parse("# nothing", "")


FAULTS = [
    ("holdout = 0.1\n", "", "triggers.toml:3: Object missing required field `holdout`"),
    ('consent = "none"\n', "", "triggers.toml:15: Object missing required field `consent`"),
    ('"at_risk"', '"at_rsk"', "triggers.toml:5: 'at_rsk' is no stage: use one of active"),
    ("orders.count >= 3", "orders.count >=", "triggers.toml:6: 'orders.count >=' is no CEL expression"),
    ("orders.count >= 3", "order.count >= 3", "triggers.toml:6: 'order' is not known of a customer: use"),
    ('"traits.tier"', '"trait.tier"', "triggers.toml:9: 'trait' is not known of a customer"),
    ("Europe/Paris", "Europe/Pari", "triggers.toml:12: 'Europe/Pari' is no time zone"),
    ('default_timezone = "Europe/Paris"\n', "", "triggers.toml:11: quiet hours need default_timezone"),
    ('from = "21:00"', 'from = "08:00"', "triggers.toml:11: quiet hours begin and end at one time"),
    ('from = "21:00"', 'from = "25:00"', "triggers.toml:11: Expected `str` matching"),
    ("https://", "http://", "triggers.toml:7: messages go over https alone"),
    ("https://example.org", "https://10.0.0.1", "triggers.toml:7: 10.0.0.1 is a private address"),
    ("https://example.org", "https://169.254.169.254", "triggers.toml:7: 169.254.169.254 is a private"),
    ("https://example.org", "https://[::ffff:10.0.0.1]", "triggers.toml:7: ::ffff:10.0.0.1 is a private"),
    ("https://example.org", "https://me:word@example.org", "triggers.toml:7: the URL holds a user"),
    ("https://example.org/hook?key=1", "ftp://example.org", "triggers.toml:7: 'ftp://example.org' is no URL"),
    ('= "x.jsonl"', '= "x.jsonl", topic = "headwater.messages"', "triggers.toml:18: an action is one of"),
    ('file = "x.jsonl"', 'file = "../log.db"', "triggers.toml:18: file '../log.db': name one in the data"),
    ('file = "x.jsonl"', 'topic = "other"', "triggers.toml:18: topic 'other' is not for messages"),
    ("https://example.org", "https://example.org:99999", "triggers.toml:7: Port out of range"),
    ("https://example.org", "https://" + "a" * 64 + ".org", "triggers.toml:7: .* is no name of a host"),
    (
        "https://example.org",
        "https://\N{CIRCLED DIGIT ONE}.example",
        "triggers.toml:7: .* is no name of a host",
    ),
    ('secret = "crm"', 'secret = "../crm"', "triggers.toml:7: Expected `str` matching"),
    ("count = 2", "count = 0", "triggers.toml:22: Expected `int` >= 1"),
    ("count = 3", "count = 63", "triggers.toml:1: the counts of all caps add up to 65"),
    ('per = "day"', 'per = "day"\ndays = 3', "triggers.toml:1: a cap is in days that roll or per day"),
    ('name = "two"', 'name = "win-back"', "triggers.toml:16: two are named 'win-back'"),
    ('segment = "big"', 'segment = "bog"', "triggers.toml:17: segment 'bog' is not in segments.toml"),
    ("retract = true", "retrakt = true", "triggers.toml:13: Object contains unknown field `retrakt`"),
    ("retract = true", 'max_age = "soon"', "triggers.toml:13: 'soon' is no duration: write 30m, 24h or 7d"),
    ("retract = true", 'goal = "Dance"', "triggers.toml:13: goal 'Dance' is no event of customers"),
    ('"email/marketing"', '"email"', "triggers.toml:8: consent 'email': write channel/purpose"),
    ('"email/marketing"', '"*/marketing"', "triggers.toml:8: consent '*/marketing': write channel/purpose"),
    ("priority = 1", "retract = true", "triggers.toml:17: only changes of stage are corrected"),
    ('name = "two"', 'name = "two', "triggers.toml: .*line 16"),
    ('change = "segment", segment = "big", to = "in"', 'change = "segment"', "triggers.toml:17: name what"),
]


@pytest.mark.parametrize(("right", "wrong", "said"), FAULTS)
def test_a_fault_is_told_with_its_line(right: str, wrong: str, said: str) -> None:
    """One wrong line, and the message names it and what to do."""
    assert right in TRIGGERS
    escaped = said if ".*" in said else said.translate({ord(c): f"\\{c}" for c in "()[]*?."})
    with pytest.raises(BadTriggers, match=escaped):
        parse(SEGMENTS, TRIGGERS.replace(right, wrong, 1))


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("orders.net", "nope", "segments.toml:3: 'nope' is not known"),
        ('name = "big"', 'name = "Big!"', "segments.toml:2: Expected `str` matching"),
        ("orders.net > 100.0", "'vip' in segments", "segments.toml:3: a segment cannot depend on segments"),
        ("where", "were", "segments.toml:3: Object contains unknown field `were`"),
    ],
)
def test_a_fault_of_a_segment_too(right: str, wrong: str, said: str) -> None:
    """Segments are checked like triggers."""
    with pytest.raises(BadTriggers, match=said):
        parse(SEGMENTS.replace(right, wrong, 1), "")


def test_a_file_that_is_too_long_is_refused() -> None:
    """An event on the log must hold both."""
    with pytest.raises(BadTriggers, match=r"segments\.toml: it has"):
        parse("#" * (MAX_BYTES + 1), "")


def test_a_version_is_of_both_files_and_the_clock() -> None:
    """Any of the three makes another version."""
    versions = {version_of(*each) for each in (("", "", "wall"), ("a", "", "wall"), ("", "a", "wall"))}
    assert len(versions | {version_of("", "", "events")}) == 4
