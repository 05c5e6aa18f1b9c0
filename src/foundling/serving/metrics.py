"""GET /metrics: counts and times of requests, and what the engines do, for Prometheus."""

from collections.abc import Iterator
from time import perf_counter

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foundling.serving.loading import Models, ServedLanguageModel
from foundling.serving.state import StateOf

router = APIRouter()
SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300)


@router.get("/metrics")
async def metrics(state: StateOf) -> Response:
    """All metrics, in Prometheus' text format."""
    return Response(generate_latest(state.registry), media_type=CONTENT_TYPE_LATEST)


class Monitor:
    """ASGI middleware that counts and times requests by path and status."""

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        self.app = app
        self.count = Counter(
            "foundling_requests", "Requests", ("method", "path", "status"), registry=registry
        )
        self.seconds = Histogram(
            "foundling_request_seconds",
            "Seconds until a response was complete",
            ("path",),
            buckets=SECONDS,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 499  # of a client that went away

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = perf_counter()
        try:
            await self.app(scope, receive, noting)
        finally:
            path = getattr(scope.get("route"), "path", "other")  # not what a client made up
            method = scope["method"] if path != "other" else "other"
            self.count.labels(method, path, status).inc()
            self.seconds.labels(path).observe(perf_counter() - started)


class EngineCollector(Collector):
    """The engines' counts, read when they are asked for."""

    def __init__(self, models: Models) -> None:
        self.models = models

    def collect(self) -> Iterator[Metric]:
        """One family for each count."""
        active = GaugeMetricFamily("foundling_streams", "Streams being generated", labels=("model",))
        waiting = GaugeMetricFamily("foundling_queue", "Requests waiting for a row", labels=("model",))
        generated = CounterMetricFamily("foundling_tokens", "Generated tokens", labels=("model",))
        prompt = CounterMetricFamily(
            "foundling_prompt_tokens",
            "Tokens of prompts that were computed, or known from earlier requests",
            labels=("model", "kind"),
        )
        for model in self.models.of_kind(ServedLanguageModel):
            stats = model.engine.stats()
            active.add_metric((model.name,), stats.active)
            waiting.add_metric((model.name,), stats.waiting)
            generated.add_metric((model.name,), stats.generated)
            prompt.add_metric((model.name, "computed"), stats.prompt_computed)
            prompt.add_metric((model.name, "reused"), stats.prompt_reused)
        yield from (active, waiting, generated, prompt)
