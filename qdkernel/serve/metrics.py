"""The service's numbers in Prometheus' format."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from qdkernel.serve.guard import Guard
from qdkernel.serve.service import Service


class _ServiceCollector(Collector):
    def __init__(self, service: Service, guard: Guard) -> None:
        self._service = service
        self._guard = guard

    def collect(self) -> Iterator[Metric]:
        """Reads the counters when they are asked for."""
        measuring = self._service.judge.measuring
        outcomes = CounterMetricFamily("qdkernel_evaluations", "Evaluations by outcome.", labels=["outcome"])
        for outcome, count in sorted(measuring.outcomes.items()):
            outcomes.add_metric([outcome], count)
        requests = CounterMetricFamily("qdkernel_requests", "HTTP answers.", labels=["route", "status"])
        for (route, status), count in sorted(self._guard.answers.items()):
            requests.add_metric([route, str(status)], count)
        yield outcomes
        yield requests
        yield CounterMetricFamily("qdkernel_jobs_accepted", "Jobs accepted.", value=self._service.accepted)
        yield CounterMetricFamily("qdkernel_jobs_refused", "Jobs refused, queue full.", value=self._service.refused)
        yield CounterMetricFamily("qdkernel_joined", "Kernels that joined a measurement.", value=measuring.joined)
        yield GaugeMetricFamily("qdkernel_queued_kernels", "Kernels that wait or are measured.", measuring.queued)
        yield GaugeMetricFamily("qdkernel_seconds_per_kernel", "Mean, recent.", measuring.seconds_per_kernel)


def metrics_text(service: Service, guard: Guard) -> bytes:
    """The page that Prometheus reads."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ServiceCollector(service, guard))
    return generate_latest(registry)
