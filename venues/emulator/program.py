"""The emulator as a supervised program: one child, the server, that is started again when it crashes."""

import socket

from supervisor.child import ChildSpec, SupervisorSpec
from supervisor.clock import Clock
from supervisor.program import Program
from supervisor.supervisor import House
from venues.emulator.control import Control
from venues.emulator.serve import Emulator, Server

STOP_S = 1.0
"""How long the server may take to stop."""


def program_of(emulator: Emulator, listener: socket.socket, clock: Clock) -> Program:
    """A program that serves an emulator on a listening socket; `await program.run(...)` lives until it is stopped."""
    control = Control(emulator)

    def start() -> Server:
        control.server = Server(emulator, listener, control.routes())
        return control.server

    server = ChildSpec(name="server", start=start, shutdown_s=STOP_S)
    return Program(House(SupervisorSpec(name="emulator", children=(server,)), clock))


async def nothing_to_wind_down() -> None:
    """What an emulator does before it ends: its clients are to see it vanish."""
