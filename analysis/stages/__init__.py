"""Stages say what they think of a text, each with a reason fit to be shown.

One module a stage, with `Options` and `build(options, tools) -> Stage`; `ORDER` (default 50)
says who goes first. A stage sees what those before it found. Dropping a file in is all that
adding a stage takes.
"""
