"""Back-off: after a refusal, silence until something changed or time has passed; twice as long each time."""

from supervisor.clock import NS_PER_S


class Backoff:
    """Of one kind of wish for one symbol. A seed engine asked for the same refused thing 120 times an hour."""

    __slots__ = ("changes", "delay_ns", "delay_ns_max", "delay_ns_min", "rule", "until_ns")

    def __init__(self, delay_s_min: float, delay_s_max: float):
        self.delay_ns_min = round(delay_s_min * NS_PER_S)
        self.delay_ns_max = round(delay_s_max * NS_PER_S)
        self.rule = ""
        self.changes = -1
        self.delay_ns = 0
        self.until_ns = 0

    def refused(self, rule: str, at_ns: int, changes: int) -> None:
        """It was refused by a rule; `changes` counts what could make the rule answer otherwise."""
        same = (rule, changes) == (self.rule, self.changes)
        self.delay_ns = min(self.delay_ns * 2, self.delay_ns_max) if same else self.delay_ns_min
        self.rule, self.changes, self.until_ns = rule, changes, at_ns + self.delay_ns

    def silent(self, now_ns: int, changes: int) -> bool:
        """Whether to hold the tongue."""
        return now_ns < self.until_ns and changes == self.changes

    def forget(self) -> None:
        """Something changed that only concerns this symbol."""
        self.until_ns = 0
