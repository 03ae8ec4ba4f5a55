"""Does the C front survive what nobody would write?

Question: does anything that reads a kernel's text or object before it runs (source policy, tokens, syntax tree,
behaviour, tunable constants; object reader, disassembly, control flow, object policy) crash, hang or take memory?
Method: ``tests/fuzz``: kernels of the project and eight compiled ones, mutated one to six times; a fifth are objects.
A case is known by seed and number. It may take 10 s (source) or 20 s (object) of processor time and 2 GiB of address
space, enforced by the kernel of the operating system; no exception may leave it but the reader's ``ValueError``.
Machine: any with gcc on x86-64; about 10 minutes of one core for the default. Exit code 1 when there are findings,
whose bytes are then saved in ``fuzz-findings``.

    python benchmarks/fuzz_c_front.py [CASES] [SEED]
"""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the mutations live with the tests

from tests.fuzz.campaign import run_campaign, save  # noqa: E402  # needs the path above
from tests.fuzz.pools import compile_objects  # noqa: E402

FINDINGS = Path("fuzz-findings")


def main() -> int:
    """Runs the campaign and prints what came of it."""
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(1 << 32)
    print(f"{cases} cases, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        objects = Path(folder)
        compile_objects(objects)
        began = time.monotonic()
        report = run_campaign(cases, seed, objects)
        wall_s = time.monotonic() - began
        print(f"{report.judged} judged in {wall_s:.0f} s: {report.judged / wall_s:.0f} a second")
        print(f"{report.seconds / max(report.judged, 1) * 1e3:.1f} ms each, {report.peak_bytes >> 20} MiB resident")
        for kind, (seconds, number) in sorted(report.slowest.items()):
            print(f"slowest {kind}: {seconds:.2f} s, case {number}")
        for outcome, count in sorted(report.outcomes.items()):
            print(f"  {outcome:40} {count:8}")
        for finding in report.findings:
            FINDINGS.mkdir(exist_ok=True)
            print(f"FINDING case {finding.number} {finding.what}: {save(finding, seed, objects, FINDINGS)}")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
