"""周报: the week told in figures that add up, frozen, and sent like any other notice."""
