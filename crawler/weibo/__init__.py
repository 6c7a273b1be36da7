"""Reads the agency's own Weibo account through the official interface."""
