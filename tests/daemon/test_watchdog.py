"""A hang from end to end: silence, what a service manager's watchdog does then, and the next life; the short form of
`python -m tests.soak.watchdog`, with deadlines of a second."""

import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.soak.watchdog import drill

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX") or sys.platform == "win32", reason="no service manager that listens here"
)
DEADLINES, WATCHDOG_S = 0.2, 2.0
"""A fifth of five seconds."""
SILENT_S = 5.0 * DEADLINES + 1.0
BUSY_S = 1.5
"""On a machine that others use, for a signal to be handled and a message to come."""
AGAIN_S = 15.0


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Two drills at once: most of it is waiting."""
    cases = [(tmp_path_factory.mktemp("hung"), *case) for case in (("ledger", "await"), ("obi_pump", "spin"))]
    with ThreadPoolExecutor(len(cases)) as pool:
        return list(pool.map(lambda case: drill(*case, deadlines=DEADLINES, watchdog_s=WATCHDOG_S), cases))


def test_it_is_fed_at_half_its_interval_and_silent_within_the_deadline_and_a_second(measured):
    for one in measured:
        assert WATCHDOG_S / 2 <= one.fed_every < WATCHDOG_S
        assert one.silent <= SILENT_S + BUSY_S


def test_it_ends_by_the_abort_and_the_next_life_has_the_halt_and_the_books(measured):
    for one in measured:
        assert one.wrongs == (), one
        assert one.ended <= one.silent + WATCHDOG_S + BUSY_S
        assert one.again - one.ended < AGAIN_S
