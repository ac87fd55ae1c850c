"""The runner: what is whole is skipped, settings are kept with the first result, the seal comes when all are there."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from weakpan.basics.errors import DataError, RunError
from weakpan.stages.run_stage import Shares, run_task
from weakpan.storage.stage_record import StageRecord

IDS = tuple("abcdef")


@dataclass(frozen=True)
class Shout:
    """Writes the id of an image in capitals."""

    folder: Path
    absent: str = ""
    damaged: str = ""

    def missing(self, image_id):
        return self.folder / "input" if image_id == self.absent else None

    def is_done(self, image_id):
        return self.files(image_id)[0].is_file()

    def make(self, image_id):
        if image_id == self.damaged:
            raise DataError("damaged", path=image_id)
        return image_id.upper()

    def write(self, image_id, result):
        self.files(image_id)[0].write_text(result)
        return Counter(images=1, letters=len(result))

    def files(self, image_id):
        return (self.folder / image_id,)


def record(folder, **settings):
    return StageRecord("shout", folder / "settings.json", folder / "manifest.json", settings)


def run(folder, shares=Shares(), ids=IDS, settings=None, **more):  # noqa: B008
    return run_task(
        Shout(folder, **more), record(folder, **(settings or {})), ids, shares, lambda i, o: {**o.counts, "all": len(i)}
    )


def test_all_images_are_made_once_and_sealed(tmp_path):
    outcome = run(tmp_path)
    assert (outcome.made, outcome.kept, outcome.counts["letters"]) == (6, 0, 6)
    assert record(tmp_path).summary() == {"images": 6, "letters": 6, "all": 6}
    (tmp_path / "a").write_text("changed since")
    with pytest.raises(DataError) as caught:
        run(tmp_path)
    assert caught.value.path == tmp_path / "a"


def test_what_is_whole_is_kept(tmp_path):
    (tmp_path / "c").write_text("mine")
    outcome = run(tmp_path)
    assert (outcome.made, outcome.kept) == (5, 1)
    assert (tmp_path / "c").read_text() == "mine"


def test_the_last_shard_seals(tmp_path):
    assert run(tmp_path, Shares(shard=(0, 2))).made == 3
    assert not record(tmp_path).is_sealed()
    assert run(tmp_path, Shares(shard=(1, 2))).made == 3
    assert record(tmp_path).is_sealed()


def test_a_missing_file_is_found_before_any_work(tmp_path):
    with pytest.raises(DataError, match="image d"):
        run(tmp_path, absent="d")
    assert list(tmp_path.iterdir()) == []


def test_skipped_images_keep_the_stage_open(tmp_path):
    outcome = run(tmp_path, Shares(skip_failures=True), damaged="b")
    assert [image_id for image_id, _ in outcome.failures] == ["b"]
    assert not record(tmp_path).is_sealed()
    assert run(tmp_path).made == 1
    assert record(tmp_path).is_sealed()


def test_a_failure_ends_the_stage_and_keeps_what_was_done(tmp_path):
    with pytest.raises(DataError):
        run(tmp_path, damaged="b")
    assert (tmp_path / "a").is_file()
    assert not record(tmp_path).is_sealed()


def test_other_settings_are_refused(tmp_path):
    run(tmp_path, ids=IDS[:1], settings={"loud": True})
    with pytest.raises(RunError, match="loud: True then, False now"):
        run(tmp_path, settings={"loud": False})
