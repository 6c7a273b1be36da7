"""DISCOVER: reads the agency's own channels and keeps every post exactly once."""
