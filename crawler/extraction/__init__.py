"""What a page says: its text, its title, its time, and where each was found."""
