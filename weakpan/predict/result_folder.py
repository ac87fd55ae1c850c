"""The folder that predictions go to: claimed by its settings, and gone on with after an interruption.

Until a command is finished, `unfinished/ID.json` says of an image that its files are whole, which file it was
predicted from, and what `panoptic.json` will say of it; `unfinished/ID.png` is its map of classes, where predictions
are scored.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from weakpan.basics.arrays import RGBImage, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError, RunError
from weakpan.basics.panoptic import PanopticMap, Segment
from weakpan.data.formats.coco import (
    CocoImage,
    CocoPanoptic,
    rgb_to_ids,
    segment_records,
    write_panoptic_json,
    write_panoptic_png,
)
from weakpan.parallel.ranks import world
from weakpan.predict.overlays import draw_prediction, write_jpeg
from weakpan.predict.photographs import Stamp
from weakpan.storage.files import is_temporary, write_text_atomically
from weakpan.storage.images import inspect_image, read_rgb
from weakpan.storage.json_files import Document, read_json
from weakpan.storage.map_store import MapStore
from weakpan.storage.stage_record import StageRecord
from weakpan.training.prediction import Prediction

SETTINGS = "predict.settings.json"
"""File of the settings that the folder stands for."""


def check_out(out: Path, lock: Path) -> None:
    """Make sure that results can go to a folder, without making it.

    Args:
        out: the folder; what lies on the way to it need not be there.
        lock: file that may lie there.

    Raises:
        RunError: it cannot be written to, or it holds something that no earlier start of predict.py has left.
    """
    place = out.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise RunError("not a folder that can be written to", key="out", found=out, remedy="give another")
    if not out.is_dir():
        return
    first = next((path for path in out.iterdir() if path != lock and not is_temporary(path)), None)
    if first is not None and not (out / SETTINGS).is_file():
        raise RunError(
            f"not empty, it holds {first.name}", key="out", found=out, remedy="give a new folder, or delete this one"
        )


def predict_record(out: Path, settings: Mapping[str, Any]) -> StageRecord:
    """The settings of predictions, in `OUT/predict.settings.json` from the first one on."""
    return StageRecord("predictions", out / SETTINGS, out / "panoptic.json", settings)


class _Part(Document):
    """What `unfinished/ID.json` holds: the fields of `CocoImage`, and what tells whether all belongs together."""

    image_id: str
    file_name: str
    height: int
    width: int
    segments: tuple[dict[str, Any], ...]
    photograph: Stamp
    crc32: int
    sealed: int


@dataclass(frozen=True)
class ResultFolder:
    """Reads and writes the results of single images; several ranks may write different ones at the same time.

    Where predictions are `scored`, those of an interrupted command are needed again.
    """

    out: Path
    record_of_settings: StageRecord
    catalog: Catalog
    overlays: bool
    scored: bool

    @property
    def json(self) -> Path:
        """File that is written last."""
        return self.out / "panoptic.json"

    @property
    def scores(self) -> Path:
        """File of the scores, where there are any."""
        return self.out / "scores.json"

    def has(self, image_id: str, stamp: Stamp) -> bool:
        """Whether results of an image are there, whole, written together, and of the photograph with this stamp."""
        try:
            part, png = self._read_part(image_id), self._png(image_id)
            if part.photograph != stamp or not png.is_file() or zlib.crc32(png.read_bytes()) != part.crc32:
                return False
            if self.overlays:
                inspect_image(self._overlay(image_id))
            if self.scored:
                self._classes.read(image_id)
        except DataError:
            return False
        return True

    def kept(self, stamps: Mapping[str, Stamp]) -> list[str] | None:
        """Look what an earlier command has done; stamps are of all photographs, by image id.

        Returns:
            Ids of the images whose results need not be made again, sorted; None if everything is finished.

        Raises:
            RunError: results of other settings came first.
            WeakpanError: see `is_finished`.
        """
        # Another command may have ended since this one began.
        self.record_of_settings.refuse_others()
        if self.is_finished({image_id: str(stamp["file_name"]) for image_id, stamp in stamps.items()}):
            return None
        return sorted(image_id for image_id, stamp in stamps.items() if self.has(image_id, stamp))

    def write(self, prediction: Prediction, photograph: RGBImage | None, stamp: Stamp) -> CocoImage:
        """Write the results of one image, and last that they are whole; returns what panoptic.json will say of it.

        Where the first one cannot be written, nothing is left of it, so that the next start may have other settings.
        The photograph, (H, W, 3) uint8 RGB, is for the picture; None without one.

        Raises:
            RunError: results of other settings came first.
        """
        first = self.record_of_settings.claim()
        try:
            return self._write(prediction, photograph, stamp)
        except BaseException:
            # Another rank may have taken the claim for its own.
            if first and world() == 1:
                self._withdraw(prediction.image_id)
            raise

    def _write(self, prediction: Prediction, photograph: RGBImage | None, stamp: Stamp) -> CocoImage:
        image_id, panoptic = prediction.image_id, prediction.panoptic
        assert panoptic is not None
        write_panoptic_png(self._png(image_id), panoptic)
        if photograph is not None:
            write_jpeg(self._overlay(image_id), draw_prediction(photograph, panoptic, self.catalog))
        if self.scored:
            self._classes.write(image_id, prediction.semantic)
        height, width = panoptic.ids.shape
        segments = tuple(segment_records(panoptic, self.catalog))
        record = CocoImage(image_id, str(stamp["file_name"]), height, width, segments)
        checksum = zlib.crc32(self._png(image_id).read_bytes())
        content = {**asdict(record), "photograph": stamp, "crc32": checksum}
        sealed = {**content, "sealed": _seal(content)}
        write_text_atomically(self._part(image_id), json.dumps(sealed) + "\n")
        return record

    def _withdraw(self, image_id: str) -> None:
        """Remove the files of the one image that there is, and the settings."""
        png, overlay, part = self._png(image_id), self._overlay(image_id), self._part(image_id)
        # What can neither be written nor removed stays, with its settings.
        with suppress(OSError):
            for path in (png, overlay, part, self._classes.path(image_id)):
                path.unlink(missing_ok=True)
            for folder in {png.parent, overlay.parent, part.parent}:
                if folder.is_dir():
                    folder.rmdir()
            self.record_of_settings.settings_path.unlink(missing_ok=True)

    def record(self, image_id: str) -> CocoImage:
        """What panoptic.json will say of an image that is done; raises DataError if that is missing or damaged."""
        part = self._read_part(image_id)
        return CocoImage(part.image_id, part.file_name, part.height, part.width, part.segments)

    def prediction(self, image_id: str) -> tuple[PanopticMap, SemanticMap]:
        """The maps of an image that is done, as the network gave them; raises DataError for damaged files."""
        train_id_of = {c.dataset_id: i for i, c in enumerate(self.catalog.classes)}
        segments = tuple(
            Segment(s["id"], train_id_of[s["category_id"]], s["score"]) for s in self.record(image_id).segments
        )
        ids = rgb_to_ids(read_rgb(self._png(image_id)))
        return PanopticMap(ids, segments), self._classes.read(image_id)

    def is_finished(self, file_names: Mapping[str, str]) -> bool:
        """Whether an earlier command has finished these photographs, whose file names are told by image id.

        Raises:
            RunError: it has finished others, since photographs that could not be read then can be read now, or the
                other way round; or a file of its results is missing, or cut short.
            DataError: panoptic.json is damaged.
        """
        if not self.json.is_file():
            return False
        finished = CocoPanoptic(self.json, self.catalog)
        done = {image_id: image.file_name for image_id, image in finished.images.items()}
        if not done or set(done) != set(finished.ids):
            raise DataError(
                f"{self.json}: damaged, it lists {len(done)} photographs and has annotations of {len(finished.ids)}; "
                f"delete {self.out} to predict again"
            )
        if done != file_names:
            odd = min(i for i in done.keys() | file_names.keys() if done.get(i) != file_names.get(i))
            raise RunError(
                f"{self.json}: finished with {len(done)} photographs, of which others can be read now "
                f"({len(file_names)}; {odd} was {done.get(odd, 'not there')} then, {file_names.get(odd, 'not there')} "
                "now); give a new folder"
            )
        for path in self._expected(sorted(done)):
            try:
                if path != self.scores:
                    inspect_image(path)
                elif not path.is_file():
                    raise DataError(f"{path}: missing")
            except DataError as error:
                raise RunError(
                    f"{error}; {self.json} says that everything is finished: give a new folder, or delete "
                    f"{self.out} to predict again"
                ) from error
        self._forget_parts()
        return True

    def _expected(self, ids: Iterable[str]) -> Iterator[Path]:
        """Every file that is there when panoptic.json is."""
        for image_id in ids:
            yield self._png(image_id)
            if self.overlays:
                yield self._overlay(image_id)
        if self.scored:
            yield self.scores

    def finish(self, images: Sequence[CocoImage], info: Mapping[str, Any]) -> None:
        """Write panoptic.json, which says that the folder is complete; all ranks have written by then."""
        write_panoptic_json(self.json, self.catalog, images, info)
        self._forget_parts()

    def _forget_parts(self) -> None:
        shutil.rmtree(self._classes.folder, ignore_errors=True)

    def _read_part(self, image_id: str) -> _Part:
        path, remedy = self._part(image_id), "start the same command again"
        part = read_json(path, _Part, remedy)
        if part.sealed != _seal(part.model_dump(exclude={"sealed"})):
            raise DataError("does not fit its checksum", path=path, remedy=remedy)
        return part

    @property
    def _classes(self) -> MapStore:
        return MapStore(self.out / "unfinished")

    def _part(self, image_id: str) -> Path:
        return self._classes.path(image_id).with_suffix(".json")

    def _png(self, image_id: str) -> Path:
        return self.out / "panoptic" / f"{image_id}.png"

    def _overlay(self, image_id: str) -> Path:
        return self.out / "overlays" / f"{image_id}.jpg"


def _seal(content: Mapping[str, Any]) -> int:
    """CRC-32 of what a file says of an image, as JSON brings it back: plain values in any order."""
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())
