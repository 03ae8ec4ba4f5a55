"""Every format: the contract, the trainers' columns, and that the ``datasets`` library opens it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from qdkernel.export import FORMATS, Format, Selection, open_source
from qdkernel.mutators.llm.prompts import estimate_tokens
from tests.export.compiled.made_runs import naive_run
from tests.export.conformance import FormatConformance
from tests.fake_runs import breed, new_run
from tests.paths import CONFIGS, ROOT

FILES = {"jsonl": ".jsonl", "parquet": ".parquet", "t4": ".json"}
PARQUET = ("parquet", "verl")
TABLES = [name for name in FORMATS if name not in ("c", "library", "python", "t4", "harbor")]


@pytest.mark.parametrize("name", list(FORMATS))
class TestEveryFormat(FormatConformance):
    @pytest.fixture(autouse=True)
    def _format(self, name: str) -> None:
        if name in PARQUET:
            pytest.importorskip("pyarrow")
        self.name, self.ending = name, FILES.get(name, "")

    def make(self) -> Format:
        return FORMATS[self.name]


def export(runs: list[Path], name: str, out: Path, **selection: Any) -> Path:
    if name in PARQUET:
        pytest.importorskip("pyarrow")
    with open_source(runs, Selection(**selection)) as source:
        FORMATS[name].write(source, out)
    return out


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def is_chat(messages: Any) -> bool:
    return bool(messages) and all(set(one) == {"role", "content"} and one["content"] for one in messages)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_datasets_opens_every_table_by_the_card(name: str, runs: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    out = export(runs, name, tmp_path / "data", split=0.5)
    script = """
import sys, datasets
datasets.disable_progress_bars()
for config in datasets.get_dataset_config_names(sys.argv[1]):
    found = datasets.load_dataset(sys.argv[1], config, cache_dir=sys.argv[2])
    print(config, *(f"{split}={len(rows)}" for split, rows in found.items()))
    assert all(len(rows) for rows in found.values())
"""
    command = [sys.executable, "-c", script, str(out), str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tables = {path.name.rsplit("-", 1)[0] for path in out.glob("*-train.*")}
    assert {line.split()[0] for line in done.stdout.splitlines()} == tables


def test_records_of_runs_with_and_without_a_model_and_of_other_problems_load_together(
    runs: list[Path], tmp_path: Path
) -> None:
    pytest.importorskip("datasets")
    from tests.fake_runs import MACHINE

    with new_run(tmp_path, {**MACHINE, "problem": "axpy", "baseline": {"name": "plain", "gflops": []}}) as other:
        breed(other, 3)
    files = []
    for number, run in enumerate([runs[0], other.path, runs[1]]):
        files.append(str(export([run], "jsonl", tmp_path / f"{number}.jsonl")))
    script = """
import sys, datasets
for files in (sys.argv[2:], sys.argv[:1:-1]):
    found = datasets.load_dataset("json", data_files=files, split="train", cache_dir=sys.argv[1])
    print(len(found), len(set(found["task"])))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "cache"), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["130", "2"] * 2


def test_trl_columns(runs: list[Path], tmp_path: Path) -> None:
    sft = rows(export(runs, "trl-sft", tmp_path / "sft") / "sft-train.jsonl")
    dpo = rows(export(runs, "trl-dpo", tmp_path / "dpo") / "dpo-train.jsonl")
    kto = rows(export(runs, "trl-kto", tmp_path / "kto") / "kto-train.jsonl")
    assert all(set(row) == {"prompt", "completion"} for row in sft)
    assert all(is_chat(row["prompt"]) and is_chat(row["completion"]) for row in sft + kto)
    assert all(set(row) == {"prompt", "chosen", "rejected", "margin"} for row in dpo)
    assert all(row["margin"] > 0 and row["chosen"] != row["rejected"] for row in dpo)
    assert {row["label"] for row in kto} == {True, False}


def test_a_speed_tag_ends_the_prompts_for_supervised_training_and_no_others(runs: list[Path], tmp_path: Path) -> None:
    tagged = rows(export(runs, "trl-sft", tmp_path / "tagged", speed_tag=True) / "sft-train.jsonl")
    plain = rows(export(runs, "trl-sft", tmp_path / "plain") / "sft-train.jsonl")
    tags = []
    for one, other in zip(tagged, plain, strict=True):
        before, _, tag = one["prompt"][-1]["content"].rpartition("\n\n")
        assert (before, one["completion"]) == (other["prompt"][-1]["content"], other["completion"])
        tags.append(re.fullmatch(r"The kernel reaches ([\d.]+) % of this machine's measured peak\.", tag))
    assert all(tags)
    assert len({tag[1] for tag in tags if tag}) > 5
    pairs = rows(export(runs, "trl-dpo", tmp_path / "dpo", speed_tag=True) / "dpo-train.jsonl")
    assert not any("The kernel reaches" in row["prompt"][-1]["content"] for row in pairs)


@pytest.mark.parametrize(("name", "table"), [("trl-sft", "sft"), ("trl-dpo", "dpo"), ("trl-grpo", "grpo")])
def test_rows_over_a_cap_of_tokens_are_left_out(name: str, table: str, runs: list[Path], tmp_path: Path) -> None:
    def tokens(row: dict[str, Any]) -> int:
        replies = [row[key] for key in ("completion", "chosen", "rejected") if key in row]
        longest = max((sum(estimate_tokens(one["content"]) for one in reply) for reply in replies), default=0)
        return sum(estimate_tokens(one["content"]) for one in row["prompt"]) + longest

    whole = rows(export(runs, name, tmp_path / "whole") / f"{table}-train.jsonl")
    cap = max(map(tokens, whole)) - 1
    kept = rows(export(runs, name, tmp_path / "capped", max_tokens=cap) / f"{table}-train.jsonl")
    assert kept
    assert max(map(tokens, kept)) <= cap


def test_prompts_of_a_staged_configuration_name_its_stages_in_order(runs: list[Path], tmp_path: Path) -> None:
    with open_source(runs, stages=CONFIGS / "gemm-staged.yaml") as source:
        FORMATS["trl-grpo"].write(source, tmp_path / "out")
    found = rows(tmp_path / "out" / "grpo-train.jsonl")
    assert list(dict.fromkeys(row["stage"] for row in found)) == ["blocking", "simd", "threads", "everything"]
    first = [row for row in found if row["stage"] == "blocking"]
    assert {row["target"].split("/", 1)[1] for row in first} == {"scalar/serial/none"}
    assert first[0]["permitted"] == (
        "blocking: none, register, cache, cache+register, packed; simd: scalar; threading: serial; prefetch: none"
    )
    assert all("blocking" in row["prompt"][-1]["content"] for row in first)
    assert any(row["best_gflops"] > 0 for row in found)


def test_openai_and_axolotl_and_nemo_and_openrlhf_columns(runs: list[Path], tmp_path: Path) -> None:
    openai = export(runs, "openai", tmp_path / "openai")
    assert all(
        set(row) == {"messages"} and row["messages"][-1]["role"] == "assistant"
        for row in rows(openai / "sft-train.jsonl")
    )
    pair = rows(openai / "preference-train.jsonl")[0]
    assert set(pair) == {"input", "preferred_output", "non_preferred_output"}
    assert set(pair["input"]) == {"messages", "tools", "parallel_tool_calls"}
    axolotl = export(runs, "axolotl", tmp_path / "axolotl")
    dpo = rows(axolotl / "dpo-train.jsonl")[0]
    assert (set(dpo), set(dpo["chosen"])) == ({"messages", "chosen", "rejected"}, {"role", "content"})
    assert isinstance(rows(axolotl / "kto-train.jsonl")[0]["prompt"], str)
    nemo = export(runs, "nemo-rl", tmp_path / "nemo")
    ranked = rows(nemo / "preference-train.jsonl")[0]
    assert [one["rank"] for one in ranked["completions"]] == [0, 1]
    assert is_chat(rows(nemo / "gym-train.jsonl")[0]["responses_create_params"]["input"])
    openrlhf = export(runs, "openrlhf", tmp_path / "openrlhf")
    assert set(rows(openrlhf / "sft-train.jsonl")[0]) == {"input", "output"}
    assert "stage" in json.loads(rows(openrlhf / "prompts-train.jsonl")[0]["label"])


def test_repairs_are_conversations_whose_last_kernel_passed(runs: list[Path], tmp_path: Path) -> None:
    found = rows(export(runs, "repairs", tmp_path / "repairs") / "repairs-train.jsonl")
    assert len(found) == 4
    assert all(set(row) == {"messages", "rounds"} and is_chat(row["messages"]) for row in found)
    assert all(row["messages"][-1]["role"] == "assistant" for row in found)


def test_verl_columns(runs: list[Path], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    found = parquet.read_table(export(runs, "verl", tmp_path / "verl") / "rl-train.parquet").to_pylist()
    assert set(found[0]) == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
    assert set(found[0]["reward_model"]) == {"style", "ground_truth"}
    assert [row["extra_info"]["index"] for row in found] == list(range(len(found)))
    assert found[0]["extra_info"]["split"] == "train"


def test_llama_factory_describes_its_files(runs: list[Path], tmp_path: Path) -> None:
    out = export(runs, "llama-factory", tmp_path / "lf")
    info = json.loads((out / "dataset_info.json").read_text())
    assert sorted(info) == [f"qdkernel_{table}_train" for table in ("kto", "preference", "sft")]
    for described in info.values():
        row = json.loads((out / described["file_name"]).read_text())[0]
        assert set(row) == set(described["columns"].values())
        assert row["conversations"][0]["from"] == "human"
    assert info["qdkernel_preference_train"]["ranking"] is True


def test_t4_has_a_result_per_evaluation(runs: list[Path], tmp_path: Path) -> None:
    content = json.loads(export(runs[:1], "t4", tmp_path / "t4.json").read_text())
    assert len(content["results"]) == 80
    assert {one["invalidity"] for one in content["results"]} >= {"correct", "compile", "timeout", "correctness"}


def exactly(**properties: object) -> dict[str, object]:
    """The JSON schema of an object with these entries, all of them and no others."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


TEXT, POSITIVE = {"type": "string", "minLength": 1}, {"type": "number", "exclusiveMinimum": 0}
HARBOR_SCHEMA = exactly(
    schema_version={"const": "1.4"},
    task=exactly(
        name={"type": "string", "pattern": r"^qdkernel/[a-z0-9][a-zA-Z0-9._-]*$"},
        description=TEXT,
        keywords={"type": "array", "items": TEXT},
    ),
    metadata=exactly(cell=TEXT, oracle_gflops=POSITIVE, fingerprint={"type": "string"}),
    agent=exactly(timeout_sec=POSITIVE),
    verifier=exactly(timeout_sec=POSITIVE, env={"type": "object", "additionalProperties": TEXT}),
    environment=exactly(cpus=POSITIVE, memory_mb=POSITIVE, storage_mb=POSITIVE),
)
"""What of Harbor's documented task.toml an export has; its own package reads it in tests/integrations."""


def test_harbor_tasks_of_a_problem_that_is_a_folder_stay_in_the_export(tmp_path: Path) -> None:
    own = tmp_path / "elsewhere" / "own"
    shutil.copytree(ROOT / "qdkernel" / "problems" / "library" / "blas1" / "daxpy", own)
    before = sorted(own.parent.rglob("*"))
    out = export([naive_run(tmp_path / "runs", str(own))], "harbor", tmp_path / "harbor")
    [task] = [path for path in out.iterdir() if path.is_dir()]
    assert task.name.startswith("own-none-scalar-serial-none-")
    assert sorted(own.parent.rglob("*")) == before


def test_a_harbor_task_has_its_parts_and_its_solution_writes_the_elite(runs: list[Path], tmp_path: Path) -> None:
    out = export(runs[:1], "harbor", tmp_path / "harbor")
    tasks = [path for path in out.iterdir() if path.is_dir()]
    for task in tasks:
        described = tomllib.loads((task / "task.toml").read_text())
        jsonschema.validate(described, HARBOR_SCHEMA)
        assert described["task"]["name"] == f"qdkernel/{task.name}"
        compile((task / "tests" / "judge.py").read_text(), "judge.py", "exec")
        for script in ("tests/test.sh", "solution/solve.sh"):
            assert subprocess.run(["sh", "-n", str(task / script)], check=False).returncode == 0
    solution = (tasks[0] / "solution" / "solve.sh").read_text().replace("/app/kernel.c", str(tmp_path / "k.c"))
    subprocess.run(["sh", "-c", solution], check=True)
    assert (tmp_path / "k.c").read_text().startswith("/* number ")
