"""Windows of a mask network around boxes."""

import numpy as np
import pytest

from weakpan.basics.errors import ConfigError
from weakpan.data.annotations import Box
from weakpan.data.loaders.box_window import Window, WindowSettings


def gradient(height=80, width=120):
    """An image whose red says the column and whose green says the row."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(width)[None], np.arange(height)[:, None]
    return image


def test_box_lies_in_the_middle_and_takes_its_share():
    window = Window.around(Box(0, 40, 30, 79, 49), 52, share=0.5)
    inside = window.inside(Box(0, 40, 30, 79, 49))
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    assert (len(rows), len(columns)) == (14, 26)
    assert (rows[0] + rows[-1], columns[0] + columns[-1]) == (51, 51)


def test_window_of_whole_pixels_is_a_slice_of_the_image():
    image = gradient()
    window = Window(10, 20, 1, 1, 32)
    assert (window.image(image) == image[20:52, 10:42]).all()
    labels = image[..., 0]
    assert (window.label(labels, 255) == labels[20:52, 10:42]).all()


@pytest.mark.parametrize("step", [1.0, 1.7, 2.0, 3.3])
def test_a_cell_shows_the_pixels_under_it(step):
    window = Window(5.5, 3.25, step, step, 20)
    shown = window.image(gradient())
    middle = (np.arange(20) + 0.5) * step - 0.5
    assert np.abs(shown[:, :, 0] - (5.5 + middle)[None]).max() < 1.2
    assert np.abs(shown[:, :, 1] - (3.25 + middle)[:, None]).max() < 1.2


def test_shrinking_averages():
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    assert Window(0, 0, 8, 8, 32).image(noise)[4:-4, 4:-4].std() < noise.std() / 5


def test_beyond_the_image_photographs_go_on_and_labels_are_filled():
    image = gradient()
    window = Window(-10, -10, 1, 1, 32)
    assert (window.image(image)[:10, :10, :2] == 0).all()
    assert (window.label(image[..., 0], 255)[:10] == 255).all()


def test_coordinates_run_from_side_to_side_of_the_box():
    box = Box(0, 8, 16, 23, 19)
    x, y, norm, inside, aspect = Window(0, 0, 1, 1, 32).coordinates(box)
    assert (x[0, 8], x[0, 23]) == pytest.approx((-15 / 16, 15 / 16))
    assert (y[16, 0], y[19, 0]) == pytest.approx((-0.75, 0.75))
    assert (x.min(), x.max(), y.min()) == (-1.5, 1.5, -1.5)
    assert norm[17, 15] == pytest.approx(np.hypot(x[17, 15], y[17, 15]))
    assert inside.sum() == 16 * 4
    assert np.allclose(aspect, np.log(4))


@pytest.mark.parametrize("cell", [1, 4])
def test_a_map_over_the_window_returns_to_the_pixels_of_the_box(cell):
    box = Box(0, 30, 20, 89, 59)
    window = Window.around(box, 96, share=0.6)
    rows = np.arange(96 // cell, dtype=np.float32)[:, None].repeat(96 // cell, 1)
    back = window.to_box(rows, box)
    assert back.shape == (40, 60)
    # The row of the image under each row of the box, read back from the row of the map.
    there = window.top + (back[:, 0] + 0.5) * cell * window.step_y - 0.5
    assert np.abs(there - np.arange(20, 60)).max() < 0.1
    assert np.allclose(back, back[:, :1])


def test_random_windows_hold_the_box():
    rng, box = np.random.default_rng(0), Box(0, 30, 20, 89, 39)
    shares = []
    for _ in range(200):
        window = Window.random(rng, box, 64, (0.4, 0.85))
        assert window.left <= 30
        assert window.left + 64 * window.step_x >= 90
        assert window.top <= 20
        assert window.top + 64 * window.step_y >= 40
        shares.append(60 / (64 * window.step_x))
    assert 0.33 < min(shares) < 0.45
    assert 0.8 < max(shares) < 1


@pytest.mark.parametrize("box", [Box(0, 0, 0, 0, 0), Box(0, 119, 0, 119, 79), Box(0, 0, 79, 119, 79)])
def test_boxes_at_the_border_have_windows(box):
    window = Window.around(box, 64, share=0.6)
    assert window.image(gradient()).shape == (64, 64, 3)
    shape = box.ymax - box.ymin + 1, box.xmax - box.xmin + 1
    assert window.to_box(np.ones((16, 16), np.float32), box) == pytest.approx(np.ones(shape))


@pytest.mark.parametrize(("name", "value"), [("side", 100), ("side", 16), ("images", 0), ("least_share", 0.9)])
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ConfigError) as caught:
        WindowSettings(**{name: value})
    assert (caught.value.key, caught.value.found) == (name, value)
    with pytest.raises(ConfigError, match="expected one or more"):
        WindowSettings(shares=[])
