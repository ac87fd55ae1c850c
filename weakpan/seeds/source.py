"""Seed sources: where the first label maps of a split come from.

A source is an object of the group `seeds`. One of your own is a subclass of `SeedSource` anywhere on the Python path:

    # conf/seeds/mine.yaml
    _target_: my_package.MySeeds
    strength: 0.5

Processes that only read settings import this module, so it must stay clear of torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from weakpan.basics.arrays import RGBImage, SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.data.annotations import WeakAnnotations


class Images(Protocol):
    """Images of a split."""

    def image(self, image_id: str, /) -> RGBImage:
        """(H, W, 3) uint8 RGB."""
        ...


class ClassifierHeatmaps(Protocol):
    """Grad-CAM of the trained crop classifier, as `weakpan.training.grad_cam_module` makes it."""

    def __call__(self, scales: Sequence[float], flip: bool, take: Callable[[Mapping[str, Any]], None], /) -> None:
        """Hand over the heatmaps of every image still to do, on the rank that it belongs to.

        Args:
            scales: factors by which crops are scaled before the classifier looks at them; heatmaps are averaged.
            flip: average over the crops and their mirror images.
            take: called with `image_id`; `image` (3, H, W) uint8 RGB; `set_index` (H, W) int32 and `set_table` (S, C)
                bool, candidates as in `CandidateSets`; `pairs` (P, 2) int64, crop and class; `heatmaps` (P, h, w)
                float32, Grad-CAM of each pair without its ReLU.
        """
        ...


class ExtraFiles(Protocol):
    """A folder with a file an image that a source writes beside the label maps."""

    def path(self, image_id: str, /) -> Path:
        """File of an image."""
        ...

    def has(self, image_id: str, /) -> bool:
        """Whether the file of an image is there and whole."""
        ...


@dataclass(frozen=True)
class SeedJob:
    """What a source works with. Every rank has one; what is called by all ranks says so.

    Attributes:
        images: of the split.
        annotations: their boxes and tags, the class table, and the crop grid of the tags.
        ids: of all images of the split: those that may be learned from.
        todo: those of them that have no seeds yet, the same on every rank; never empty.
        write: takes an image id and its seeds, (H, W) uint8 train ids, 255 unlabelled; called once for each of `todo`,
            by any one rank.
        each_image: makes and writes the seeds of every image to do, shared over ranks and worker processes; takes a
            picklable function from an image id to its seeds; called by all ranks.
        masks: the masks in boxes of an image, (H, W) uint8: train ids of things, 254 no thing, 255 undecided; None
            unless the source `needs_masks`.
        heatmaps: Grad-CAM of the crop classifier; None unless the source `needs_classifier`; called by all ranks.
        trainer: a fresh `pytorch_lightning.Trainer`, from a name for progress lines, a list of callbacks, and arguments
            that override the configured ones; for a source that trains a network of its own; called by all ranks.
        extra: folder for files beside the maps, by name.
        workers: processes.
        seed: of the run.
    """

    images: Images
    annotations: WeakAnnotations
    ids: Sequence[str]
    todo: Sequence[str]
    write: Callable[[str, SemanticMap], None]
    each_image: Callable[[Callable[[str], SemanticMap]], None]
    masks: Callable[[str], SemanticMap] | None
    heatmaps: ClassifierHeatmaps | None
    trainer: Callable[..., Any]
    extra: Callable[[str], Path]
    workers: int
    seed: int


class SeedSource(ABC):
    """Makes a label map of every image from boxes and tags.

    Attributes:
        needs_classifier: whether it asks for the heatmaps of the crop classifier, which is trained first.
        reads_heatmaps: whether it can be made from heatmaps of a classifier that were kept, too.
        needs_masks: whether it asks for masks in boxes.
        without_effect: names of its settings that change no label map.
        without_effect_on_heatmaps: names of those that change none that is made from kept heatmaps.
    """

    needs_classifier: ClassVar[bool] = False
    reads_heatmaps: ClassVar[bool] = False
    needs_masks: ClassVar[bool] = False
    without_effect: ClassVar[tuple[str, ...]] = ()
    without_effect_on_heatmaps: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def supervision(self) -> str:
        """What stands behind the seeds, in words, for reports."""

    @abstractmethod
    def make(self, job: SeedJob) -> None:
        """Make and write the seeds of `job.todo`; called by all ranks.

        Raises:
            WeakpanError: anything that the user can mend.
        """

    def contents(self) -> dict[str, str]:
        """Checksums, by setting, of files that its results depend on and that may change while their paths stay."""
        return {}

    def extra_files(self, extra: Callable[[str], Path], catalog: Catalog) -> ExtraFiles | None:  # noqa: ARG002
        """Files that it writes beside the maps, without which an image is not done; None for none.

        Args:
            extra: folder for such files, by name.
            catalog: class table.
        """
        return None
