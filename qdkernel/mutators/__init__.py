"""Operators that propose kernels."""
