"""A fuzz campaign: cases judged in a limited process, deaths and overruns noted, and the process started again."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.cases import Case, make_case
from tests.paths import ROOT

_MAX_DEATHS = 50  # then the campaign ends: something is wrong in general


@dataclass(frozen=True)
class Finding:
    """A case that did what no case may: its number and what happened."""

    number: int
    what: str


@dataclass
class Report:
    """What came of a campaign.

    Attributes:
        judged: cases that came to an end.
        outcomes: how many ended how, by ``kind outcome``.
        slowest: processor seconds and number of the slowest case, by kind.
        findings: what has to be mended.
        seconds: processor time of all cases, making them not included.
        peak_bytes: most resident memory of a process.
    """

    judged: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: dict[str, tuple[float, int]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    peak_bytes: int = 0

    def note(self, line: str) -> None:
        """Takes in one whole line of the judging process."""
        if line.startswith("peak "):
            self.peak_bytes = max(self.peak_bytes, int(line.split()[1]))
            return
        number, kind, seconds, outcome = line.split(" ", 3)
        self.judged += 1
        self.seconds += float(seconds)
        self.slowest[kind] = max(self.slowest.get(kind, (0.0, 0)), (float(seconds), int(number)))
        self.outcomes[f"{kind} {outcome.partition(':')[0]}"] += 1
        if outcome.startswith("raised"):
            self.findings.append(Finding(int(number), f"{kind} {outcome}"))


def run_campaign(cases: int, seed: int, objects: Path, share: float = 0.2) -> Report:
    """Judges ``cases`` cases; see ``cases.make_case`` for the arguments."""
    report, at = Report(), 0
    for _ in range(_MAX_DEATHS):
        at = _run_process(report, seed, at, cases, objects, share)
        if at >= cases:
            break
    return report


def _run_process(report: Report, seed: int, first: int, end: int, objects: Path, share: float) -> int:
    """One process from case ``first`` on; the number of the case to go on with."""
    command = [sys.executable, "-m", "tests.fuzz", *map(str, (seed, first, end, objects, share))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = ""
        for line in process.stdout:
            if line.endswith("\n"):
                report.note(line.rstrip("\n"))
    if process.returncode == 0:
        return end
    if line.endswith("\n") or not line:
        raise RuntimeError(f"the judging process ended with {process.returncode} outside of a case")
    number = int(line)
    what = f"was ended by signal {-process.returncode}" if process.returncode < 0 else f"exited {process.returncode}"
    if process.returncode == -signal.SIGPROF:
        what = "ran over its deadline"
    report.findings.append(Finding(number, what))
    return number + 1


def save(finding: Finding, seed: int, objects: Path, folder: Path, share: float = 0.2) -> Path:
    """The file in ``folder`` that now holds a finding's bytes."""
    case: Case = make_case(seed, finding.number, objects, share)
    path = folder / f"{seed}-{finding.number}.{'c' if case.kind == 'source' else 'bin'}"
    path.write_bytes(case.data)
    return path
