"""How is the engine doing, in numbers for Prometheus?"""

import time
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._requests = Histogram(
            "headwater_request_seconds",
            "Time until an answer began, by call.",
            ("method", "path", "status"),
            buckets=SECONDS,
            registry=self._registry,
        )
        self.accepted = Counter(
            "headwater_events_accepted", "Events appended through the API.", registry=self._registry
        )
        self._lag = Gauge(
            "headwater_lag_records",
            "Records on the log that a follower has not taken in.",
            ("follower", "partition"),
            registry=self._registry,
        )
        self._quality = Gauge(
            "headwater_model_quality",
            "Measures of a model over the examples of the last 90 days.",
            ("target", "model", "measure"),
            registry=self._registry,
        )
        self._failures = Gauge(
            "headwater_model_failures",
            "How often a model raised, or answered with what is no probability.",
            ("target", "model"),
            registry=self._registry,
        )
        self._drifts = Gauge(
            "headwater_model_drifts",
            "How often an input of the models or the champion's predictions left what was usual.",
            ("target",),
            registry=self._registry,
        )
        self._deliveries = Gauge(
            "headwater_deliveries",
            "Messages of a trigger that are pending, or were abandoned, by why.",
            ("trigger", "state"),
            registry=self._registry,
        )
        self._attempts = Gauge(
            "headwater_delivery_outcomes",
            "What became of attempts of this process: succeeded, failed, or why it was abandoned.",
            ("outcome",),
            registry=self._registry,
        )
        self._gauges = {
            name: Gauge(f"headwater_{name}", text, registry=self._registry)
            for name, text in (
                ("ready", "1 when caught up and not rebalancing."),
                ("customers", "Customers in the read model."),
                ("events_folded", "Events of customers folded, repeats not counted."),
                ("stream_time_seconds", "The least stream time of the partitions, since 1970."),
                ("live_followers", "Open connections to /live."),
                ("endpoints_open", "Endpoints of triggers that are left alone because they fail."),
            )
        }

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        self._requests.labels(method, path, status).observe(seconds)

    def lag(self, follower: str, lag: Mapping[str, int]) -> None:
        for partition, records in lag.items():
            self._lag.labels(follower, partition).set(records)

    def models(
        self,
        measures: Iterable[tuple[str, str, str, float]],
        failures: Mapping[tuple[str, str], int],
        drifts: Mapping[str, int],
    ) -> None:
        for target, number in drifts.items():
            self._drifts.labels(target).set(number)
        for target, model, measure, value in measures:
            self._quality.labels(target, model, measure).set(value)
        for (target, model), failed in failures.items():
            self._failures.labels(target, model).set(failed)

    def deliveries(
        self, counts: Mapping[tuple[str, str], int], outcomes: Mapping[str, int], endpoints_open: int
    ) -> None:
        self._deliveries.clear()
        for (trigger, state), number in counts.items():
            self._deliveries.labels(trigger, state).set(number)
        for outcome, number in outcomes.items():
            self._attempts.labels(outcome).set(number)
        self.set(endpoints_open=endpoints_open)

    def set(self, **values: float) -> None:
        for name, value in values.items():
            self._gauges[name].set(value)

    def text(self) -> bytes:
        return generate_latest(self._registry)


class Measure:
    """Time each request by its route; requests that no route answers share one label."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = scope.get("route")
                path = getattr(route, "path_format", None) or getattr(route, "path", None) or "other"
                self._metrics.observe(scope["method"], path, message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, observed)
