"""The commands, one module each; a command prints its result and returns its exit code."""
