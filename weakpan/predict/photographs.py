"""What is to be predicted: a folder of photographs, or a split of the run's data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from weakpan.basics.errors import DataError, one_line
from weakpan.config.data import OnError
from weakpan.config.predict import PredictConfig
from weakpan.data.folder import ImageFolder
from weakpan.data.ground_truth import GroundTruth
from weakpan.data.image_tree import ImageTree
from weakpan.data.tree_files import FileTemplates, TreeFiles
from weakpan.parallel.sharing import share
from weakpan.predict.trained import Trained
from weakpan.storage.layout import checked_id

Stamp = dict[str, str | int]
"""Of a photograph: `file_name` below the folder, `bytes`, and `mtime_ns`, its time in nanoseconds."""


@dataclass(frozen=True)
class Source:
    """Photographs to predict, all of them looked at.

    Attributes:
        photographs: by id.
        truth: their ground truth where every one of them has any; None otherwise.
        name: of the folder or the split, for messages.
        ids: of the images that are predicted.
        failures: image id and message, for each image that cannot be read and is left out.
    """

    photographs: ImageFolder | ImageTree
    truth: GroundTruth | None
    name: str
    ids: Sequence[str]
    failures: Sequence[tuple[str, str]] = ()

    def file_name(self, image_id: str) -> str:
        """Path of a photograph below the folder, with forward slashes."""
        return self.photographs.image_path(image_id).relative_to(self.photographs.root).as_posix()

    def stamp(self, image_id: str) -> Stamp:
        """What tells the file of a photograph from another one; raises DataError if it is gone."""
        path = self.photographs.image_path(image_id)
        try:
            found = path.stat()
        except OSError as error:
            raise DataError(f"{path}: not readable ({error.strerror}); it was there a moment ago") from error
        return {"file_name": self.file_name(image_id), "bytes": found.st_size, "mtime_ns": found.st_mtime_ns}


def open_source(config: PredictConfig, trained: Trained) -> Source:
    """Find the photographs and look at every file.

    Raises:
        DataError: no folder, no photograph, two with the same id, one whose id cannot be the name of a file on every
            system, no such split, or a file that is damaged; with `on_error=skip` no file that is not.
    """
    truth = None
    photographs = ImageFolder(Path(config.input)) if config.input is not None else _open_split(config, trained)
    ids = photographs.ids
    for image_id in ids:
        checked_id(image_id, photographs.image_path(image_id), "rename the file")
    if isinstance(photographs, ImageTree) and all(map(GroundTruth.of(photographs).has, ids)):
        truth = GroundTruth.of(photographs)
    name = f"split {config.split} of {photographs.root}" if config.input is None else str(photographs.root)
    if config.on_error is OnError.stop:
        for image_id in ids:
            photographs.image_size(image_id)
        return Source(photographs, truth, name, ids)
    read = partial(read_whole, photographs, truth)
    failures = share(read, ids, max(1, config.workers), "reading", skip_failures=True).failures
    if len(failures) == len(ids):
        raise DataError(f"{name}: none of {len(ids)} photographs can be read; the first: {one_line(failures[0][1])}")
    left_out = {image_id for image_id, _ in failures}
    return Source(photographs, truth, name, tuple(i for i in ids if i not in left_out), tuple(failures))


def _open_split(config: PredictConfig, trained: Trained) -> ImageTree:
    data, name = trained.content.data, str(config.split)
    root = Path(str(data["root"]) if config.data_root is None else config.data_root)
    if not root.is_dir():
        raise DataError(
            "no such folder (where the data set lay in training)", path=root, remedy="give its place, data_root=FOLDER"
        )
    files = FileTemplates(**{str(key): str(value) for key, value in dict(data["files"]).items()})
    listed = dict(data["listed"]).get(name)
    # In the words of this script, which has other keys than those that train.
    if not any(TreeFiles(root, name).matches(files.image)):
        raise DataError(
            f"no image of the data set in {root} is of this split",
            key="split",
            found=name,
            remedy="give another, or data_root=FOLDER if the data set has moved",
        )
    split = ImageTree(root, name, trained.catalog, files, None if listed is None else tuple(map(str, listed)))
    try:
        split.ids  # noqa: B018  (reads the folder)
    except DataError as error:
        raise DataError(f"split={name}: {error} (or data_root=FOLDER, if the data set has moved)") from error
    return split


def read_whole(photographs: ImageFolder | ImageTree, truth: GroundTruth | None, image_id: str) -> Counter[str]:
    """Read a photograph and, where there is any, its ground truth; raises DataError for a file that is damaged."""
    photographs.image_size(image_id)
    photographs.image(image_id)
    if truth is not None:
        truth.panoptic(image_id)
    return Counter(images=1)
