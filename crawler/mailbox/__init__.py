"""Reads the office's public mailbox by IMAP, without leaving a trace in it."""
