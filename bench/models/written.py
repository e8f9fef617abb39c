"""How do the results read? As tables in Markdown, a row a contestant."""

from collections.abc import Iterator, Sequence

from bench.models.judged import Contest, Interval


def written(contests: Sequence[Contest]) -> str:
    return "\n".join(line for one in contests for line in _section(one)) + "\n"


def _section(one: Contest) -> Iterator[str]:
    yield f"#### {one.dataset}, `{one.target}`, {one.cut}"
    yield f"{one.rows:,} rows, {one.base_rate:.1%} positive; {one.examples:,} examples had ended by then."
    yield ""
    yield "| | AUC | average precision | log-loss | ECE | AUC, silence ≤ 180 days |"
    yield "|---|---|---|---|---|---|"
    for name, judged in one.results.items():
        loss, ece = judged.log_loss, judged.ece
        yield (
            f"| {name} | {_interval(judged.auc)} | {_interval(judged.average_precision)} "
            f"| {_interval(loss) if loss else ''} | {'' if ece is None else f'{ece:.3f}'} "
            f"| {_interval(one.recent[name].auc)} |"
        )
    yield ""


def _interval(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})"
