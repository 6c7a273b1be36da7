"""An invented agency that speaks the real protocols; for `tinglan demo`, `make run` and tests."""
