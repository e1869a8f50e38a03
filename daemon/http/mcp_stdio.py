"""`obid mcp`: the tools over standard input and output, for an assistant that starts us itself."""

import os
from pathlib import Path

from mcp.server.stdio import stdio_server

from daemon.http.limits import Limits
from daemon.http.mcp_server import server_of
from daemon.http.service import Service
from daemon.http.toolbox import Toolbox
from supervisor.clock import Clock
from supervisor.wall import run_wall


def speak(data_dir: Path) -> int:
    """Answer until the input ends."""

    async def main(clock: Clock) -> None:
        service = Service(data_dir, Limits(), clock)
        server = server_of(Toolbox(service), f"{service.folders.artifacts.parent.as_uri()}/")
        async with service.running(os.cpu_count() or 1), stdio_server() as (heard, said):
            await server.run(heard, said, server.create_initialization_options())

    run_wall(main)
    return 0
