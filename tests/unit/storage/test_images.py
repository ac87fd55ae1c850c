"""Image files: what is written comes back, and what is damaged is named."""

import cv2
import numpy as np
import pytest
from PIL import Image

from weakpan.basics.errors import DataError
from weakpan.storage.images import inspect_image, read_map, read_rgb, write_indexed_png, write_png

READERS = {"read_rgb": read_rgb, "inspect_image": inspect_image}


@pytest.fixture
def photo():
    # Noise does not compress: a truncated file really lacks pixels.
    return np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def test_colours_keep_their_order(tmp_path):
    red = np.zeros((4, 6, 3), np.uint8)
    red[..., 0] = 200
    write_png(tmp_path / "red.png", red)
    np.testing.assert_array_equal(read_rgb(tmp_path / "red.png"), red)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "red.png")), red)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_maps_come_back(tmp_path, dtype):
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, (9, 13)).astype(dtype)
    write_png(tmp_path / "map.png", values)
    found = read_map(tmp_path / "map.png")
    np.testing.assert_array_equal(found, values)
    assert found.dtype == dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_map_of_labels_takes_few_bytes(tmp_path, dtype):
    values = np.zeros((64, 96), dtype)
    values[20:50, 30:70], values[:, 80:] = 7, np.iinfo(dtype).max
    write_png(tmp_path / "map.png", values)
    np.testing.assert_array_equal(read_map(tmp_path / "map.png"), values)
    assert (tmp_path / "map.png").stat().st_size < values.nbytes / 20


def test_palette_indices_are_not_turned_into_colours(tmp_path):
    indices = np.array([[0, 1], [2, 255]], np.uint8)
    image = Image.fromarray(indices, "P")
    image.putpalette([200, 10, 10] * 256)
    image.save(tmp_path / "indexed.png")
    np.testing.assert_array_equal(read_map(tmp_path / "indexed.png"), indices)


@pytest.mark.parametrize("shape", [(1, 1), (9, 13), (40, 64)])
def test_an_indexed_map_comes_back_and_shows_its_colours(tmp_path, shape):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, shape, dtype=np.uint8)
    palette = rng.integers(0, 256, (256, 3), dtype=np.uint8)
    write_indexed_png(tmp_path / "map.png", values, palette)
    found = read_map(tmp_path / "map.png")
    np.testing.assert_array_equal(found, values)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(read_rgb(tmp_path / "map.png"), palette[values])


def test_a_map_that_is_no_whole_array_keeps_its_values(tmp_path):
    values = np.arange(48, dtype=np.uint8).reshape(6, 8)[::2, 1::3].T
    write_indexed_png(tmp_path / "map.png", values, np.zeros((256, 3), np.uint8))
    np.testing.assert_array_equal(read_map(tmp_path / "map.png"), values)


@pytest.mark.parametrize(
    ("values", "palette"),
    [
        (np.zeros((2, 2), np.uint16), np.zeros((256, 3), np.uint8)),
        (np.zeros((2, 2, 3), np.uint8), np.zeros((256, 3), np.uint8)),
        (np.zeros((2, 2), np.uint8), np.zeros((19, 3), np.uint8)),
        (np.zeros((2, 2), np.uint8), np.zeros((256, 3), np.float32)),
    ],
)
def test_what_is_no_indexed_map_is_not_written(tmp_path, values, palette):
    with pytest.raises(DataError, match=r"map\.png: .*uint8"):
        write_indexed_png(tmp_path / "map.png", values, palette)
    assert not list(tmp_path.iterdir())


def test_sizes_are_read_from_headers(tmp_path, photo):
    write_png(tmp_path / "a.png", photo)
    cv2.imwrite(str(tmp_path / "a.jpg"), photo)
    assert inspect_image(tmp_path / "a.png") == inspect_image(tmp_path / "a.jpg") == (37, 53)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_a_truncated_photograph_is_named(tmp_path, photo, reader, suffix, share):
    path = tmp_path / f"cut{suffix}"
    cv2.imwrite(str(path), photo)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=f"cut{suffix}.*(truncated|not a readable)"):
        reader(path)


@pytest.mark.parametrize("reader", [*READERS.values(), read_map])
@pytest.mark.parametrize("content", [b"", b"no image at all", None])
def test_what_is_no_image_is_named(tmp_path, reader, content):
    path = tmp_path / "thing.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"thing\.png"):
        reader(path)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_map_is_named(tmp_path, share):
    path = tmp_path / "cut.png"
    write_png(path, np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"cut\.png.*truncated"):
        read_map(path)


def test_a_map_has_one_channel(tmp_path, photo):
    write_png(tmp_path / "colour.png", photo)
    with pytest.raises(DataError, match=r"colour\.png.*one channel.*\(37, 53, 3\)"):
        read_map(tmp_path / "colour.png")


@pytest.mark.parametrize("values", [np.zeros((0, 4), np.uint8), np.zeros((2, 2), np.bool_), np.full((2, 2), 70000)])
def test_what_is_no_map_of_8_or_16_bits_is_refused(tmp_path, values):
    with pytest.raises(DataError, match="cannot be written as PNG"):
        write_png(tmp_path / "a.png", values)
    assert not list(tmp_path.iterdir())
