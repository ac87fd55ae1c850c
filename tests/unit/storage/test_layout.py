"""Which image ids may become names of files."""

import pytest

from weakpan.basics.errors import DataError
from weakpan.storage.layout import checked_id


@pytest.mark.parametrize("image_id", ["a", "town_000000_000019", "a.b", "..a", "ü", "a b"])
def test_plain_names_pass(image_id):
    assert checked_id(image_id) == image_id


@pytest.mark.parametrize("image_id", ["", ".", "..", "../x", "/etc/passwd", "a/", "a\\b", "a\0b"])
def test_what_may_lead_elsewhere_is_refused(image_id):
    with pytest.raises(DataError) as caught:
        checked_id(image_id, "ids.txt", "correct the list")
    assert str(caught.value) == f"ids.txt: image id {image_id!r} is no plain file name; correct the list"
