"""ASSESS: what a post says, how it says it, and why somebody should look."""
