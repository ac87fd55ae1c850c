"""Ratios of counts that may be empty: a class that occurs nowhere has no score and is left out of averages."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt


def ratio(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Element-wise quotient of two arrays of one shape; nan where the denominator is 0."""
    quotient = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def mean_defined(values: npt.NDArray[np.float64]) -> float:
    """Mean of the values that are not nan; nan if there are none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else math.nan


def or_none(value: float) -> float | None:
    """The value as JSON can hold it: None for nan."""
    return None if math.isnan(value) else float(value)
