"""REPORT, HANDLE: items, their history, who is owed what, its delivery, the week told."""
