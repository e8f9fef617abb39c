"""How does a model learn while it is judged? Each example is first a test, then a lesson (Dawid 1984).

An example arrives once its horizon has passed, also when its label was known sooner, in the order of the
horizons' ends. It is predicted by what the model knew when the question was asked, which is what it had
learned from examples whose horizon had ended by then; then it is learned. So nothing leaks backwards.
"""

import pickle
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from projections.scoring.drift import Drift
from projections.scoring.features import Values
from projections.scoring.models import CHAMPION, Inputs, Model, inputs, probability
from projections.scoring.quality import Quality, Tally
from projections.times import DAY_MS

LEARNED_AT_LEAST = 50  # examples, before a model is asked
KEPT_EVERY_MS = DAY_MS
SHADOWS_KEPT_EVERY_MS = 7 * DAY_MS  # trees are megabytes
STRAGGLE_MS = 35 * DAY_MS  # partitions go through the past apart from each other
ROLLING_DAYS = 90
WEEK_MS = 7 * DAY_MS


class Example(NamedTuple):
    """A question about a customer that has its answer. Times in ms."""

    customer_id: str
    asked_at: int
    until: int  # the end of the horizon
    values: Values  # features at `asked_at`
    label: bool


class Incident(NamedTuple):
    """What happened to a model that raised, or answered with what is no probability."""

    model: str
    reason: str
    is_off: bool  # a shadow is switched off; the champion goes on as it was when last kept


class Known(NamedTuple):
    """A model as it was once it had learned all that ended by `upto`."""

    upto: int
    pickled: bytes

    def model(self) -> Model:
        found: Model = pickle.loads(self.pickled)  # noqa: S301  # our own, of this process
        return found


class Contestant:
    """One model of one target: the one that learns, those that it was, and how good they were."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.is_off = False
        self.all_time = Tally()
        self.weeks: dict[int, Tally] = {}  # by the week in which the horizon ended
        self._known: deque[Known] = deque()
        self._asked: tuple[int, Model] | None = None  # the one of `_known` that was asked last

    def keep(self, upto: int, oldest: int) -> None:
        """Keep the model as of `upto`, and of older ones those that questions since `oldest` need."""
        while len(self._known) > 1 and self._known[1].upto <= oldest - STRAGGLE_MS:
            self._known.popleft()
        self._known.append(Known(upto, pickle.dumps(self.model)))

    def is_due(self, upto: int) -> bool:
        """Whether a shadow is to be kept again."""
        return self.newest is None or upto - self.newest.upto >= SHADOWS_KEPT_EVERY_MS

    def known_at(self, asked_at: int) -> Model | None:
        """The model as it was when it was asked; None before it had learned enough."""
        found = None
        for known in self._known:
            if known.upto > asked_at:
                break
            found = known
        if found is None:
            return None
        if self._asked is None or self._asked[0] != found.upto:
            self._asked = found.upto, found.model()
        return self._asked[1]

    def fall_back(self) -> None:
        """Be again what was kept last, if anything was."""
        if self.newest is not None:
            self.model = self.newest.model()

    @property
    def newest(self) -> Known | None:
        """As it was kept last."""
        return self._known[-1] if self._known else None

    def judge(self, example: Example, x: Inputs) -> float | None:
        """The prediction that was judged; None where too little was known yet."""
        known = self.known_at(example.asked_at)
        if known is None:
            return None
        predicted = probability(known, x)
        week = example.until // WEEK_MS
        if week not in self.weeks:
            self.weeks[week] = Tally()
        self.weeks[week].add(predicted, example.label)
        self.all_time.add(predicted, example.label)
        return predicted

    def rolling(self, now: int) -> Quality:
        """Of the examples that ended within the last 90 days, by whole weeks."""
        tally = Tally()
        for week, one in self.weeks.items():
            if (week + 1) * WEEK_MS > now - ROLLING_DAYS * DAY_MS:
                tally += one
        return tally.quality()


class Prequential:
    """The models of one target on the same examples: the champion, which is shown, and its shadows."""

    def __init__(
        self,
        models: Mapping[str, Callable[[], Model]],
        champion: str = CHAMPION,
        least: int = LEARNED_AT_LEAST,
    ) -> None:
        """`least` examples are learned before a model is kept, and asked."""
        self._least = least
        self.contestants = {name: Contestant(make()) for name, make in models.items()}
        self.champion = champion
        self.drift = Drift()
        self.drifted: list[str] = []  # since it was asked for last
        self.learned = 0
        self.kept_at = 0  # the day as of which the models were kept last, ms
        self._latest = 0  # the latest day of which anything is learned

    @property
    def kept(self) -> Model | None:
        """The champion as it was kept last."""
        known = self.contestants[self.champion].newest
        return None if known is None else known.model()

    def learn(self, example: Example) -> list[Incident]:
        """Judge each model by the example, then teach it; what went wrong with any of them.

        All are judged or none, so that they can be compared: by what straggles too far, none.
        A shadow that fails is switched off. The champion falls back to what it was when it was last kept.
        """
        moment = example.until // KEPT_EVERY_MS * KEPT_EVERY_MS
        is_to_be_kept = self.learned >= self._least and moment > self._latest
        self._latest = max(self._latest, moment)
        x = inputs(example.values)
        is_known = self.contestants[self.champion].known_at(example.asked_at) is not None
        incidents, predicted = [], None
        for name, contestant in self._on.items():
            try:
                if is_to_be_kept and (name == self.champion or contestant.is_due(moment)):
                    probability(contestant.model, x)  # what cannot answer is not kept
                    contestant.keep(moment, example.asked_at)
                judged = contestant.judge(example, x) if is_known else None
                predicted = judged if name == self.champion else predicted
                contestant.model.learn_one(x, example.label)
            except Exception as error:  # noqa: BLE001  # whatever a model raises
                contestant.is_off = name != self.champion
                contestant.fall_back()
                incidents.append(Incident(name, repr(error), contestant.is_off))
        self.kept_at = max(self.kept_at, moment if is_to_be_kept else 0)
        self.learned += 1
        self.drifted += self.drift.add(example.until // DAY_MS, x, predicted)
        return incidents

    def take_drifted(self) -> tuple[str, ...]:
        """What drifted since this was asked last."""
        drifted, self.drifted = tuple(self.drifted), []
        return drifted

    @property
    def _on(self) -> dict[str, Contestant]:
        return {name: each for name, each in self.contestants.items() if not each.is_off}
