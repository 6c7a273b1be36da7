"""What is typed: one module a family of commands, each with its words and its thin step."""
