"""`obid ledger`: the books, read from the journal beside a running daemon or without one."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from daemon.terminal import AsJson, DataDir, finish, json_text

ledger = typer.Typer(
    help="Read the double-entry books from the journal.",
    epilog="Example: obid ledger trial-balance",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Where to. Default: standard output.")]


@ledger.command("trial-balance", epilog="Example: obid ledger trial-balance --data-dir A")
def trial_balance(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Sum every ledger; each must be zero, and the exit code is 1 when one is not."""

    def work() -> int:
        from daemon import ledger_text
        from daemon.options import parse_data_dir

        rows = ledger_text.trial_rows(parse_data_dir(data_dir))
        typer.echo(json_text(rows) if as_json else ledger_text.trial_text(rows))
        return 0 if ledger_text.balanced(rows) else 1

    finish(work)


@ledger.command(epilog="Example: obid ledger statement --json")
def statement(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show what each engine's account holds, earned and paid."""

    def work() -> int:
        from daemon import ledger_text
        from daemon.options import parse_data_dir

        rows = ledger_text.statement_rows(parse_data_dir(data_dir))
        typer.echo(json_text(rows) if as_json else ledger_text.statement_text(rows))
        return 0

    finish(work)


@ledger.command(epilog="Example: obid ledger export --out books.jsonl")
def export(out: Out = None, data_dir: DataDir = None) -> None:
    """Write every journal entry as one JSON line with its checksum."""

    def work() -> int:
        from daemon import ledger_text
        from daemon.errors import Failed
        from daemon.options import parse_data_dir

        directory = parse_data_dir(data_dir)
        if out is None:
            ledger_text.export(directory, sys.stdout)
            return 0
        part = out.with_name(f"{out.name}.part")  # what stands there is good until there is something better
        try:
            with part.open("w", encoding="utf-8") as file:
                count = ledger_text.export(directory, file)
            part.replace(out)
        except OSError as error:
            raise Failed(f"--out {out}: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
        typer.echo(f"{count} entries in {out}", err=True)
        return 0

    finish(work)


@ledger.command(epilog="Example: obid ledger verify --data-dir A")
def verify(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Read the whole journal, check every entry and hold the snapshot against it; exit code 1 if anything is wrong."""

    def work() -> int:
        from daemon.ledger_text import damage_told
        from daemon.options import parse_data_dir
        from daemon.verify import verify as verify_journal

        with damage_told():
            found = verify_journal(parse_data_dir(data_dir))
        typer.echo(json_text(found) if as_json else found.text())
        return 1 if found.wrongs else 0

    finish(work)
