"""The record of a stage: settings with the first result, other ones refused, other inputs made anew, the seal last."""

import pytest

from weakpan.basics.errors import DataError, RunError
from weakpan.storage.stage_record import StageRecord

IDS = ("a", "b")


def record(folder, weights="1", **settings):
    return StageRecord("masks", folder / "settings.json", folder / "manifest.json", settings, {"weights": weights})


def files(folder):
    return lambda image_id: (folder / f"{image_id}.png",)


def made(folder, **settings):
    """A stage of which everything is there."""
    folder.mkdir(exist_ok=True)
    for image_id in IDS:
        (folder / f"{image_id}.png").write_text(image_id)
    mine = record(folder, **settings)
    mine.seal(IDS, files(folder), {"boxes": 3})
    return mine


def test_nothing_binds_before_the_first_result(tmp_path):
    record(tmp_path, gap=1).refuse_others()
    record(tmp_path, gap=2).claim()
    with pytest.raises(RunError, match="gap: 2 then, 1 now"):
        record(tmp_path, gap=1).claim()
    record(tmp_path, gap=2).claim()


def test_sealed_results_are_held_against_their_checksums(tmp_path):
    mine = made(tmp_path / "m", gap=1)
    assert mine.is_sealed()
    assert mine.summary() == {"boxes": 3}
    mine.verify(IDS, files(tmp_path / "m"))
    (tmp_path / "m/b.png").write_text("other")
    with pytest.raises(DataError) as caught:
        mine.verify(IDS, files(tmp_path / "m"))
    assert caught.value.path == tmp_path / "m/b.png"
    (tmp_path / "m/b.png").unlink()
    with pytest.raises(DataError):
        mine.verify(IDS, files(tmp_path / "m"))
    with pytest.raises(DataError, match="image c"):
        mine.verify(["c"], files(tmp_path / "m"))


def test_no_seal_without_all_files(tmp_path):
    (tmp_path / "a.png").write_text("a")
    with pytest.raises(RunError, match="of b"):
        record(tmp_path).seal(IDS, files(tmp_path), {})
    assert not (tmp_path / "manifest.json").exists()


def test_results_of_other_inputs_are_removed_with_their_record(tmp_path):
    folder = tmp_path / "m"
    made(folder, gap=1)
    record(folder, gap=1).forget_other_inputs(IDS, IDS[:1], files(folder))
    assert (folder / "a.png").is_file()
    record(folder, weights="2", gap=1).forget_other_inputs(IDS, IDS[:1], files(folder))
    assert list(folder.iterdir()) == []


def test_results_without_a_record_are_removed_where_this_job_makes_them(tmp_path):
    """Another job may have begun with the others."""
    for image_id in IDS:
        (tmp_path / f"{image_id}.png").write_text("of weights that nobody knows")
    StageRecord("masks", tmp_path / "settings.json", tmp_path / "manifest.json", {}).forget_other_inputs(
        IDS, IDS[:1], files(tmp_path)
    )
    assert len(list(tmp_path.iterdir())) == len(IDS)
    record(tmp_path, gap=1).forget_other_inputs(IDS, IDS[:1], files(tmp_path))
    assert {path.stem for path in tmp_path.iterdir()} == set(IDS[1:])
