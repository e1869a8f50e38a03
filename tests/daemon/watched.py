"""A synthetic run in virtual time that is looked at now and then, as `obid top` looks: same options, same sights."""

from collections.abc import Sequence

from daemon.configured import configure
from daemon.lock import DataDirLock
from daemon.operate import Operator
from daemon.options import RunOptions
from daemon.run import live, session_of
from daemon.snapshot import Snapshot
from supervisor.clock import NS_PER_S
from supervisor.wall import now_ns


def watched(options: RunOptions, moments_s: Sequence[float]) -> list[Snapshot]:
    """Run, and give a whole snapshot for each of these seconds after the start."""
    seen: list[Snapshot] = []
    configured = configure(options)
    with DataDirLock(options.data_dir) as lock:
        session, epoch_ns = session_of(options, configured, lock, now_ns)

        def met(operator: Operator) -> None:
            clock = operator.house.clock
            for moment_s in moments_s:
                at_ns = clock.now_ns() + round(moment_s * NS_PER_S)
                clock.call_at(at_ns, lambda: seen.append(operator.picture.snapshot(whole=True)))

        session.on_alive = met
        assert live(session, epoch_ns) == 0
    return seen
