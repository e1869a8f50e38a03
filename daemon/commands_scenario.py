"""`obid scenario`: the bug museum, to be listed and run."""

from typing import Annotated

import typer

from daemon.terminal import AsJson, finish, json_text

scenario = typer.Typer(
    help="Failures that others had live, run against this version. Needs no network.",
    epilog="Example: obid scenario run l11-ok-with-an-error",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="As obid scenario list has it.", show_default=False)]
Markdown = Annotated[bool, typer.Option("--markdown", help="With --all: the catalogue, as in docs/museum.md.")]
All = Annotated[bool, typer.Option("--all", help="Every one of them.")]


@scenario.command(name="list", epilog="Example: obid scenario list --json")
def list_(as_json: AsJson = False) -> None:
    """Name, source and story of every scenario."""

    def work() -> int:
        from daemon.museum.hall import EXHIBITS

        told = [
            {"name": one.name, "sources": one.sources, "story": one.story, "stake": one.stake}
            for one in EXHIBITS.values()
        ]
        width = max(map(len, EXHIBITS))
        lines = [f"{one.name:<{width}}  {one.story}" for one in EXHIBITS.values()]
        typer.echo(json_text(told) if as_json else "\n".join(lines))
        return 0

    finish(work)


@scenario.command(epilog="Example: obid scenario run --all")
def run(name: Name = "", all_: All = False, as_json: AsJson = False, markdown: Markdown = False) -> None:
    """Run one, or all: exit 0 if every one passes, and the naive way fails each of them; 1 if not."""

    def work() -> int:
        from daemon.errors import BadInput
        from daemon.museum.exhibit import visit
        from daemon.museum.hall import EXHIBITS, find

        if bool(name) is all_:
            raise BadInput("NAME", name, "name one scenario, or say --all")
        if markdown and not all_:
            raise BadInput("--markdown", name, "the catalogue is of all: say --all too")
        told = not as_json and not markdown
        verdicts = []
        for exhibit in EXHIBITS.values() if all_ else (find(name),):
            verdict = visit(exhibit)
            verdicts.append(verdict)
            if told:
                typer.echo(f"{'pass' if verdict.passed else 'FAIL'}  {verdict.name}: {exhibit.story}")
            if told and not (all_ and verdict.passed):
                typer.echo(f"      ours: {verdict.right}\n      naive: {verdict.wrong}")
                typer.echo(f"      at stake: {exhibit.stake}" if verdict.passed else f"      {verdict.why}")
        passed = sum(verdict.passed for verdict in verdicts)
        if as_json:
            typer.echo(json_text(verdicts))
        elif markdown:
            from daemon.museum.catalogue import catalogue

            typer.echo(catalogue({one.name: one.passed for one in verdicts}), nl=False)
        elif all_:
            typer.echo(f"{passed} of {len(verdicts)} pass")
        return 0 if passed == len(verdicts) else 1

    finish(work)
