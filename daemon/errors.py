"""Errors of the daemon's own edge, typed by whose fault they are.

ObidError          one clear line for the person at the terminal, never a traceback
├── BadInput       yours: the field, the value and what would be right (exit 2)
└── Failed         ours or the machine's: it was asked rightly and did not work (exit 1)
    └── DaemonAbsent   nobody answers at the control socket
"""


class ObidError(Exception):
    """Something that ends a command with one line on stderr."""

    exit_code = 1


class BadInput(ObidError):
    """A value that cannot be used: names the field, the value and what would be right."""

    exit_code = 2

    def __init__(self, field: str, value: object, right: str):
        self.field = field
        self.value = str(value)
        self.right = right
        super().__init__(f"{field} {self.value!r}: {right}")


class Failed(ObidError):
    """What was asked makes sense but did not work."""


class DaemonAbsent(Failed):
    """No daemon answers at this data directory."""
