"""Which kinds of customers are there, by how they buy, and how is each told in words?
---
title = "Clusters of customers"
group = "profiling"
chart = { kind = "bar", x = "cluster", y = ["share", "revenue_share"] }
[parameters]
clusters = { kind = "integer", default = 5, minimum = 2, maximum = 12, means = "How many clusters to make (k)." }
depth = { kind = "integer", default = 3, minimum = 1, maximum = 6, means = "How many steps the decision tree that describes each may have." }
[columns]
cluster = { unit = "count", means = "Number of the cluster, in order of revenue. k-means over the customers with an order whose net can be converted: logarithms of recency_days, orders, net and tenure_days, each less its mean and divided by its standard deviation; ten starts, fixed seed. The centres are learned from at most 20,000 customers, drawn by a hash of their ids; then every customer is counted to the nearest." }
description = { unit = "text", means = "The cluster in words: the path to a leaf of a decision tree that tells it from the others, learned on the same customers; the leaf with the best F1. net is in the base currency." }
described = { unit = "share", means = "How many of the cluster the words hold for, 0 to 1, of those learned from." }
precision = { unit = "share", means = "How many of those whom the words hold for are of the cluster, 0 to 1." }
customers = { unit = "customers", means = "Customers of the cluster." }
share = { unit = "share", means = "Of the customers in all clusters, 0 to 1." }
recency_days = { unit = "days", means = "Mean of the whole days since the last order." }
orders = { unit = "orders", means = "Mean number of orders, without cancelled ones." }
net = { unit = "money", means = "Mean of what a customer paid less refunds." }
tenure_days = { unit = "days", means = "Mean of the whole days since the first order." }
revenue = { unit = "money", means = "Net of all customers of the cluster." }
revenue_share = { unit = "share", means = "Of the net of all clusters." }
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from math import floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from history.reporting import Ask, CannotAnswer

SAMPLE = 20_000
SEED = 7
STARTS = 10
FEATURES = ("recency_days", "orders", "net", "tenure_days")
MONEY = FEATURES.index("net")
CUSTOMERS = """
    SELECT
        customer_id,
        intDiv(dateDiff('millisecond', max(placed_at), {as_of:DateTime64(3, 'UTC')}), 86400000) AS recency_days,
        count() AS orders,
        sum(toInt128(base_minor)) AS net,
        intDiv(dateDiff('millisecond', min(placed_at), {as_of:DateTime64(3, 'UTC')}), 86400000) AS tenure_days
    FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
    WHERE NOT cancelled
    GROUP BY customer_id
    HAVING net IS NOT NULL"""
DRAWN = f"""
SELECT recency_days, orders, toFloat64(customer.net) AS net, tenure_days
FROM ({CUSTOMERS}
) AS customer
ORDER BY cityHash64(customer_id), customer_id
LIMIT {SAMPLE}
"""
COUNTED = f"""
WITH
    arrayMap(
        (value, mean, scale) -> (log1p(greatest(0, value)) - mean) / scale,
        [toFloat64(recency_days), toFloat64(orders), toFloat64(assumeNotNull(net)), toFloat64(tenure_days)],
        JSONExtract({{means:String}}, 'Array(Float64)'),
        JSONExtract({{scales:String}}, 'Array(Float64)')
    ) AS place,
    arrayMap(
        centre -> L2SquaredDistance(centre, place), JSONExtract({{centres:String}}, 'Array(Array(Float64))')
    ) AS distances
SELECT
    indexOf(distances, arrayMin(distances)) AS cluster,
    count() AS customers,
    avg(recency_days) AS mean_recency_days,
    avg(orders) AS mean_orders,
    avg(tenure_days) AS mean_tenure_days,
    toString(sum(net)) AS revenue
FROM ({CUSTOMERS}
)
GROUP BY cluster
ORDER BY sum(net) DESC, cluster
"""
Numbers = NDArray[np.float64]
Held = NDArray[np.bool_]


class Words(NamedTuple):
    """What a path of the tree says of a cluster, and how true that is."""

    text: str
    described: float
    precision: float


class Step(NamedTuple):
    feature: int
    above: bool  # more than the threshold, else at most
    threshold: int


def report(ask: Ask, *, clusters: int, depth: int, **_: object) -> Mapping[str, Sequence[object]]:
    drawn = ask(DRAWN)
    known = np.column_stack([drawn.column(name).to_numpy().astype(np.float64) for name in FEATURES])
    known = known[np.lexsort(known.T)]  # in an order that says nothing of the hash
    different = len(np.unique(known, axis=0)) if len(known) else 0
    if different < clusters:
        raise CannotAnswer(
            f"needs at least {clusters} customers who bought differently for {clusters} clusters: "
            f"there are {different}."
        )
    scaler = StandardScaler()
    places = scaler.fit_transform(np.log1p(np.maximum(known, 0)))
    with threadpool_limits(1):  # sums in one order: the same answer each time
        means = KMeans(clusters, n_init=STARTS, random_state=SEED, tol=0).fit(places)
    digits = ask("SELECT digits FROM base_currency").column(0)[0].as_py()
    words = [words_of(known, means.labels_ == label, depth, digits) for label in range(clusters)]
    counted = ask(
        COUNTED,
        means=json.dumps(scaler.mean_.tolist()),
        scales=json.dumps(scaler.scale_.tolist()),
        centres=json.dumps(means.cluster_centers_.tolist()),
    ).to_pylist()
    customers = sum(row["customers"] for row in counted)
    revenues = [int(row["revenue"]) for row in counted]
    revenue = sum(revenues)
    told = [words[row["cluster"] - 1] for row in counted]
    return {
        "cluster": list(range(1, len(counted) + 1)),
        "description": [each.text for each in told],
        "described": [each.described for each in told],
        "precision": [each.precision for each in told],
        "customers": [row["customers"] for row in counted],
        "share": [row["customers"] / customers for row in counted],
        "recency_days": [row["mean_recency_days"] for row in counted],
        "orders": [row["mean_orders"] for row in counted],
        "net": [round(brought / row["customers"]) for brought, row in zip(revenues, counted, strict=True)],
        "tenure_days": [row["mean_tenure_days"] for row in counted],
        "revenue": revenues,
        "revenue_share": [brought / revenue if revenue else None for brought in revenues],
    }


def words_of(known: Numbers, member: Held, depth: int, digits: int) -> Words:
    """The path to the leaf that tells the members from the others best, of a tree of their own."""
    tree = DecisionTreeClassifier(max_depth=depth, class_weight="balanced", random_state=SEED)
    tree.fit(known, member)
    leaf_of = tree.apply(known)
    steps = max(_paths(tree), key=lambda path: _agreement(leaf_of == path[0], member))[1]
    meant = _holds(steps, known)
    return Words(
        " and ".join(_said(step, digits) for step in steps),
        float(meant[member].mean()),
        float(member[meant].mean()),
    )


def _agreement(meant: Held, member: Held) -> float:
    """F1: the harmonic mean of how many members are meant and how many of those meant are members."""
    return 2 * float((meant & member).sum()) / float(meant.sum() + member.sum())


def _paths(tree: DecisionTreeClassifier) -> Iterator[tuple[int, tuple[Step, ...]]]:
    """Each leaf and the steps to it, of one feature at most one up and one down."""
    nodes = tree.tree_
    waiting: list[tuple[int, tuple[Step, ...]]] = [(0, ())]
    while waiting:
        node, steps = waiting.pop()
        if nodes.children_left[node] == nodes.children_right[node]:
            yield node, steps
            continue
        # features are whole numbers: more than 3.5 is more than 3
        feature, threshold = int(nodes.feature[node]), floor(nodes.threshold[node])
        for above, child in ((False, nodes.children_left[node]), (True, nodes.children_right[node])):
            waiting.append((int(child), _narrowed(steps, Step(feature, above, threshold))))


def _narrowed(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    """With the step, in place of a wider one."""
    wider = [other for other in steps if other[:2] == step[:2]]
    return (*(other for other in steps if other not in wider), step)


def _holds(steps: Sequence[Step], known: Numbers) -> Held:
    held = np.ones(len(known), dtype=bool)
    for feature, above, threshold in steps:
        held &= known[:, feature] > threshold if above else known[:, feature] <= threshold
    return held


def _said(step: Step, digits: int) -> str:
    amount = Decimal(step.threshold).scaleb(-digits) if step.feature == MONEY else step.threshold
    return f"{FEATURES[step.feature]} {'>' if step.above else '<='} {amount}"
