"""Calls far beyond the scored sizes: larger and skinny ones, and offsets that 32 bits do not hold."""

from qdkernel.evaluators.pipeline.beyond.calls import verify_beyond

__all__ = ["verify_beyond"]
