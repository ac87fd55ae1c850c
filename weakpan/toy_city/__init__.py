"""A generated data set of street scenes."""
