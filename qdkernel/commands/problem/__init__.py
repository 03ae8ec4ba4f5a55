"""Commands about a problem of the user's own."""
