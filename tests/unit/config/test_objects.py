"""Objects of the configuration: what does not fit is told with its full key before anything is built."""

from dataclasses import dataclass

import pytest

from weakpan.basics.errors import ConfigError
from weakpan.basics.settings import between, setting
from weakpan.config.objects import build, check_object

HERE = "tests.unit.config.test_objects"


class Base:
    """What is expected."""


@dataclass
class Rule(Base):
    minimum: float = setting(0.5, between(0, 1))
    steps: int = 3
    inner: object = None


class Plain(Base):
    def __init__(self, size, other=1):
        if size == 13:
            raise ConfigError("unlucky", key="size", found=size)
        if size == 14:
            raise ValueError("odd size")
        self.size, self.other = size, other


class Stranger:
    pass


def rule(**arguments):
    return {"_target_": f"{HERE}.Rule", **arguments}


def plain(**arguments):
    return {"_target_": f"{HERE}.Plain", **arguments}


WRONG = {
    "no mapping": (3, "labels", "mapping"),
    "no target": ({"minimum": 1}, "labels", "no _target_"),
    "no such module": ({"_target_": "nowhere.Rule"}, "labels._target_", "nowhere"),
    "no such class": ({"_target_": f"{HERE}.Ruel"}, "labels._target_", "Ruel"),
    "another class": ({"_target_": f"{HERE}.Stranger"}, "labels._target_", "Base"),
    "unknown argument": (rule(minimun=1), "labels.minimun", "did you mean minimum?"),
    "unknown argument of a plain class": (plain(size=1, othr=1), "labels.othr", "did you mean other?"),
    "missing argument": (plain(), "labels", "size"),
    "wrong type": (rule(steps="many"), "labels.steps", "Integer"),
    "out of range": (rule(minimum=2), "labels.minimum", "0 to 1"),
    "within": (rule(inner=rule(minimum=2)), "labels.inner.minimum", "0 to 1"),
    "unknown within": (rule(inner={"a": plain(sizes=2)}), "labels.inner.a.sizes", "did you mean size?"),
    "no value": (rule(minimum="???"), "labels.minimum", "no value"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_told_with_its_full_key(case):
    node, key, text = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        check_object(node, "labels", expected=Base)
    assert caught.value.key == key
    assert text in str(caught.value)


def test_objects_within_objects_are_built():
    made = build(Base, rule(minimum=0.25, inner=plain(size=2)), "labels")
    assert isinstance(made, Rule)
    assert made.minimum == 0.25
    assert isinstance(made.inner, Plain)
    assert made.inner.size == 2


def test_arguments_that_the_configuration_does_not_hold_are_given():
    made = build(Plain, plain(other=[1, {"a": 2}]), "x", size=5)
    assert (made.size, made.other) == (5, [1, {"a": 2}])


def test_a_partial_object_takes_the_rest_later():
    make = build(object, plain(_partial_=True, other=7), "x")
    assert make(size=3).other == 7


@pytest.mark.parametrize(("size", "key"), [(13, "x.y.size"), (14, "x.y")])
def test_what_an_object_raises_itself_gets_its_place(size, key):
    with pytest.raises(ConfigError) as caught:
        build(Base, plain(size=size), "x.y")
    assert caught.value.key == key


def test_what_comes_out_must_be_what_is_expected():
    with pytest.raises(ConfigError, match="makes a int"):
        build(Base, {"_target_": "copy.copy", "x": 3}, "x")
    with pytest.raises(ConfigError, match="Base or a subclass") as caught:
        build(Base, {"_target_": "builtins.dict"}, "x")
    assert caught.value.key == "x._target_"
