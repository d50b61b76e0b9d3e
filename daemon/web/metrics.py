"""What the web role counts; labels are closed sets."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class WebMetrics:
    """Requests by method and status class, refusals by the guard that refused, decisions made."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "davylamp_web_requests_total", "Requests answered.", ["method", "status"], registry=registry
        )
        self.refusals = Counter(
            "davylamp_web_refusals_total", "Requests refused, by guard.", ["guard"], registry=registry
        )
        self.decisions = Counter(
            "davylamp_web_decisions_total",
            "Approvals, rejections, acknowledgements.",
            ["kind"],
            registry=registry,
        )
