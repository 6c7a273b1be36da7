"""What the office sets: settings, the clock, the working calendar."""
