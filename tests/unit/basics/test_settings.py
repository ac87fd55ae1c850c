"""Ranges stand with their fields, and one walker finds the first value outside with its full key."""

from dataclasses import dataclass, field

import pytest

from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import above, at_least, between, check_settings, nearest, one_of, setting


@dataclass
class Inner:
    share: float = setting(0.5, between(0, 1))
    reaches: list[int] = setting([1, 2], at_least(1))
    name: str | None = setting(None, one_of(["a", "b"]))


@dataclass
class Outer:
    rate: float = setting(1e-3, above(0))
    inner: Inner = field(default_factory=Inner)
    more: dict[str, Inner] = field(default_factory=dict)


def test_default_values_are_in_their_ranges_and_lists_are_not_shared():
    check_settings(Outer())
    assert Inner().reaches is not Inner().reaches


@pytest.mark.parametrize(
    ("settings", "key", "found"),
    [
        (Outer(rate=0), "x.rate", 0),
        (Outer(inner=Inner(share=1.1)), "x.inner.share", 1.1),
        (Outer(inner=Inner(share=True)), "x.inner.share", True),
        (Outer(inner=Inner(share=float("nan"))), "x.inner.share", None),
        (Outer(inner=Inner(reaches=[1, 0])), "x.inner.reaches", [1, 0]),
        (Outer(inner=Inner(name="c")), "x.inner.name", "c"),
        (Outer(more={"one": Inner(), "two": Inner(share=-1)}), "x.more.two.share", -1),
    ],
)
def test_a_value_outside_is_told_with_its_full_key(settings, key, found):
    with pytest.raises(ConfigError) as caught:
        check_settings(settings, "x")
    assert caught.value.key == key
    assert found is None or caught.value.found == found


def test_the_nearest_name_is_offered_else_those_there_are():
    assert nearest("epoch", ["epochs", "n"]) == "did you mean epochs?"
    assert nearest("zzz", ["epochs", "n"]) == "there are epochs, n"
    assert nearest("zzz", []) == "there are none"
