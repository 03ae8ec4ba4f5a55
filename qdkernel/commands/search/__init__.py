"""Commands about a run to be made: start it, check its configuration, show its prompts."""
