"""The WeChat official account: its API and its pushes, by official interfaces only."""
