"""What people look at: the terminal's answers now, the duty desk when it comes."""
