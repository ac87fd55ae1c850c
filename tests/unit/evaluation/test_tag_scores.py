"""Average precision of tags, against its definition."""

import numpy as np
import pytest

from weakpan.basics.catalog import TOY_CITY
from weakpan.evaluation.tag_scores import TagScores


def slow_average_precision(logits, tags):
    """Mean, over the crops that have the tag, of the precision among the crops that score at least as high."""
    hits = [(tags & (logits >= score)).sum() / (logits >= score).sum() for score in logits[tags]]
    return np.mean(hits)


def test_average_precision_against_its_definition():
    rng = np.random.default_rng(0)
    shape = 40, TOY_CITY.num_classes
    # Rounded, so that there are ties.
    logits, tags = rng.normal(0, 3, shape).round(), rng.random(shape) > 0.6
    tags[:, 2] = False
    whole, parts = TagScores(TOY_CITY), [TagScores(TOY_CITY) for _ in range(2)]
    for start in range(0, 40, 10):
        parts[start % 20 // 10].add(logits[start : start + 10], tags[start : start + 10])
    for part in parts:
        whole.merge(part)
    found = whole.average_precision()
    assert list(found) == list(TOY_CITY.names)
    for index, value in enumerate(found.values()):
        if index == 2:
            assert value is None
        else:
            assert value == pytest.approx(slow_average_precision(logits[:, index], tags[:, index]), abs=1e-5)


def test_nothing_seen_is_no_score():
    assert set(TagScores(TOY_CITY).average_precision().values()) == {None}
