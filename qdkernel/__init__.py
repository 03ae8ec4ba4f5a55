"""Breeds fast, verified, diverse compute kernels in C."""
