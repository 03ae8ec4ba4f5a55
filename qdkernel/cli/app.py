"""The commands with their names, in the order of ``--help``."""

from __future__ import annotations

from typing import Annotated

import typer

from qdkernel.cli import host, judge, problem, read, search

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help needs no rich: half the time
)
config_app = typer.Typer(no_args_is_help=True, help="The configuration: its schema, and whether a file is sound.")
skills_app = typer.Typer(no_args_is_help=True, help="The library of techniques that prompts draw on.")
problem_app = typer.Typer(no_args_is_help=True, help="A problem of your own: write one to start from, and check it.")

app.command()(search.evolve)
app.command()(search.prompt)
app.command()(search.study)
app.command()(read.diff)
app.command()(host.problems)
app.command()(host.doctor)
app.command()(judge.check)
app.command()(judge.bench)
app.command()(read.show)
app.command()(read.plot)
app.command()(read.report)
app.command()(read.watch)
app.command(cls=read.ListsFormats)(read.export)
app.command()(judge.serve)
app.add_typer(skills_app, name="skills")
skills_app.command("list")(read.list_skills)
skills_app.command("show")(read.show_skill)
skills_app.command("mine")(read.mine_skills)
app.add_typer(config_app, name="config")
app.add_typer(problem_app, name="problem")
problem_app.command("init")(problem.init)
problem_app.command("check")(problem.check)
config_app.command("schema")(search.config_schema)
config_app.command("check")(search.config_check)


def _print_version(asked: bool) -> None:
    if asked:
        from qdkernel._version import installed_version

        print(f"qdkernel {installed_version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Breeds fast, verified, diverse compute kernels in C."""
