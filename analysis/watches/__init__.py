"""Watches look at what is not a post: silence, tampering, staleness, failing runs."""
