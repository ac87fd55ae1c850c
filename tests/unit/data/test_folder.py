"""A folder of images: what is found in it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weakpan.basics.errors import DataError
from weakpan.data.folder import SUFFIXES, ImageFolder


def save(path: Path, height: int = 12, width: int = 20, mode: str = "RGB", **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(height).integers(0, 256, (height, width, 3)).astype(np.uint8)
    Image.fromarray(values).convert(mode).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".JPG"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_every_kind_of_file_is_read_as_rgb(tmp_path: Path, suffix: str, mode: str) -> None:
    path = save(tmp_path / f"street{suffix}", mode=mode)
    folder = ImageFolder(tmp_path)
    assert folder.ids == ("street",)
    assert folder.image_size("street") == (12, 20)
    image = folder.image("street")
    assert image.shape == (12, 20, 3)
    assert image.dtype == np.uint8
    with Image.open(path) as reference:
        # Decoders of lossy formats may differ by a few levels.
        assert np.abs(image.astype(int) - np.asarray(reference.convert("RGB"))).max() <= 4


def test_sub_folders_are_searched_and_hidden_files_and_other_files_left_out(tmp_path: Path) -> None:
    for name in ("b.png", "x/a.jpg", "x/y/c.bmp", ".trash/d.png", "x/._a.jpg"):
        save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    folder = ImageFolder(tmp_path)
    assert folder.ids == ("a", "b", "c")
    assert folder.image_path("a") == tmp_path / "x" / "a.jpg"


def test_two_photographs_of_one_name_are_both_named(tmp_path: Path) -> None:
    paths = [save(tmp_path / "one" / "street.png"), save(tmp_path / "two" / "street.jpg")]
    with pytest.raises(DataError, match="rename one") as error:
        ImageFolder(tmp_path).ids  # noqa: B018
    assert all(str(path) in str(error.value) for path in paths)


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s != ".tiff"])
def test_a_truncated_file_of_any_kind_is_found_before_it_is_used(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"street{suffix}", 60, 80)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(DataError, match=r"truncated|not a readable|not readable") as error:
        ImageFolder(tmp_path).image_size("street")
    assert str(path) in str(error.value)


def test_a_turned_photograph_is_shown_upright(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # the top of the picture is its right side
    save(tmp_path / "street.jpg", 12, 20, exif=turned)
    folder = ImageFolder(tmp_path)
    assert folder.image("street").shape == (20, 12, 3)
    assert folder.image_size("street") == (12, 20)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for name, message in (("empty", "no image in it"), ("file", "is a file"), ("gone", "no such folder")):
        with pytest.raises(DataError, match=f"input={tmp_path / name}: {message}"):
            ImageFolder(tmp_path / name).ids  # noqa: B018
