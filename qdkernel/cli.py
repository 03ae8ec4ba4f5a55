"""The command line: parses and dispatches; each command is a function that returns its exit code.

0 done, 1 the user can put it right, 130 interrupted, 3 our bug. Heavy imports stay inside the commands, so that help is
instant.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

import typer
from typer.core import TyperCommand

from qdkernel.errors import QdkernelError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help needs no rich: half the time
)
config_app = typer.Typer(no_args_is_help=True, help="The configuration: its schema, and whether a file is sound.")
app.add_typer(config_app, name="config")

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a configuration entry, e.g. budget.minutes=1."),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder made by evolve.")]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Accept any compiler, flags and library that a run folder's configuration names."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


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


@app.command()
def evolve(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file, e.g. configs/gemm.yaml.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Run folder; default: a new one below runs/.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out (or the newest run of this problem).")
    ] = False,
    set_: Overrides = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the resolved configuration and what it would cost.")
    ] = False,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Evaluate again what RUN proposed, from its stored replies; asks no model."),
    ] = None,
    trust: Trust = False,
) -> int:
    """Breed kernels into an archive until the budget is spent."""
    from qdkernel.commands.evolve import dry_run as show_plan
    from qdkernel.commands.evolve import evolve as run

    return show_plan(config, set_ or []) if dry_run else run(config, out, resume, set_ or [], replay, trust)


@app.command()
def prompt(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file, e.g. configs/gemm.yaml.")],
    show: Annotated[bool, typer.Option("--show", help="Print the whole text, not only its size.")] = False,
    operator: Annotated[str | None, typer.Option(help="One that asks a model, e.g. edit; default: all.")] = None,
    run: Annotated[Path | None, typer.Option(metavar="RUN", help="With the elites and lessons of this run.")] = None,
    set_: Overrides = None,
) -> int:
    """Print what a model would be sent."""
    from qdkernel.commands.prompt import prompt as command

    return command(config, show, operator, run, set_ or [])


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Another one of the same problem.")],
    by: Annotated[str, typer.Option(help="Equal cost in evaluations, minutes, tokens or usd.")] = "evaluations",
    as_json: AsJson = False,
) -> int:
    """Compare two runs at equal cost."""
    from qdkernel.commands.diff import diff as command

    return command(first, second, by, as_json)


@app.command()
def problems(as_json: AsJson = False) -> int:
    """List the problems: what each computes, its sizes, its baseline, and what its kernels must keep to."""
    from qdkernel.commands.problems import problems as command

    return command(as_json)


@app.command()
def doctor(
    as_json: AsJson = False,
    containment: Annotated[
        bool, typer.Option("--containment", help="Also run hostile kernels and report which defences hold here.")
    ] = False,
) -> int:
    """Say what works here: compiler, instruction sets, containment, peaks."""
    from qdkernel.commands.doctor import doctor as run

    return run(as_json, containment)


@app.command()
def check(
    kernel: Annotated[Path, typer.Argument(metavar="KERNEL.c", help="A file that defines the problem's function.")],
    problem: Annotated[str, typer.Option(help="The problem, e.g. dgemm.")],
    set_: Overrides = None,
    as_json: AsJson = False,
) -> int:
    """Evaluate one file and explain every step."""
    from qdkernel.commands.check import check as run

    return run(kernel, problem, set_ or [], as_json)


@app.command()
def bench(
    target: Annotated[Path, typer.Argument(metavar="RUN|KERNEL.c", help="A run folder, or a kernel file.")],
    problem: Annotated[str | None, typer.Option(help="The problem of a kernel file.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many of a run's elites, fastest first.")] = 10,
    cell: Annotated[str | None, typer.Option(help="Only the elite of this cell, e.g. packed/512/static/none.")] = None,
    repeats: Annotated[
        int, typer.Option(min=1, help="How often, with all others between; the best measurement counts.")
    ] = 2,
    set_: Overrides = None,
    as_json: AsJson = False,
    trust: Trust = False,
) -> int:
    """Time elites against the baseline again, in fresh processes, with confidence intervals."""
    from qdkernel.commands.bench import bench as run

    return run(target, problem, top, cell, repeats, set_ or [], as_json, trust)


@app.command()
def show(
    run: RunArgument,
    cell: Annotated[str | None, typer.Argument(help="A cell, e.g. packed/512/static/none.")] = None,
) -> int:
    """Print a run's status, or the elite of one cell."""
    from qdkernel.commands.show import show as command

    return command(run, cell)


@app.command()
def plot(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to; default: plots/ in the run.")] = None,
) -> int:
    """Draw the archive, its projections, the progress and the roofline."""
    from qdkernel.commands.plot import plot as command

    return command(run, out)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="A run folder; several are compared.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Default: report.html in the run, or comparison.html."),
    ] = None,
) -> int:
    """Write one self-contained HTML file about a run, or about several side by side."""
    from qdkernel.commands.report import report as command

    return command(runs, out)


@app.command()
def watch(
    folder: Annotated[
        Path, typer.Argument(metavar="[RUN|FOLDER]", help="A run, or a folder of runs; default: runs.")
    ] = Path("runs"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the loopback interface; 0: any free one.")] = 0,
) -> int:
    """Serve the pages of runs live to a browser on this machine; read-only."""
    from qdkernel.commands.watch import watch as command

    return command(folder, port)


class _ListsFormats(TyperCommand):
    """Ends its help with the export formats, which are imported only then."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # Any: click's own, which typer may or may not vendor
        from qdkernel.commands.export import formats_text

        self.epilog = formats_text()
        super().format_help(ctx, formatter)


@app.command(cls=_ListsFormats)
def export(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders; several become one export.")],
    to: Annotated[str, typer.Option(metavar="FORMAT", help="One of the formats below.")],
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="File or folder; default of jsonl: standard output.")
    ] = None,
    only: Annotated[
        Literal["elites", "improvements", "all"] | None,
        typer.Option(help="Which kernels; default: what the format is for."),
    ] = None,
    split: Annotated[
        float | None, typer.Option(min=0.01, max=0.99, help="Share for training; whole lineages are held out.")
    ] = None,
    max_chars: Annotated[int | None, typer.Option(min=1, help="Longest prompt and completion together.")] = None,
    failure_share: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of preference pairs whose rejected kernel failed.")
    ] = 0.3,
    stages: Annotated[
        Path | None, typer.Option(metavar="CONFIG", help="Prompts for every stage and cell of this configuration.")
    ] = None,
    license_: Annotated[str, typer.Option("--license", help="Of the data, for the dataset card.")] = "other",
) -> int:
    """Write the evaluations or elites of runs for trainers and other programs."""
    from qdkernel.commands.export import export as command
    from qdkernel.export import Selection

    return command(runs, to, out, Selection(only, split, max_chars, failure_share, license_), stages)


@app.command()
def serve(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file: problem, sizes, stages.")],
    host: Annotated[str, typer.Option(help="Address to listen on; one that others reach needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 for a free one.")] = 8077,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds the bearer token; default: $QDKERNEL_SERVE_TOKEN.")
    ] = None,
    shape: Annotated[str, typer.Option(help="Of rewards: unit, sqd, log, share, rank or cell_rank.")] = "unit",
    archive: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Keep every judged kernel in this run folder.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Accepted jobs; default: in RUN, else serve-PROBLEM.db here.")
    ] = None,
    max_queue: Annotated[int, typer.Option(min=1, help="Kernels that wait; more are answered 429.")] = 1024,
    set_: Overrides = None,
) -> int:
    """Judge kernels over HTTP, as the reward of a trainer on another machine."""
    from qdkernel.commands.serve import serve as command

    return command(config, host, port, token_file, shape, archive, journal, max_queue, set_ or [])


@config_app.command("schema")
def config_schema() -> int:
    """Print the JSON Schema of a configuration file."""
    from qdkernel.commands.config import schema

    return schema()


@config_app.command("check")
def config_check(config: Annotated[Path, typer.Argument(metavar="CONFIG")], set_: Overrides = None) -> int:
    """Say whether a configuration is sound, and print it resolved."""
    from qdkernel.commands.config import check as run

    return run(config, set_ or [])


def main() -> None:
    """Entry point; turns whatever happens into one of the four exit codes."""
    sys.exit(_run())


def _run() -> int:
    if not _usable_streams():
        return 1
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()  # a full disk shows here, not while Python shuts down
    except QdkernelError as error:
        from qdkernel.core import printable

        _complain(printable(str(error), keep=chr(10)))
        return 1
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted")
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; Python would complain while shutting down
        return 1
    except Exception as error:
        return _from_outside(error) or _foreign_folder(error) or _usage_or_bug(error)
    return code if isinstance(code, int) else 0


def _usable_streams() -> bool:
    """Makes sure that the standard streams can be written to; false, with a message, where output would be lost.

    A descriptor that is closed would be given to the next file that is opened, and be written to. A character that the
    encoding of standard output lacks is shown as ``?``.
    """
    if sys.stderr is None:  # the user wants no messages
        sys.stderr = _opened_null(2)
    if sys.stdin is None:
        sys.stdin = _opened_null(0)
    if sys.stdout is None:
        sys.stdout = _opened_null(1)
        _complain("standard output is closed; redirect it to a file, or to /dev/null if you do not want it")
        return False
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
    return True


def _opened_null(wanted: int) -> TextIO:
    """The null device under the number of a standard stream that is closed."""
    found = os.open(os.devnull, os.O_RDWR)
    if found != wanted:
        os.dup2(found, wanted)
        os.close(found)
    return open(wanted, "r" if wanted == 0 else "w", encoding="utf-8")


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        print(f"qdkernel: {text}", file=sys.stderr)


_ADVICE = {
    errno.ENOSPC: "free some space on the disk",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "raise the host's limit on open files",
    errno.EAGAIN: "raise the limit on processes (ulimit -u)",
    errno.ENOMEM: "free some memory, raise the limit on it (ulimit -v), or choose smaller sizes",
    errno.EACCES: "check the rights of the file and its folder",
    errno.EPERM: "check the rights of the file and its folder",
    errno.EROFS: "choose a folder that can be written to",
}


def _from_outside(error: Exception) -> int | None:
    """Reports what the host refused: exit code 1; ``None`` for every other error."""
    from qdkernel.core import printable

    if isinstance(error, MemoryError):
        _complain("there is not enough memory; " + _ADVICE[errno.ENOMEM])
        return 1
    if not isinstance(error, OSError) or error.errno is None:
        return None
    where = f"{error.filename}: " if error.filename else ""
    advice = _ADVICE.get(error.errno)
    _complain(printable(f"{where}{error.strerror}") + (f"; {advice}" if advice else ""))
    _abandon(sys.stdout)
    return 1


def _foreign_folder(error: Exception) -> int | None:
    """Reports a run folder that another program has changed: exit code 1; ``None`` when there is none."""
    folders = [Path(argument) for argument in sys.argv[1:] if (Path(argument) / "run.db").is_file()]
    if not folders or not isinstance(error, ArithmeticError | AttributeError | LookupError | TypeError | ValueError):
        return None
    from qdkernel.core import printable
    from qdkernel.runs import foreign_content

    for folder in folders:
        if found := foreign_content(folder):
            _complain(printable(found))
            return 1
    return None


def _abandon(stream: TextIO) -> None:
    """Closes a stream that may not take what is still in its buffer; Python would complain while shutting down."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _usage_or_bug(error: Exception) -> int:
    # typer's usage errors come from click or from its own copy of it, depending on its version
    show = getattr(error, "show", None)
    if show is not None and hasattr(error, "exit_code"):
        show()
        return 1
    import traceback

    traceback.print_exc()
    print("qdkernel: this is a bug in qdkernel; please report it with the lines above", file=sys.stderr)
    return 3
