"""Prints a genome as C: loop nests, register tiles, panels, leftovers."""

from qdkernel.mutators.schedule.gemm.printing.printer import ELEMENT_BYTES, print_gemm

__all__ = ["ELEMENT_BYTES", "print_gemm"]
