"""The way in: `obid` and `python -m daemon` are the same thing."""

import os
import signal
import sys
from typing import TextIO, cast

from supervisor import early
from supervisor.secrets import Masked

SHELL = "_OBID_COMPLETE"
"""Where a shell that wants a word completed says so."""


def main() -> None:
    """Run the command line. A stop during its first second, when it is still being loaded, is a clean end as later."""
    signal.signal(signal.SIGTERM, early.end)
    sys.stdout, sys.stderr = cast("TextIO", Masked(sys.stdout)), cast("TextIO", Masked(sys.stderr))
    from daemon.cli import app

    if SHELL in os.environ:  # somebody has pressed TAB
        from daemon.completion import Cut, mend_bash_words

        sys.stdout = cast("TextIO", Cut(sys.stdout, mend_bash_words(os.environ)))

    try:
        app(prog_name="obid")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends already


if __name__ == "__main__":
    main()
