"""What keeps the service alive: lanes of work, the tick, and the word to systemd."""
