"""One file a channel kind: each module brings `Options` and `build`; nothing else is edited."""
