"""Judges kernels: source, compiler, object, behaviour, containment, verification, timing."""
