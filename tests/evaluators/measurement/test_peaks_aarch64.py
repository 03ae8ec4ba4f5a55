"""The ceilings of an aarch64 machine: what the measuring program has there; its figures under qemu mean nothing."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from qdkernel.evaluators.measurement.peaks import compile_peaks
from tests.aarch64 import COMPILER, cross_compiler, needs_cross_compiler, sve

pytestmark = needs_cross_compiler


@pytest.mark.parametrize("bits", [256, 512])
def test_every_width_has_a_peak_in_registers_of_that_width(bits: int, tmp_path: Path) -> None:
    program = compile_peaks(cross_compiler(), tmp_path, ("-std=gnu11", "-O3", "-fopenmp", *sve(bits)))
    listing = subprocess.run(
        [COMPILER.replace("gcc", "objdump"), "-d", "--no-show-raw-insn", str(program)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for simd, operand in (("scalar", r"d\d+, d"), ("128", r"v\d+\.2d"), (str(bits), r"z\d+\.d")):
        body = re.search(rf"<peak_float64_{simd}>:\n(.*?)\n\n", listing + "\n\n", re.DOTALL)
        assert body is not None
        assert len(re.findall(rf"\bf(?:madd|mla|mad)\s+{operand}", body[1])) >= 16
    command = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "-cpu", f"max,sve-max-vq={bits // 128}", str(program)]
    told = subprocess.run([*command, "1", "1", "100000"], capture_output=True, text=True, check=True, timeout=60)
    peaks = {(peak["dtype"], peak["simd"]) for peak in json.loads(told.stdout)["peaks"]}
    assert peaks == {(dtype, simd) for dtype in ("float32", "float64") for simd in ("scalar", "128", str(bits))}
