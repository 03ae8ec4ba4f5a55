"""Mistakes in a configuration: where, what was expected, what came, how to put it right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qdkernel.config import load as config_module
from qdkernel.config import load_config
from qdkernel.errors import ConfigError
from tests.config.loading import LEAST, complaints

KNOWN = (
    "accuracy, baseline, budget, compiler, evaluators, limits, llm, machine, models, mutators, pictures, problem, "
    "races, search, seed, seeds, selection, sizes, stage_order, stages, threads, timing, workers"
)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("mutatrs: []", f"run.yaml:3: mutatrs: no key 'mutatrs'; did you mean 'mutators'? (known: {KNOWN})"),
        (
            "mutators:\n  - {name: tune, weight: high}",
            "run.yaml:4: mutators[0].weight: expected a number > 0, got 'high'",
        ),
        (
            "mutators:\n  - nmae: tune\n    name: tune",
            "run.yaml:4: mutators[0].nmae: no key 'nmae'; did you mean 'name'? (known: command, "
            "env, memory_mb, minutes, name, network, readable, sessions, usd, weight)",
        ),
        ("mutators: [{name: tune, weight: 0}]", "run.yaml:3: mutators[0].weight: expected a number > 0, got 0"),
        (
            "mutators: []",
            "run.yaml:3: mutators: expected a non-empty list, each entry a mapping with the keys command, "
            "minutes, sessions, usd, network, env, readable, memory_mb, name, weight, got an empty list",
        ),
        (
            "mutators: [{name: agent}]",
            "run.yaml:3: mutators[0]: expected command with name: agent, e.g. command: [my-agent, TASK.md]",
        ),
        (
            "mutators: [{name: tune, minutes: 3}]",
            "run.yaml:3: mutators[0]: expected minutes with name: agent only, got it with name: tune; remove it",
        ),
        (
            "mutators: [{name: tune}, {name: tune}]",
            "run.yaml:3: mutators: expected each mutator once, got tune more than once; add up their weights",
        ),
        ("threads: none", "run.yaml:3: threads: expected a whole number > 0 or the word 'all', got 'none'"),
        ("threads: 0", "run.yaml:3: threads: expected a whole number > 0 or the word 'all', got 0"),
        ("threads: true", "run.yaml:3: threads: expected a whole number > 0 or the word 'all', got true"),
        ("workers: 1.5", "run.yaml:3: workers: expected a whole number > 0 or the word 'all', got 1.5"),
        ("seed: -1", "run.yaml:3: seed: expected a whole number >= 0, got -1"),
        ("seed: '1'", "run.yaml:3: seed: expected a whole number >= 0, got '1'"),
        (
            "sizes: [256, 0]",
            "run.yaml:3: sizes[1]: expected a whole number > 0 or a mapping from names to values, "
            "each a whole number > 0, got 0",
        ),
        ("sizes:\n- 8\n- {m: 3, n: x}", "run.yaml:5: sizes[1].n: expected a whole number > 0, got 'x'"),
        (
            "sizes: []",
            "run.yaml:3: sizes: expected a non-empty list, each entry a whole number > 0 or a mapping from names to "
            "values, each a whole number > 0 or the word 'auto', got an empty list",
        ),
        ("seeds: mine.c", "run.yaml:3: seeds: expected a list, each entry a text, got 'mine.c'"),
        ("baseline: fast", "run.yaml:3: baseline: expected a mapping with the keys library, symbol, got 'fast'"),
        ("timing:", "run.yaml:3: timing: expected a mapping with the keys .*, got nothing (null)"),
        ("timing: {tie: 1}", "run.yaml:3: timing.tie: expected a number >= 0 and < 1, got 1"),
        (
            "timing: {rounds_min: 99}",
            "run.yaml:3: timing: expected rounds_min <= rounds_max, got 99 and 8",
        ),
        (
            "selection: {explore: 0.7, improve: 0.4}",
            "run.yaml:3: selection: expected explore + improve <= 1, got 0.7 + 0.4",
        ),
        ("selection: {explore: 2}", "run.yaml:3: selection.explore: expected a number >= 0 and <= 1, got 2"),
        ("seed: 1\nseed: 2", "run.yaml:4: seed: key given twice, first on line 3; keep one"),
        ("timing: {remeasure: 1}", "run.yaml:3: timing.remeasure: expected true or false, got 1"),
        (
            "search: random",
            "run.yaml:3: search: expected one of the words 'map-elites', 'best-of-n', 'random-parents', 'softmax', "
            "'mcts', 'islands', got 'random'",
        ),
        ("llm: {repairs: 6}", "run.yaml:3: llm.repairs: expected a whole number >= 0 and <= 5, got 6"),
        ("llm: {repair: 1}", "run.yaml:3: llm.repair: no key 'repair'; did you mean 'repairs'?.*"),
        ("compiler: {command: ''}", "run.yaml:3: compiler.command: expected a non-empty text, got ''"),
    ],
)
def test_a_mistake_names_line_entry_expectation_and_what_came(write: Path, entry: str, complaint: str) -> None:
    (found,) = complaints(write, LEAST + entry + "\n")
    assert found == complaint or re.fullmatch(re.escape(complaint).replace(r"\.\*", ".*"), found)


@pytest.mark.parametrize("flag", ["-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-mrecip=all"])
def test_flags_that_bend_arithmetic_are_refused_with_the_reason(write: Path, flag: str) -> None:
    (found,) = complaints(write, LEAST + f"compiler:\n  flags: [-O3, {flag}]\n")
    assert found.startswith(
        f"run.yaml:4: compiler.flags[1]: expected a flag that keeps IEEE arithmetic, got {flag!r}: fast-math lets the "
        "compiler change results"
    )


@pytest.mark.parametrize("flag", ["-O", "-O0", "-O1", "-O2", "-Os", "-Og", "-O4", "--optimize=2"])
def test_other_optimisation_levels_are_refused_with_the_reason(write: Path, flag: str) -> None:
    (found,) = complaints(write, LEAST + f"compiler: {{flags: [-O3, {flag}]}}\n")
    assert found == (
        f"run.yaml:3: compiler.flags[1]: expected -O3 as the only optimisation level, got {flag!r}: cheaper levels "
        "rank kernels differently; remove it"
    )


def test_flags_without_o3_are_refused(write: Path) -> None:
    (found,) = complaints(write, LEAST + "compiler: {flags: [-march=native]}\n")
    assert found.startswith("run.yaml:3: compiler: expected -O3 among flags")


@pytest.mark.parametrize("flag", ["-o", "-shared", "main.c", "-", "@file"])
def test_arguments_that_are_the_evaluators_business_are_refused(write: Path, flag: str) -> None:
    (found,) = complaints(write, LEAST + f"compiler: {{flags: [-O3, '{flag}']}}\n")
    assert found.startswith("run.yaml:3: compiler.flags[1]: expected a")
    assert repr(flag) in found


@pytest.mark.parametrize(
    ("budget", "line"),
    [("budget: {}", 2), ("budget: {minutes: null}", 2), ("budget:\n  minutes:\n  evaluations:", 2)],
)
def test_a_budget_of_nothing_is_an_error(write: Path, budget: str, line: int) -> None:
    (found,) = complaints(write, f"problem: dgemm\n{budget}\n")
    assert found == (
        f"run.yaml:{line}: budget: expected evaluations, minutes, requests, tokens or usd to be set, got none of them; "
        "e.g. minutes: 3"
    )


def test_a_budget_of_zero_is_an_error(write: Path) -> None:
    found = complaints(write, "problem: dgemm\nbudget: {minutes: 0, evaluations: 0}\n")
    assert found == [
        "run.yaml:2: budget.evaluations: expected a whole number > 0 or null, got 0",
        "run.yaml:2: budget.minutes: expected a number > 0 or null, got 0",
    ]


def test_missing_keys_are_explained(write: Path) -> None:
    found = complaints(write, "seed: 1\n")
    assert found == [
        "run.yaml:1: problem: expected a non-empty text, got nothing; add this key: "
        "what is computed: a name that `qdkernel "
        "problems` lists, or the path of a folder that declares one, e.g. ./dots, relative to this file",
        "run.yaml:1: budget: expected a mapping with the keys evaluations, minutes, requests, tokens, usd, got nothing"
        "; add this key: when the run stops; at least one limit",
    ]


def test_all_mistakes_come_at_once_in_the_order_of_the_file(write: Path) -> None:
    found = complaints(write, "seed: x\nthreads: x\nproblem: 3\nbudget: {}\nsizs: 1\n", "workers=x")
    where = [text.split(": ")[0] for text in found]
    assert where == ["run.yaml:1", "run.yaml:2", "run.yaml:3", "run.yaml:4", "run.yaml:5", "--set workers=x"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [1\nb: 2\n", "run.yaml:2: not valid YAML: while parsing a flow sequence, expected"),
        ("problem: dgemm\n\tbudget: 1\n", "run.yaml:2: not valid YAML: "),
        ("problem: 'dgemm\n", "run.yaml:2: not valid YAML: "),
        ("a: 1\n---\nb: 2\n", "run.yaml:2: not valid YAML: expected a single document"),
        ("a: 1\nb: \x01\n", "run.yaml:2: not valid YAML: the character U+0001 is not allowed"),
        ("a: &x 1\nb: *x\n", "run.yaml:1: not valid YAML: anchors (&) and aliases (*) are not supported"),
        ("[" * 5000, "run.yaml:1: nested too deeply"),
        ("!!python/object:os.system {a: 1}\n", "run.yaml:1: expected plain text or a number, got a mapping with the"),
        ("", "run.yaml:1: the file is empty; the least is two lines: `problem: dgemm`"),
        ("# nothing yet\n", "run.yaml:1: the file is empty"),
        ("- dgemm\n", "run.yaml:1: expected keys with values, e.g. `problem: dgemm`, got a list"),
        ("dgemm\n", "run.yaml:1: expected keys with values, e.g. `problem: dgemm`, got 'dgemm'"),
    ],
)
def test_text_that_is_no_mapping_is_refused_with_its_line(write: Path, text: str, complaint: str) -> None:
    (found,) = complaints(write, text)
    assert found.startswith(complaint)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("seed: !secret 3", "run.yaml:3: seed: expected plain text or a number, got '3' with the tag '!secret'"),
        ("seed: " + "9" * 5000, "run.yaml:3: seed: expected plain text or a number, got '9999"),
        ('seed: "\\ud800"', "run.yaml:3: seed: expected plain text or a number, got '\\ud800'"),
        ("1: 2", "run.yaml:3: expected a name as key, got '1'"),
        ("? [a]\n: 2", "run.yaml:3: expected a name as key, got a list"),
        ("seed: 010", "run.yaml:3: seed: expected a whole number >= 0, got '010'"),
        ("seed: 1:30", "run.yaml:3: seed: expected a whole number >= 0, got '1:30'"),
        ("timing: {tie: .nan}", "run.yaml:3: timing.tie: expected a number >= 0 and < 1, got '.nan'"),
        ("timing: {tie: 1.0e999}", "run.yaml:3: timing.tie: expected a number >= 0 and < 1, got inf"),
        ("<<: {seed: 1}", "run.yaml:3: <<: no key '<<'"),
    ],
)
def test_yaml_that_means_something_surprising_is_refused(write: Path, entry: str, complaint: str) -> None:
    (found,) = complaints(write, LEAST + entry + "\n")
    assert found.startswith(complaint)


def test_bytes_that_are_not_utf8_are_refused_with_their_line(write: Path) -> None:
    write.write_bytes(b"problem: dgemm\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"^run\.yaml:2: not UTF-8 text; save the file in UTF-8$"):
        load_config(write)


def test_a_huge_file_is_refused_unread(write: Path) -> None:
    write.write_bytes(b"#" * (config_module.MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="larger than 1024 KiB, so not a configuration"):
        load_config(write)


def test_a_folder_and_an_impossible_name_are_refused(tmp_path: Path, write: Path) -> None:
    with pytest.raises(ConfigError, match="expected a YAML file, got a folder"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(Path("x\0"))
    write.write_text(LEAST)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(write / "below")


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("minutes", "--set minutes: expected path=value, got 'minutes'; write path=value, e.g. budget.minutes=1"),
        ("=3", "--set =3: expected path=value, got '=3'"),
        ("a[0=1", "--set a[0=1: expected path=value"),
        ("[0]=1", "--set [0]=1: expected path=value"),
        ("seed=[", "--set seed=[: not valid YAML: "),
        ("seed=x", "--set seed=x: seed: expected a whole number >= 0, got 'x'"),
        ("sed=1", "--set sed=1: sed: no key 'sed'; did you mean 'seed'?"),
        ("budgt.minutes=1", "--set budgt.minutes=1: budgt: no key 'budgt'; did you mean 'budget'?"),
        ("budget.minutes=0", "--set budget.minutes=0: budget.minutes: expected a number > 0 or null, got 0"),
        ("mutators[7].weight=2", "--set mutators[7].weight=2: mutators has 6 entries, so [7] does not exist; count"),
        ("budget[0]=1", "--set budget[0]=1: budget is not a list, so it has no entry [0]"),
        ("problem.name=x", "--set problem.name=x: problem is not a mapping, so it has no key 'name'"),
        ("mutators.tune=1", "--set mutators.tune=1: mutators is not a mapping, so it has no key 'tune'"),
        ("seeds=[no.c]", "--set seeds=[no.c]: seeds[0]: expected a file, got 'no.c'"),
    ],
)
def test_a_mistaken_override_is_quoted(write: Path, override: str, complaint: str) -> None:
    (found,) = complaints(write, LEAST, override)
    assert found.startswith(complaint)


def test_a_mistake_in_the_file_is_not_blamed_on_an_override_beside_it(write: Path) -> None:
    found = complaints(write, "problem: dgemm\nbudget:\n  minutes: x\n", "budget.evaluations=3")
    assert found == ["run.yaml:3: budget.minutes: expected a number > 0 or null, got 'x'"]


def test_a_mistake_in_plain_values_is_told_without_a_file() -> None:
    with pytest.raises(ConfigError, match=r"^budget\.evaluations: expected .*got 'many'"):
        load_config({"problem": "dgemm", "budget": {"evaluations": "many"}})
