from __future__ import annotations

from pathlib import Path

from qdkernel.evaluators.behaviour import describe
from qdkernel.evaluators.behaviour.loop_facts import LoopFacts, loop_facts
from qdkernel.evaluators.binary import X86_64, Instruction, disassemble, read_shared_object
from tests.compiled import AVX2, compile_c
from tests.paths import GALLERY


def iteration(*lines: str) -> list[Instruction]:
    parts = (line.partition(" ") for line in lines)
    return [Instruction(4 * at, 4, mnemonic, rest) for at, (mnemonic, _, rest) in enumerate(parts)]


def test_loads_stores_and_spills_are_counted() -> None:
    facts = loop_facts(
        iteration(
            "vmovupd ymm0, ymmword ptr [rax + rcx]",
            "vbroadcastsd ymm1, qword ptr [rdx]",
            "vfmadd231pd ymm2, ymm0, ymm1",
            "vfmadd231pd ymm3, ymm1, ymmword ptr [rax + 32]",
            "vmovapd ymmword ptr [rsp + 64], ymm3",
            "vaddpd ymm4, ymm4, ymmword ptr [rsp + 96]",
            "prefetcht0 byte ptr [rax + 512]",
            "lea rax, [rax + 64]",
            "cmp rcx, qword ptr [rsp + 8]",
            "jne 0x10",
        ),
        X86_64,
    )
    assert facts == LoopFacts(instructions=10, fused=2, arithmetic=3, loads=5, stores=1, spills=2, broadcasts=1)
    assert str(facts) == (
        "2 fused multiply-adds and 1 other arithmetic instructions, 5 loads (1 broadcasts), 1 stores, 2 spills, "
        "10 instructions per iteration"
    )


def test_the_evidence_of_a_kernel_has_the_counts_of_its_hot_loop(tmp_path: Path) -> None:
    source = (GALLERY / "register_256.c").read_text()
    so = read_shared_object(compile_c(source, tmp_path, target=AVX2))
    _, evidence = describe(source, so, disassemble(so), 512, 3)
    assert "fused multiply-adds" in evidence["hot loop"]
    assert ", 0 spills, " in evidence["hot loop"]
