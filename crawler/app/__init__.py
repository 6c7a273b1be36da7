"""Reads the agency's own app: feeds, lists of its interface, signed pushes, exported tables."""
