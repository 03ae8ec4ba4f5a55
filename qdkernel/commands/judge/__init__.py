"""Commands that judge kernels outside a search."""
