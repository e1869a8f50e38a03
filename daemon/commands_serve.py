"""`obid serve` and `obid keys`: the generator as a service, and who may use it."""

import re
from pathlib import Path
from typing import Annotated

import typer

from daemon import options
from daemon.errors import BadInput
from daemon.terminal import AsJson, DataDir, finish, json_text

PORT_DEFAULT = 8787
PORT_MAX = 65_535
WORKERS_MAX = 64
NAME_LENGTH_MAX = 64

Port = Annotated[int, typer.Option(metavar="P", help="0: any free one.")]
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Who can reach it: this machine alone, by default.")]
Workers = Annotated[int, typer.Option(metavar="N", help="Processes that make data sets; 0: one a processor.")]
LimitsFile = Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Bounds and quotas over the defaults.")]
PublicUrl = Annotated[str, typer.Option(metavar="URL", help="What links begin with, behind a proxy.")]
Scopes = Annotated[list[str] | None, typer.Option("--scope", metavar="generate|stream|metrics|mcp", help="Repeatable.")]
Name = Annotated[str, typer.Option(metavar="TEXT", help="Whose it is, for the list.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="As `obid keys list` shows it.")]

keys = typer.Typer(
    help="Keys for the generator's service.",
    epilog="Example: obid keys create --scope generate --scope stream",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def serve(
    port: Port = PORT_DEFAULT,
    host: Host = "127.0.0.1",
    data_dir: DataDir = None,
    workers: Workers = 0,
    limits: LimitsFile = None,
    public_url: PublicUrl = "",
    as_json: AsJson = False,
) -> None:
    """Serve the generator over HTTP: data sets, live streams, jobs, MCP."""

    def work() -> int:
        if not 0 <= port <= PORT_MAX:
            raise BadInput("--port", port, f"from 0 to {PORT_MAX}")
        if not 0 <= workers <= WORKERS_MAX:
            raise BadInput("--workers", workers, f"from 0 to {WORKERS_MAX}")
        folder = options.parse_data_dir(data_dir)
        if public_url and not re.fullmatch(r"https?://[^\s?#]+", public_url):
            raise BadInput("--public-url", public_url, "as clients write it: https://data.example.org")
        from daemon.http.limits import Limits, read_limits
        from daemon.http.serve import Asked
        from daemon.http.serve import serve as serve_http

        asked = Asked(
            host=host,
            port=port,
            data_dir=folder,
            workers=workers,
            limits=read_limits(limits) if limits is not None else Limits(),
            public_url=f"{public_url.rstrip('/')}/" if public_url else "",
        )
        return serve_http(asked, as_json=as_json)

    finish(work, left=True)


def mcp(data_dir: DataDir = None) -> None:
    """Speak the Model Context Protocol over standard input and output, for an assistant that starts this itself."""

    def work() -> int:
        folder = options.parse_data_dir(data_dir)
        from daemon.http.mcp_stdio import speak

        return speak(folder)

    finish(work, left=True)


@keys.command(epilog="Example: obid keys create --scope generate --scope stream --name laptop")
def create(scope: Scopes = None, name: Name = "", data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make a key and show it, this once."""

    def work() -> int:
        from daemon.http import keys as kept

        if len(name) > NAME_LENGTH_MAX or not name.isprintable():
            raise BadInput("--name", name, f"at most {NAME_LENGTH_MAX} letters that can be printed")
        text, key = kept.create_key(_folder(data_dir), scope or [], name, _now_ns())
        told = {"id": key.id, "key": text, "scopes": key.scopes, "name": key.name}
        lines = [text, f"id {key.id}, for {', '.join(key.scopes)}. It is not kept: nobody can show it again."]
        typer.echo(json_text(told) if as_json else "\n".join(lines))
        return 0

    finish(work)


@keys.command(name="list", epilog="Example: obid keys list --json")
def list_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show all keys, what they may do, and when they were last used."""

    def work() -> int:
        from daemon.http import keys as kept
        from daemon.tables import table
        from daemon.times import minute_of

        folder = _folder(data_dir)
        found = [(key, kept.last_used_ns(folder, key.id)) for key in kept.list_keys(folder)]
        if as_json:
            told = [
                {"id": key.id, "scopes": key.scopes, "name": key.name, "created_ns": key.created_ns}
                | {"revoked_ns": key.revoked_ns or None, "last_used_ns": used_ns or None}
                for key, used_ns in found
            ]
            typer.echo(json_text(told))
            return 0
        rows = [
            (
                *(key.id, ",".join(key.scopes), key.name or "-", minute_of(key.created_ns)),
                *(minute_of(at_ns) if at_ns else "-" for at_ns in (used_ns, key.revoked_ns)),
            )
            for key, used_ns in found
        ]
        typer.echo(table("id scopes name created last_used revoked", rows, "no keys: obid keys create makes one"))
        return 0

    finish(work)


@keys.command(epilog="Example: obid keys revoke 3f9c27a1b04e")
def revoke(key_id: KeyId, data_dir: DataDir = None) -> None:
    """Let a key open nothing any more; a running service knows it with the next request."""

    def work() -> int:
        from daemon.http import keys as kept

        key = kept.revoke_key(_folder(data_dir), key_id, _now_ns())
        typer.echo(f"{key.id} is revoked")
        return 0

    finish(work)


def _folder(data_dir: Path | None) -> Path:
    from daemon.http.folders import folders_in

    return folders_in(options.parse_data_dir(data_dir)).keys


def _now_ns() -> int:
    from supervisor.wall import now_ns

    return now_ns()
