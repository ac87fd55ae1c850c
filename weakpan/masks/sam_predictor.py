"""A model of the SAM family from its folder, and its masks in the boxes of an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from weakpan.basics.arrays import FloatMap, RGBImage
from weakpan.basics.errors import DataError
from weakpan.basics.torch_threads import one_thread
from weakpan.data.annotations import Box, BoxKind
from weakpan.masks.sam_folder import check_sam_folder

# Boxes that are prompted with together; their number bounds the memory, and more gain little.
_TOGETHER = 16


@dataclass(frozen=True)
class SamPredictor:
    """A model of the SAM family ready to be asked.

    Attributes:
        model: in evaluation mode.
        processor: makes its input of images and boxes, and maps of its output.
    """

    model: Any
    processor: Any

    @torch.no_grad()
    def probabilities(self, image: RGBImage, boxes: Sequence[Box]) -> dict[int, FloatMap]:
        """Probabilities that pixels of boxes are their objects.

        The model gives one mask a box rather than three to choose from: those are for prompts such as a single point,
        which leave open whether a whole or its part is meant, and a box does not.

        Args:
            image: (H, W, 3) RGB, 0..255.
            boxes: in the image, of any kind.

        Returns:
            By position of the instance boxes in `boxes`, (box height, box width), 0..1.
        """
        wanted = [index for index, box in enumerate(boxes) if box.kind is BoxKind.INSTANCE]
        if not wanted:
            return {}
        with one_thread():
            # Its boxes hold both corner pixels, as ours do: it was trained with the outermost pixels of masks.
            corners = [[float(v) for v in (b.xmin, b.ymin, b.xmax, b.ymax)] for b in (boxes[k] for k in wanted)]
            given = self.processor(
                images=image, input_boxes=[corners], return_tensors="pt", input_data_format="channels_last"
            )
            seen = self._embeddings(given["pixel_values"])
            found: dict[int, FloatMap] = {}
            for start in range(0, len(wanted), _TOGETHER):
                part = slice(start, start + _TOGETHER)
                output = self.model(**seen, input_boxes=given["input_boxes"][:, part], multimask_output=False)
                for index, logits in zip(wanted[part], output.pred_masks[0], strict=True):
                    found[index] = self._in_box(logits, boxes[index], given)
        return found

    def _embeddings(self, pixels: Tensor) -> dict[str, Any]:
        """Of the image, looked at once for all its boxes: arguments of the model."""
        seen = self.model.get_image_embeddings(pixels)
        if self.model.config.model_type == "sam_hq":
            return {"image_embeddings": seen[0], "intermediate_embeddings": seen[1]}
        return {"image_embeddings": seen}

    def _in_box(self, logits: Tensor, box: Box, given: Mapping[str, Any]) -> FloatMap:
        """Probabilities in the box of (1, h, w) log odds, which are enlarged before they are cut, one box at a time."""
        sizes = [given[name] for name in ("original_sizes", "reshaped_input_sizes") if name in given]
        (whole,) = self.processor.post_process_masks([logits[None]], *sizes, binarize=False)
        inside: FloatMap = whole[0, 0][box.slices].sigmoid().numpy()
        return inside


def read_sam(folder: Path) -> SamPredictor:
    """Read a model; nothing in the folder is executed, and nothing is fetched.

    Raises:
        ConfigError: the library that reads it is not installed.
        DataError: a part of the folder is missing, damaged, or does not fit the others.
    """
    check_sam_folder(folder)
    # Not above: where it is missing, that has been said by now.
    from transformers import AutoModelForMaskGeneration, AutoProcessor

    # A configuration can name an implementation of attention that would be fetched and run.
    alone = {"local_files_only": True, "trust_remote_code": False}
    plain = {"attn_implementation": "sdpa", "use_safetensors": True, "dtype": torch.float32}
    try:
        # Weights that are made up and replaced at once must not take numbers from whoever asks.
        with _quiet(), torch.random.fork_rng(devices=[]):
            model, info = AutoModelForMaskGeneration.from_pretrained(folder, output_loading_info=True, **plain, **alone)
            processor = AutoProcessor.from_pretrained(folder, **alone)
    except Exception as error:  # the library raises a dozen types for files that do not fit
        raise DataError(f"{folder}: not readable as a SAM model ({type(error).__name__}: {error})") from error
    if info["missing_keys"]:
        names = sorted(info["missing_keys"])
        raise DataError(f"{folder}: {len(names)} weights of the model are not in its files, {names[0]} for one")
    _check_sizes(folder, model, processor)
    return SamPredictor(model.eval(), processor)


def _check_sizes(folder: Path, model: Any, processor: Any) -> None:
    side, made = model.config.prompt_encoder_config.image_size, {processor.target_size}
    if padded := getattr(processor.image_processor, "pad_size", None):
        made |= {padded["height"], padded["width"]}
    if made != {side}:
        raise DataError(
            f"{folder}: its processor makes pictures with sides of {' and '.join(map(str, sorted(made)))} pixels, its "
            f"model sees {side}; save both from the same model"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's bars, one for each process, and its advice to those who train such models."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
