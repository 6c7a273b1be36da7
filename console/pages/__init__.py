"""What each page of the duty desk shows, and what its forms do."""
