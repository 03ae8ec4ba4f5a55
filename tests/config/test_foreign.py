"""What a run folder's configuration may name without the user's word."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.config import BudgetConfig, Config, check_foreign, load_config
from qdkernel.errors import ConfigError

FOLDER = Path("runs/theirs")
DEFAULT = Config(problem="dgemm", budget=BudgetConfig(evaluations=1))


def compiled(**changes: object) -> Config:
    return DEFAULT.model_copy(update={"compiler": DEFAULT.compiler.model_copy(update=changes)})


@pytest.mark.parametrize(
    "flags",
    [
        ("-O3", "-march=native", "-fopenmp"),
        ("-O3", "-march=x86-64-v3", "-mtune=znver3", "-funroll-loops", "-g", "-std=gnu11", "-mprefer-vector-width=256"),
    ],
)
def test_the_usual_flags_pass(flags: tuple[str, ...]) -> None:
    check_foreign(compiled(flags=flags), (), FOLDER)


@pytest.mark.parametrize(
    "flag",
    ["-fplugin=x.so", "-fplugin=/tmp/x.so", "-B/tmp", "-B.", "-specs=x", "-wrapper", "@file", "-I/tmp", "-include",
     "-fprofile-use=x", "-fdump-tree-all", "-fuse-ld=gold", "-Wl,-rpath,x", "-march=/tmp/x", "-O3\n-B."],
)  # fmt: skip
def test_a_flag_that_may_run_a_program_or_touch_a_file_is_refused(flag: str) -> None:
    with pytest.raises(ConfigError, match=r"compiler\.flags") as caught:
        check_foreign(compiled(flags=("-O3", flag)), (), FOLDER)
    assert "pass --trust" in str(caught.value)
    check_foreign(compiled(flags=("-O3", flag)), ("compiler.flags=[-O3]",), FOLDER)


@pytest.mark.parametrize("command", ["./gcc", "/tmp/gcc", "gcc-12", "clang", "sh"])
def test_a_compiler_that_is_not_gcc_or_cc_by_name_is_refused(command: str) -> None:
    with pytest.raises(ConfigError, match="runs/theirs: its configuration names what would run uncontained"):
        check_foreign(compiled(command=command), ("budget.minutes=1",), FOLDER)
    check_foreign(compiled(command=command), (f"compiler.command={command}",), FOLDER)


def test_an_agent_passes_only_when_the_command_line_names_it() -> None:
    config = load_config(
        {"problem": "dgemm", "budget": {"minutes": 1}, "mutators": [{"name": "agent", "command": ["x"]}]}
    )
    with pytest.raises(ConfigError, match="mutators 'agent'"):
        check_foreign(config, (), FOLDER)
    check_foreign(config, ("mutators=[{name: agent, command: [x]}]",), FOLDER)


def test_a_library_passes_only_when_the_command_line_names_it() -> None:
    baseline = DEFAULT.baseline.model_copy(update={"library": Path("/tmp/libblas.so")})
    config = DEFAULT.model_copy(update={"baseline": baseline})
    with pytest.raises(ConfigError, match=r"baseline\.library '/tmp/libblas.so'"):
        check_foreign(config, (), FOLDER)
    check_foreign(config, ("baseline.library=/tmp/libblas.so",), FOLDER)
