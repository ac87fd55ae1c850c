"""The folder of a model of the SAM family: what is in it, and whether it can be read.

Such a model is saved by the library transformers: `config.json`, `processor_config.json` (of older releases
`preprocessor_config.json`), and `model.safetensors`, or several such files with an index. Nothing here needs torch.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from weakpan.basics.errors import ConfigError, DataError

FAMILIES = ("sam", "sam_hq", "sam2", "sam2_video")
"""`model_type` in a config.json that can be used; the image part of the last one is a SAM 2."""

FOUNDATION = (
    "a foundation model that others trained on masks, a billion of them for SAM: more than boxes and tags stands "
    "behind these masks"
)
"""The supervision of such a model, in words."""

_SAVE = "save model and processor into one folder with save_pretrained of the library transformers"


def weight_files(path: Path) -> tuple[Path, ...]:
    """The files that a network is read from: `path` itself, or those of a folder that count, by name."""
    if not path.is_dir():
        return (path,)
    return tuple(sorted(p for p in path.iterdir() if p.suffix in (".json", ".safetensors") and p.is_file()))


def check_sam_folder(folder: Path) -> None:
    """Refuse a folder that cannot be read as a model of the SAM family, as far as files tell; torch is not imported.

    Raises:
        ConfigError: the library that reads it is not installed.
        DataError: a file that is missing or damaged, or a model of another family.
    """
    if find_spec("transformers") is None:
        raise ConfigError(
            f"{folder}: models of the SAM family are read by the library transformers, which is not installed; install "
            "it with uv sync --group sam"
        )
    config = _json(folder / "config.json")
    family = config.get("model_type")
    if family not in FAMILIES:
        raise DataError(f"{folder / 'config.json'}: model_type is {family!r}; expected one of {', '.join(FAMILIES)}")
    for key in ("attn_implementation", "_attn_implementation"):
        if "/" in str(config.get(key)):
            raise DataError(
                f"{folder / 'config.json'}: {key} names {config[key]}, a program that would be fetched and run; remove "
                "that entry"
            )
    if "quantization_config" in config or (folder / "adapter_config.json").is_file():
        raise DataError(
            f"{folder}: a quantised model, or one with an adapter; give the plain model, as first published"
        )
    processors = [folder / name for name in ("processor_config.json", "preprocessor_config.json")]
    if not any(path.is_file() for path in processors):
        raise DataError(f"{folder}: neither {processors[0].name} nor {processors[1].name}; {_SAVE}")
    _check_weights(folder)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; {_SAVE}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON ({error}); {_SAVE}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds a {type(content).__name__}, expected a JSON object; {_SAVE}")
    return content


def _check_weights(folder: Path) -> None:
    # A library that the rest of weakpan does without, and that transformers always brings.
    from safetensors import SafetensorError, safe_open

    index = folder / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if not (folder / "model.safetensors").is_file() and index.is_file():
        where = _json(index).get("weight_map")
        names = set(where.values()) if isinstance(where, dict) else set()
        if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
            raise DataError(f"{index}: its weight_map does not name files of this folder; {_SAVE}")
    for path in (folder / name for name in sorted(names)):
        if not path.is_file():
            pickles = sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pth"))
            found = f", and {pickles[0]} is a pickle, which is not read: it could run any program" if pickles else ""
            raise DataError(f"{path}: no such file{found}; {_SAVE} (release 5 writes safetensors alone)")
        try:
            with safe_open(path, framework="numpy"):
                pass
        except (OSError, SafetensorError) as error:
            raise DataError(f"{path}: damaged or no safetensors file ({error}); fetch it again, or {_SAVE}") from error
