"""The generated street scenes: their drawing, from textures up to a whole data set."""
