"""First guesses from image tags: which pixels a tagged class has."""
