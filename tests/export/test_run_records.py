"""Canonical records: the shipped schema, every field, odd runs; and that every exported elite compiles alone."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from qdkernel.core import (
    Duel,
    Evaluation,
    Fault,
    Kernel,
    KernelId,
    Outcome,
    Placement,
    Proposal,
    Provenance,
    VerificationResult,
    parse_cell,
)
from qdkernel.errors import ConfigError, RunFolderError
from qdkernel.export import FORMATS, Selection, open_source, record_schema
from qdkernel.export.record import schema_text
from qdkernel.export.run_records import FAILURE_REWARDS, record_id
from qdkernel.llm import CallFailed, Completion, FailureKind, Message
from qdkernel.reports import show_cell, view_text
from qdkernel.runs import End, RunFolder
from tests.fake_runs import UNMEASURED, add_by_model, add_elite, ask, assignment, breed, kernel, new_run, ok
from tests.paths import ROOT

CELL = parse_cell("packed/512/static/near")


def records(folder: RunFolder) -> list[dict[str, Any]]:
    with open_source([folder.path]) as source:
        [path] = FORMATS["jsonl"].write(source, folder.path / "records.jsonl")
    text = path.read_text(encoding="utf-8")
    return [json.loads(line, parse_constant=pytest.fail) for line in text.split("\n")[:-1]]


def test_the_shipped_schema_is_that_of_the_models() -> None:
    shipped = ROOT / "qdkernel" / "export" / "record.schema.json"
    if os.environ.get("QDKERNEL_UPDATE_GOLDEN") == "1":
        shipped.write_text(schema_text(), encoding="utf-8")
    assert schema_text() == shipped.read_text(encoding="utf-8"), "QDKERNEL_UPDATE_GOLDEN=1 pytest rewrites the schema"


def test_no_value_is_null_and_no_object_has_keys_of_its_own(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 30)
        add_by_model(folder, CELL, 50.0)
        found = records(folder)
    assert len({str(shape(record)) for record in found}) == 1


def shape(value: Any) -> Any:  # Any: JSON values
    """Types instead of values; a list has the type of its entries and is not empty."""
    if isinstance(value, dict):
        return {key: shape(entry) for key, entry in value.items()}
    if isinstance(value, list):
        [kind] = {str(shape(entry)) for entry in value}
        return [kind]
    assert value is not None
    return type(value).__name__


def test_every_record_fits_the_schema(tmp_path: Path) -> None:
    schema = record_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    with new_run(tmp_path) as folder:
        breed(folder, 60)
        found = records(folder)
    assert len(found) == 60
    for record in found:
        validator.validate(record)
    assert {record["outcome"] for record in found} > {"ok", "compile_error"}


def test_a_record_that_is_not_one_is_refused_by_the_schema(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_elite(folder, CELL, 50.0)
        [record] = records(folder)
    for broken in (
        {**record, "outcome": "great"},
        {**record, "extra": 1},
        {k: v for k, v in record.items() if k != "id"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, record_schema())


def test_a_record_tells_the_whole_evaluation(tmp_path: Path) -> None:
    parent, child = kernel("parent"), kernel("child")
    with new_run(tmp_path) as folder:
        first = folder.evaluations.add_proposal(Proposal(parent, "seed", "by the definition"))
        folder.evaluations.add(first, ok(parent, CELL, 40.0), Placement.NEW, {})
        second = folder.evaluations.add_proposal(Proposal(child, "tune", "kc 384", (parent.id,), CELL))
        evaluation = ok(child, CELL, 80.0, duel=Duel(parent.id, 2.0, 1.9, 2.1, ((5e8,),), ((1e9,),)))
        folder.evaluations.add(second, evaluation, Placement.IMPROVED, {})
        old, new = records(folder)
    assert new["schema"] == "qdkernel.record/2"
    assert new["id"] == record_id(child.id, evaluation.hashes.normal, ("-O3", "-march=native", "-fopenmp"))
    assert (new["kernel_id"], new["source"]) == (child.id, child.source)
    assert new["parent_ids"] == old["id"]
    assert (new["operator"], new["idea"], new["outcome"], new["placement"]) == ("tune", "kc 384", "ok", "improved")
    assert (new["task"], new["dtype"]) == ("dgemm", "f64")
    assert (new["size_names"], new["sizes"]) == ("m n k", "[[256,256,256],[768,768,768]]")
    assert new["cell"] == new["target"] == "packed/512/static/near"
    assert (old["elite"], new["elite"]) == (False, True)
    assert new["descriptors"] == {"blocking": 4, "simd": 3, "threading": 1, "prefetch": 1}
    assert (new["descriptor_version"], new["seed"], new["compiler"]) == ("behaviour/2", 7, "gcc 12.2.0")
    assert new["duel"] == {
        **{"incumbent_id": old["id"], "ratio_median": 2.0, "ratio_low": 1.9, "ratio_high": 2.1},
        **{"samples_s": "[[0.5]]", "incumbent_samples_s": "[[1.0]]", "incumbent_fault": ""},
    }
    assert new["timing"]["gflops"] == new["reward"]["gflops"] == new["reward"]["sqd"] == evaluation.objective
    assert new["timing"]["ref"] == "OpenBLAS 0.3.34/2t"
    size = json.loads(new["timing"]["per_size"])[1]
    assert (size["joules"], size["gflop_per_joule"]) == (-1.0, -1.0)
    assert size["no_energy"] == "a machine that reports no energy"
    assert size["samples_s"] == pytest.approx([time * 1e-9 for time in evaluation.timings[1].kernel_ns])
    assert (size["block_calls"], size["mdape"]) == (4, pytest.approx(0.01))
    assert json.loads(new["step_s"]) == dict(evaluation.step_s)
    assert (new["model"], new["stage"], new["prompt_source"]) == ("", "", "template")
    assert (new["conversation"]["id"], new["sampling"]["max_tokens"]) == (-1, -1)
    assert [message["role"] for message in new["prompt"]] == ["system", "user"]
    assert "the cell packed, 512-bit, static loop, prefetch near." in new["prompt"][1]["content"]
    assert new["completion"] == f"IDEA: kc 384\n```c\n{child.source.rstrip()}\n```\n"
    hashes = (evaluation.hashes.assembly, evaluation.hashes.object, evaluation.hashes.normal)
    assert (new["asm_hash_O0"], new["asm_hash_target"], new["normal_hash"]) == hashes
    assert new["num_measurements"] == 1


def test_a_models_kernel_comes_with_what_was_said_and_what_it_cost(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        (folder.path / "config.yaml").write_text(
            "seed: 7\nmodels:\n- name: big\n  model: maker/big-2\n  temperature: 0.8\n  max_tokens: 4000\n"
        )
        origin = Provenance(stage="simd first", shown=(kernel("shown").id,))
        made = add_by_model(
            folder,
            CELL,
            50.0,
            "big",
            tokens=1000,
            cost=0.25,
            provenance=origin,
        )
        add_by_model(folder, CELL, 40.0, "unheard of", placement=Placement.NOT_ADDED)
        folder.evaluations.add_remeasurement(1, ok(made, CELL, 52.0))
        known, other = records(folder)
    jsonschema.validate(known, record_schema())
    jsonschema.validate(other, record_schema())
    assert known["prompt"] == [
        {"role": "system", "content": "You write C."},
        {"role": "user", "content": "make it faster"},
    ]
    assert known["inspiration_ids"] == record_id(kernel("shown").id, None, ("-O3", "-march=native", "-fopenmp"))
    assert (known["prompt_source"], other["inspiration_ids"]) == ("model", "")
    assert known["completion"] == f"idea: pack B\n```c\n{made.source}```\n"
    assert (known["model"], known["sampling"]) == ("maker/big-2", {"temperature": 0.8, "max_tokens": 4000})
    assert (known["operator"], known["stage"], known["num_measurements"]) == ("edit", "simd first", 2)
    assert 47.5 < known["timing"]["gflops"] < 49.4  # 50 and 52 at the larger size, pooled over both sizes
    conversation = known["conversation"]
    assert conversation.pop("latency_s") >= 0
    assert conversation.pop("started_at").startswith("20")
    assert conversation == {
        "id": 1,
        "model": "big",
        "turns": 1,
        "requests": 1,
        "prompt_tokens": 900,
        "completion_tokens": 100,
        "cost_usd": 0.25,
        "finish_reason": "stop",
    }
    assert (other["model"], other["sampling"], other["num_measurements"]) == (
        "unheard of",
        {"temperature": -1.0, "max_tokens": -1},
        1,
    )


def test_the_prompt_is_that_of_the_reply_which_brought_the_kernel(tmp_path: Path) -> None:
    made = kernel("second try")
    with new_run(tmp_path) as folder:
        opening = assignment("edit", "lone \ud800")
        number = ask(folder, opening, "big", Completion("prose only", "length", 10, 20, 2, 0.5))
        more = (*opening.messages, Message("assistant", "prose only"), Message("user", "code, please"))
        folder.conversations.answer_call(
            folder.conversations.add_call(number, 1, more), Completion("int x; \udce9", "stop", 30, 4, 1, 0.25)
        )
        folder.conversations.fail_call(
            folder.conversations.add_call(number, 2, more), CallFailed(FailureKind.SERVER, "500", 3)
        )
        ended = folder.conversations.end(number, End.PROPOSAL, proposal=Proposal(made, "edit", ""))
        assert ended.proposal_number is not None
        folder.evaluations.add(ended.proposal_number, ok(made, CELL, 5.0), Placement.NEW, {})
        [record] = records(folder)
    jsonschema.validate(record, record_schema())
    assert [message["role"] for message in record["prompt"]] == ["system", "user", "assistant", "user"]
    assert record["prompt"][1]["content"] == "lone \ufffd\ufffd\ufffd"
    assert record["completion"] == "int x; \ufffd\ufffd\ufffd"
    conversation = record["conversation"]
    assert (conversation["turns"], conversation["requests"], conversation["finish_reason"]) == (3, 6, "stop")
    assert (conversation["prompt_tokens"], conversation["completion_tokens"]) == (40, 24)
    assert conversation["cost_usd"] == 0.75


def test_a_duel_that_the_incumbent_failed_has_no_ratio(tmp_path: Path) -> None:
    incumbent, winner = kernel("holder"), kernel("winner")
    duel = Duel(incumbent.id, math.inf, math.inf, math.inf, fault=Fault(Outcome.WRONG, "off by one"))
    won = ok(winner, CELL, 80.0, duel=duel)
    with new_run(tmp_path) as folder:
        folder.evaluations.add(
            folder.evaluations.add_proposal(Proposal(incumbent, "seed", "")),
            ok(incumbent, CELL, 90.0),
            Placement.NEW,
            {},
        )
        folder.evaluations.add(
            folder.evaluations.add_proposal(Proposal(winner, "tune", "")), won, Placement.IMPROVED, {}
        )
        old, new = records(folder)
        text = view_text(show_cell(folder, CELL))
    for record in (old, new):
        jsonschema.validate(record, record_schema())
    assert (new["duel"]["incumbent_id"], new["duel"]["incumbent_fault"]) == (old["id"], "wrong: off by one")
    assert (new["duel"]["ratio_median"], new["duel"]["ratio_low"]) == (-1.0, -1.0)
    reason = "ended ok, then failed when it was timed again: off by one"
    assert (old["reward"]["tier"], old["reward"]["sqd"], old["correctness"]["failed"]) == ("wrong", -10.0, reason)
    assert f"{incumbent.id[:8]}, the incumbent then, failed in it: off by one" in text


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.OK])
def test_a_failure_has_its_reason_and_its_tier(tmp_path: Path, outcome: Outcome) -> None:
    subject = kernel("bad")
    with new_run(tmp_path) as folder:
        number = folder.evaluations.add_proposal(Proposal(subject, "llm", ""))
        earlier = KernelId("f" * 64) if outcome is Outcome.DUPLICATE else None
        failed = Evaluation(
            subject.id,
            outcome,
            "because",
            verification=VerificationResult(math.inf, 16.0, "componentwise", 63),
            duplicate_of=earlier,
        )
        folder.evaluations.add(number, failed, Placement.NONE, {})
        [record] = records(folder)
    jsonschema.validate(record, record_schema())
    assert record["detail"] == "because"
    assert record["correctness"] == {
        "verified": True,
        "ratio": -1.0,  # infinite
        "threshold": 16.0,
        "rule": "componentwise",
        "cases": 63,
        "failed": "because",
        "deterministic": "",
    }
    assert record["reward"] == {
        "judged": outcome in FAILURE_REWARDS,
        "gflops": -1.0,
        "ratio": -1.0,
        "sqd": FAILURE_REWARDS.get(outcome, 0.0),
        "tier": outcome.value,
    }
    assert (record["timing"]["gflops"], record["timing"]["per_size"]) == (-1.0, "[]")
    assert record["sizes"] == "[[256,256,256],[768,768,768]]"


def test_a_run_on_an_unmeasured_machine_and_odd_bytes_still_fit_the_schema(tmp_path: Path) -> None:
    subject = Kernel(b"/* caf\xe9 */".decode("utf-8", "surrogateescape"))
    with new_run(tmp_path, machine=UNMEASURED) as folder:
        (folder.path / "config.yaml").write_text("just text\n")
        number = folder.evaluations.add_proposal(Proposal(subject, "llm", ""))
        folder.evaluations.add(
            number, Evaluation(subject.id, Outcome.POLICY_VIOLATION, "not UTF-8"), Placement.NONE, {}
        )
        [record] = records(folder)
    jsonschema.validate(record, record_schema())
    assert record["source"] == "/* caf\ufffd */"


def test_kernels_that_differ_in_spacing_only_share_an_id_under_the_same_flags() -> None:
    a, b = kernel("a").id, kernel("b").id
    assert record_id(a, "n", ("-O3",)) == record_id(b, "n", ("-O3",)) != record_id(a, "n", ("-O2",))
    assert record_id(a, None, ()) != record_id(b, None, ())


def test_every_elite_compiles_on_its_own(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 6)
        with open_source([folder.path], Selection(unchecked=True)) as source:
            paths = FORMATS["c"].write(source, tmp_path / "out" / "elites")
    assert len(paths) > 1
    command = ["gcc", "-O1", "-Wall", "-Werror", "-c", *map(str, paths)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_formats_write_where_they_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with new_run(tmp_path) as folder:
        add_elite(folder, CELL, 50.0)
    with open_source([folder.path], Selection(unchecked=True)) as source:
        FORMATS["jsonl"].write(source, tmp_path / "run.jsonl")
        FORMATS["jsonl"].write(source, None)
        assert capsys.readouterr().out == (tmp_path / "run.jsonl").read_text()
        FORMATS["c"].write(source, tmp_path / "c")
        assert [path.name for path in (tmp_path / "c").iterdir()] == ["packed-512-static-near.c"]
        with pytest.raises(ConfigError, match="writes a folder of files; name it with --out"):
            FORMATS["c"].write(source, None)
        (tmp_path / "folder.jsonl").mkdir()
        with pytest.raises(RunFolderError, match="the export cannot be written there"):
            FORMATS["jsonl"].write(source, tmp_path / "folder.jsonl")
