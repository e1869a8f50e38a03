"""Counts of the service, for Prometheus."""

from collections.abc import Callable

from daemon.prometheus import Counter, Family, Gauge, Histogram, text_of


class Metrics:
    """All that the service counts."""

    def __init__(self) -> None:
        self.requests = Counter("aleatoric_http_requests_total", "Requests answered.", ("method", "route", "status"))
        self.latency = Histogram(
            "aleatoric_http_response_start_seconds", "From a request's head to its answer's.", ("method", "route")
        )
        self.jobs = Counter("aleatoric_jobs_total", "Generation jobs that ended.", ("status",))
        self.rows = Counter("aleatoric_rows_generated_total", "Books and trades in artifacts.")
        self.events = Counter("aleatoric_stream_events_total", "Events streamed.", ("mode",))
        self.cut = Counter("aleatoric_answers_cut_total", "Answers cut because their client did not read.")
        self.tools = Counter("aleatoric_mcp_tool_calls_total", "Tools called.", ("tool", "outcome"))
        self.hits = Counter("aleatoric_cache_hits_total", "Runs found in the cache.")
        self.misses = Counter("aleatoric_cache_misses_total", "Runs looked for in the cache and not found.")
        self.families: list[Family] = [self.requests, self.latency, self.jobs, self.rows, self.events, self.cut]
        self.families += [self.tools, self.hits, self.misses]
        self.gauge("aleatoric_cache_hit_ratio", "Hits among all looks into the cache.", self._hit_ratio)

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show one more number, asked for each time."""
        self.families.append(Gauge(name, text, value))

    def text(self) -> str:
        """Everything, as Prometheus reads it."""
        return text_of(self.families)

    def _hit_ratio(self) -> float:
        hits, misses = self.hits.values[()], self.misses.values[()]
        return hits / (hits + misses) if hits + misses else 0.0
