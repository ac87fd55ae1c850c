"""Errors carry what they are about, add it to one line, and survive the way from another process."""

import pickle

import pytest

from weakpan.basics.errors import ConfigError, DataError, one_line


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigError("all in one"), "all in one"),
        (ConfigError("expected 1 or more", key="rounds.n", found=0), "rounds.n=0: expected 1 or more"),
        (ConfigError("no value", key="run", remedy="give run=FOLDER"), "run: no value; give run=FOLDER"),
        (ConfigError("expected a path", key="masks.path", found=None), "masks.path=None: expected a path"),
        (DataError("cut short", path="a.png"), "a.png: cut short"),
    ],
)
def test_the_line_names_key_value_file_and_remedy(error, text):
    assert str(error) == text == one_line(text)


def test_an_error_of_settings_gets_the_full_key():
    error = ConfigError("expected 0 to 1", key="minimum", found=2, remedy="lower it").below("labels.rules.score")
    assert (error.key, error.found, error.remedy) == ("labels.rules.score.minimum", 2, "lower it")
    assert ConfigError("no file").below("masks").key == "masks"


@pytest.mark.parametrize("found", [None, 3])
def test_an_error_comes_out_of_another_process_as_it_went_in(found):
    error = pickle.loads(pickle.dumps(DataError("odd", path="x", key="k", found=found, remedy="mend")))
    assert type(error) is DataError
    assert str(error) == f"k={found}: x: odd; mend"


def test_no_value_stays_no_value_in_another_process():
    assert str(pickle.loads(pickle.dumps(ConfigError("odd", key="k")))) == "k: odd"
