"""Configurations that load, and what they hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qdkernel.config import BudgetConfig, Config, config_schema, dump_config, load_config
from qdkernel.config.compiler import CompilerConfig
from qdkernel.config.model import MutatorConfig
from qdkernel.errors import ConfigError
from qdkernel.machine import this_machine
from qdkernel.problems import PROBLEMS, find_problem
from qdkernel.search import resolve_sizes
from qdkernel.strict_yaml import dump_yaml, parse_yaml
from tests.config.loading import LEAST, complaints, loaded
from tests.paths import CONFIGS


def test_two_lines_are_a_configuration(write: Path) -> None:
    config = loaded(write, LEAST)
    assert config == Config(problem="dgemm", budget=BudgetConfig(minutes=3))
    assert (config.sizes, config.threads, config.workers) == ("auto", "all", "all")
    assert {mutator.name: mutator.weight for mutator in config.mutators} == {
        "schedule": 4,
        "tune": 1,
        "edit": 1,
        "rewrite": 1,
        "cross": 1,
        "plan": 0.5,
    }
    assert (config.models, config.search, config.stages) == ((), "map-elites", ())
    assert config.compiler == CompilerConfig(command="gcc", flags=("-O3", "-march=native", "-fopenmp"))


def test_every_key_can_be_given(write: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.c").write_text("")
    (tmp_path / "lib.so").write_text("")
    config = loaded(
        write,
        LEAST + "sizes: [256, {m: 64, n: 512, k: 8}]\nthreads: 1\nworkers: 2\nseed: 7\nseeds: [mine.c]\n"
        "baseline: {library: lib.so, symbol: cblas_dgemm}\ntiming: {tie: 2e-2}\nlimits: {run_s: 3}\n"
        "selection: {explore: 0.7, improve: 0.3}\nmachine: {isa: avx2}\n",
    )
    assert config.sizes == (256, {"m": 64, "n": 512, "k": 8})
    assert (config.threads, config.workers, config.seed, config.machine.isa) == (1, 2, 7, "avx2")
    assert config.seeds == (tmp_path / "mine.c",)
    assert (config.baseline.library, config.baseline.symbol) == (tmp_path / "lib.so", "cblas_dgemm")
    assert (config.timing.tie, config.limits.run_s, config.selection.explore) == (0.02, 3.0, 0.7)


def test_a_configuration_cannot_be_changed(write: Path) -> None:
    config = loaded(write, LEAST)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1


def test_a_byte_order_mark_is_accepted(write: Path) -> None:
    assert loaded(write, "\ufeff" + LEAST).problem == "dgemm"


def test_a_bare_name_is_answered_with_the_shipped_configurations(tmp_path: Path, write: Path) -> None:
    (tmp_path / "configs").mkdir()
    for name in ("gemm", "jacobi2d"):
        (tmp_path / "configs" / f"{name}.yaml").write_text(LEAST)
    expected = "gemm: no such file; did you mean configs/gemm.yaml? (shipped: configs/gemm.yaml, configs/jacobi2d.yaml)"
    with pytest.raises(ConfigError, match=f"^{re.escape(expected)}$"):
        load_config(Path("gemm"))


def test_overrides_change_single_entries_in_order(write: Path) -> None:
    config = loaded(
        write, LEAST, "budget.minutes=9", "budget.minutes=1", "sizes=[256]", "mutators[0].weight=2", "timing.tie=1e-3"
    )
    assert config.budget.minutes == 1
    assert config.sizes == (256,)
    assert config.mutators[:2] == (MutatorConfig(name="schedule", weight=2), MutatorConfig(name="tune"))
    assert config.timing.tie == 0.001


def test_an_override_may_supply_what_the_file_lacks(write: Path) -> None:
    assert loaded(write, "problem: dgemm\n", "budget.evaluations=5").budget == BudgetConfig(evaluations=5)
    assert loaded(write, "problem: dgemm\nbudget:\n", "budget.evaluations=5").budget == BudgetConfig(evaluations=5)


def test_an_empty_override_means_null(write: Path) -> None:
    assert loaded(write, LEAST, "budget.evaluations=4", "budget.minutes=").budget == BudgetConfig(evaluations=4)


def test_seeds_count_from_the_file_and_from_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("configs", "shell"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.c").write_text("")
    monkeypatch.chdir(tmp_path / "shell")
    path = tmp_path / "configs" / "run.yaml"
    path.write_text(LEAST + "seeds: [a.c]\n")
    assert load_config(path).seeds == (tmp_path / "configs" / "a.c",)
    assert load_config(path, ["seeds=[a.c]"]).seeds == (tmp_path / "shell" / "a.c",)


def test_missing_files_are_reported_unless_nobody_needs_them(tmp_path: Path, write: Path) -> None:
    text = LEAST + "seeds:\n  - gone.c\nbaseline: {library: gone.so}\n"
    assert complaints(write, text) == [
        f"run.yaml:4: seeds[0]: expected a file, got 'gone.c', and {tmp_path}/gone.c is not one",
        f"run.yaml:5: baseline.library: expected a file, got 'gone.so', and {tmp_path}/gone.so is not one",
    ]
    assert load_config(write, files_must_exist=False).seeds == (tmp_path / "gone.c",)


STUDIES = [CONFIGS / "blas-study.yaml"]
SERIES = [CONFIGS / "library.yaml"]
RUNS = [path for path in sorted(CONFIGS.glob("*.yaml")) if path not in (*STUDIES, *SERIES)]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configurations_explain_every_line(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        assert "#" in line or not line.strip()


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_shipped_configurations_of_runs_load_and_their_problems_take_their_sizes(path: Path) -> None:
    config = load_config(path)
    problem = find_problem(config.problem, config.accuracy)
    sizes = resolve_sizes(config, problem, this_machine())
    for size in sizes:
        assert tuple(size) == problem.size_names
        assert problem.flops(problem.scored_case(size)) > 0


def test_every_family_of_the_library_has_a_shipped_configuration() -> None:
    shipped = {find_problem(load_config(path).problem).folder.parent.name for path in RUNS}
    families = {PROBLEMS[name].folder.parent.name for name in PROBLEMS}
    assert families - shipped == set()


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_a_dumped_configuration_loads_to_an_equal_one(path: Path, tmp_path: Path) -> None:
    config = load_config(path, ["timing.tie=1e-7", "sizes=[8, {m: 1, n: 2}]"])
    dumped = tmp_path / "config.yaml"
    dumped.write_text(dump_config(config), encoding="utf-8")
    assert load_config(dumped) == config


def test_the_schema_explains_every_key() -> None:
    schema = config_schema()
    assert json.loads(json.dumps(schema)) == schema
    for name, section in {"Config": schema, **schema["$defs"]}.items():
        for key, entry in section["properties"].items():
            section_schema = schema["$defs"].get(entry.get("$ref", "").rpartition("/")[2], {})
            assert {**section_schema, **entry}.get("description", "").endswith("."), f"{name}.{key}"
        assert section["additionalProperties"] is False


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab1.e-: ~#"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abn01~", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(value=PLAIN)
@settings(max_examples=100, deadline=None)
def test_dumped_values_are_read_back_unchanged(value: object) -> None:
    document = parse_yaml(dump_yaml(value))
    assert (document.value, document.faults) == (value, ())


@given(text=st.text(max_size=60))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_breaks_the_loader(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError):
        load_config(path, [text])


def test_plain_values_are_a_configuration_as_a_file_is_and_stay_as_they_were() -> None:
    values: dict[str, Any] = {"problem": "dgemm", "budget": {"evaluations": 1}}
    config = load_config(values, ["budget.evaluations=5"])
    assert (config.problem, config.budget.evaluations) == ("dgemm", 5)
    assert values == {"problem": "dgemm", "budget": {"evaluations": 1}}
