"""Behaviour of a kernel, and the archive of elites."""
