"""What a job sets right before it begins."""

import multiprocessing

import pytest

from weakpan.job import run


@pytest.fixture
def start_method():
    """Gives back the way of starting processes that was set before."""
    before = multiprocessing.get_start_method(allow_none=True)
    yield
    multiprocessing.set_start_method(before, force=True)


class Foreign(multiprocessing.context.DefaultContext):
    """Stands for joblib's own way, which the standard library does not know."""

    def get_start_method(self, allow_none=False):
        return "loky" if self._actual_context is OWN else super().get_start_method(allow_none)


OWN = object()


@pytest.mark.usefixtures("start_method")
def test_a_start_method_that_only_a_launcher_knows_is_forgotten(monkeypatch):
    context = Foreign(multiprocessing.get_context("spawn"))
    context._actual_context = OWN
    for name in ("get_start_method", "set_start_method", "get_all_start_methods"):
        monkeypatch.setattr(multiprocessing, name, getattr(context, name))
    assert multiprocessing.get_start_method() == "loky"
    run._forget_foreign_start_method()
    assert multiprocessing.get_start_method() == "spawn"


@pytest.mark.usefixtures("start_method")
def test_a_start_method_of_the_standard_library_stays():
    multiprocessing.set_start_method("spawn", force=True)
    run._forget_foreign_start_method()
    assert multiprocessing.get_start_method() == "spawn"
