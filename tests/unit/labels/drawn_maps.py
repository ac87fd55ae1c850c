"""Maps that can be read by eye."""

import numpy as np

IS_THING = np.zeros(256, bool)
IS_THING[[0, 3]] = True  # class 0 is a thing on purpose: nothing may take 0 for "none"


def grid_of(text):
    """A map from rows of characters: digits are train ids, '.' is 255, '-' is 254 (or -1 in instance maps)."""
    values = {".": 255, "-": 254}
    return np.array([[values.get(c, ord(c) - ord("0")) for c in row] for row in text.split()], np.uint8)


def instances_of(text):
    return np.array([[-1 if c == "-" else int(c) for c in row] for row in text.split()], np.int32)
