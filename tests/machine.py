"""A machine whose clocks do what a test says: it sleeps, and its wall clock is set."""

from supervisor.clock import NS_PER_S, Clock, Machine


class SetMachine(Machine):
    """Three clocks, set by hand."""

    def __init__(self):
        self.passed_ns = self.slept_ns = self.set_ns = 0
        self.steady_ns = lambda: 5 * NS_PER_S + self.passed_ns

    def awake_ns(self):
        return NS_PER_S + self.passed_ns - self.slept_ns

    def wall_ns(self):
        return 1_700_000_000 * NS_PER_S + self.passed_ns + self.set_ns

    def lives(self, seconds):
        """Time passes."""
        self.passed_ns += round(seconds * NS_PER_S)

    def sleeps(self, seconds):
        """Time passes without it."""
        self.lives(seconds)
        self.slept_ns += round(seconds * NS_PER_S)

    def is_set(self, by_s):
        """Somebody sets its wall clock."""
        self.set_ns += round(by_s * NS_PER_S)


class _Loop:
    def time(self):
        return 0.0


def clock_of(machine, epoch_ns, loop=None):
    """A clock on that machine; without a loop nothing can be waited for."""
    return Clock(loop or _Loop(), epoch_ns, machine=machine)


class RealMachine(Machine):
    """The real one, but that it seems to have slept, and to have been set."""

    def __init__(self):
        super().__init__()
        self.off_ns = self.set_ns = 0
        real_ns = self.steady_ns
        self.steady_ns = lambda: real_ns() + self.off_ns

    def wall_ns(self):
        return super().wall_ns() + self.off_ns + self.set_ns

    def sleeps(self, seconds):
        """Time has passed without it, all at once."""
        self.off_ns += round(seconds * NS_PER_S)

    def is_set(self, by_s):
        """Somebody sets its wall clock."""
        self.set_ns += round(by_s * NS_PER_S)
