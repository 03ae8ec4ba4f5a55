"""Harbor task folders (task.toml 1.4): one for each elite's cell, judged by ``qdkernel serve``."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from qdkernel.core import Outcome
from qdkernel.errors import ConfigError
from qdkernel.export.card import card_text
from qdkernel.export.contract import Source
from qdkernel.export.files import CARD, must_be_ours, write_file
from qdkernel.export.record import ExportRecord
from qdkernel.export.rows import joined, needed
from qdkernel.export.select import chosen
from qdkernel.problems import problem_label

_DOCKERFILE = """FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
WORKDIR /app
"""
_TEST = """#!/bin/sh
# Asks the judge, an address in QDKERNEL_JUDGE, for the score of /app/kernel.c; without an answer the task is an error.
mkdir -p /logs/verifier
exec python3 "$(dirname "$0")/judge.py"
"""
_JUDGE = '''"""Sends the kernel to `qdkernel serve` and writes its score; the token is in QDKERNEL_SERVE_TOKEN."""

import json
import os
import pathlib
import urllib.request

STAGE = %(stage)s
PROBLEM = %(problem)s

kernel = pathlib.Path("/app/kernel.c")
source = kernel.read_text(errors="replace") if kernel.is_file() else ""
completion = f"```c\\n{source}\\n```" if source else ""
submission = {"completion": completion, "stage": STAGE}
body = {"submissions": [submission], "problem": PROBLEM, "shape": "unit", "deadline_s": 500}
request = urllib.request.Request(
    os.environ["QDKERNEL_JUDGE"].rstrip("/") + "/v1/judge",
    json.dumps(body).encode(),
    {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ.get("QDKERNEL_SERVE_TOKEN", "")},
)
with urllib.request.urlopen(request, timeout=550) as answer:
    (result,) = json.load(answer)["results"]
pathlib.Path("/logs/verifier/reward.txt").write_text(f"{float(result['score'])}\\n")
'''


@dataclass(frozen=True)
class HarborFormat:
    """A folder of task folders."""

    name: str = "harbor"
    help: str = "Harbor: a task folder for each elite, judged by qdkernel serve, with the elite as its solution."

    def write(self, source: Source, out: Path | None) -> list[Path]:
        """Writes the tasks; see ``Format``."""
        folder = needed(out, self.name)
        if source.selection.split is not None:
            raise ConfigError("--to harbor: tasks have no splits; leave --split out")
        must_be_ours(folder)
        elites = [one for one in chosen(source.records, source.selection.only or "elites") if one.outcome is Outcome.OK]
        if not elites:
            raise ConfigError("--to harbor: expected a run with elites, but there is none; nothing to export")
        card = card_text(self.name, {}, source)
        written = [write_file(folder / CARD, card.encode("utf-8", "replace"))]
        slowest_first = sorted(elites, key=lambda record: record.timing.gflops)
        for name, record in {_task_name(record): record for record in slowest_first}.items():
            written += _write_task(folder / name, record, source)
        return written


def _task_name(record: ExportRecord) -> str:
    return f"{problem_label(record.task)}-{record.cell.replace('/', '-').replace('+', '-')}-{record.kernel_id[:8]}"


def _write_task(task: Path, record: ExportRecord, source: Source) -> list[Path]:
    prompt = joined(source.templates[record.run, record.evaluation])
    judge = _JUDGE % {"stage": json.dumps(record.stage), "problem": json.dumps(record.task)}
    kernel = record.source if record.source.endswith("\n") else record.source + "\n"
    files = {
        "instruction.md": f"{prompt}\n\nWrite the C file to /app/kernel.c.\n",
        "task.toml": _task_toml(task.name, record),
        "environment/Dockerfile": _DOCKERFILE,
        "tests/test.sh": _TEST,
        "tests/judge.py": judge,
        "solution/solve.sh": f"#!/bin/sh\nprintf %s {shlex.quote(kernel)} > /app/kernel.c\n",
    }
    written = [write_file(task / name, text.encode("utf-8", "replace")) for name, text in files.items()]
    for name in ("tests/test.sh", "solution/solve.sh"):
        (task / name).chmod(0o755)
    return written


def _task_toml(name: str, record: ExportRecord) -> str:
    described = json.dumps(f"A {record.task} kernel that behaves as {record.cell}.")  # a JSON text is a TOML text
    return f"""schema_version = "1.4"

[task]
name = {json.dumps(f"qdkernel/{name}")}
description = {described}
keywords = ["c", "performance", "qdkernel"]

[metadata]
cell = {json.dumps(record.cell)}
oracle_gflops = {record.timing.gflops}
fingerprint = {json.dumps(record.hardware.fingerprint)}

[agent]
timeout_sec = 1800.0

[verifier]
timeout_sec = 600.0

[verifier.env]
QDKERNEL_JUDGE = "${{QDKERNEL_JUDGE}}"
QDKERNEL_SERVE_TOKEN = "${{QDKERNEL_SERVE_TOKEN}}"

[environment]
cpus = 2
memory_mb = 2048
storage_mb = 4096
"""


HARBOR = (HarborFormat(),)
