"""A stop that comes while the program is still being loaded: there is no loop yet that could be told.

Python raises from a signal's handler wherever it happens to be. In a callback of its import system (it drops a lock
there for each module) whatever is raised is dropped with a word on standard error at most, and the stop would be lost:
seen in one start of eighty that were stopped while they loaded. So it is kept as well, for the loop to be told.
"""

import signal
import sys
from types import FrameType

_asked: list[str] = []


def end(number: int, _frame: FrameType | None) -> None:
    """The handler: end now, cleanly, or when the loop is there."""
    _asked.append(signal.Signals(number).name)
    sys.exit(0)


def asked() -> str:
    """The name of the signal that has asked for an end which has not come; it is told once."""
    return _asked.pop() if _asked else ""
