"""Instance maps as files hold them."""

import numpy as np
import pytest

from weakpan.basics.errors import DataError
from weakpan.labels.encode import from_png16, to_png16, to_released_8bit


def test_16_bit_codes_come_back():
    instances = np.array([[-1, 0, 255, 65534]], np.int32)
    assert to_png16(instances).tolist() == [[65535, 0, 255, 65534]]
    np.testing.assert_array_equal(from_png16(to_png16(instances)), instances)
    assert from_png16(to_png16(instances)).dtype == np.int32


@pytest.mark.parametrize("value", [65535, -2])
def test_16_bit_refuses_what_it_cannot_hold(value):
    with pytest.raises(DataError, match=f"instance id {value} .*16-bit PNG"):
        to_png16(np.array([[0, value]], np.int32))


def test_released_8_bit_codes():
    assert to_released_8bit(np.array([[-1, 0, 254]], np.int32)).tolist() == [[255, 0, 254]]
    with pytest.raises(DataError, match=r"instance id 255 .*-1 to 254"):
        to_released_8bit(np.array([[255]], np.int32))
