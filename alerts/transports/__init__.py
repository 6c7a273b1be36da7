"""Ways to reach a person: one file each, with `Options` and `build`; nothing else is edited."""
