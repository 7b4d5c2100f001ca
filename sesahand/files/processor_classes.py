"""Which of transformers' processors a model folder may ask for: those of models of the kinds that are loaded here.

Some others fetch files from the internet when they are made (OneFormer's image processor a list of classes, MGP-STR's
processor two tokenizers), and being told to use local files alone does not reach them.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UnsafeFileError, quote
from .model_configs import MAX_CONFIG_BYTES, all_entries
from .reading import read_json

FILES = (
    "processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json", "tokenizer_config.json",
    "config.json",
)  # fmt: skip
KEYS = ("processor_class", "image_processor_type", "feature_extractor_type", "video_processor_type")
# Of encoders that models of several families are built on, and those that transformers' tables name under other keys.
OTHERS = (
    "Beit", "Bit", "CLIP", "ConvNext", "DeiT", "Donut", "EfficientNet", "Glm46V", "Kosmos2", "Kosmos2_5", "Nougat",
    "Qwen2_5Omni", "Qwen3OmniMoe", "Siglip", "Siglip2", "TrOCR", "ViT", "VisionTextDualEncoder",
)  # fmt: skip
# Tables of transformers: models that write text about images, and those that turn pictures into features.
WRITING = ("MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES", "MODEL_FOR_VISION_2_SEQ_MAPPING_NAMES")
SEEING = (
    "MODEL_FOR_IMAGE_MAPPING_NAMES", "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
    "MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES",
)  # fmt: skip
# The backends of one image processor, and what older files call them.
VARIANTS = ("Fast", "Pil")


def check_processors(folder: Path, kinds: Sequence[str] = WRITING, what: str = "writes text about images") -> None:
    """Refuse a model folder that asks for the processor of another kind of model.

    Args:
        folder: The model's.
        kinds: Tables of transformers, by their names, of the models that are meant.
        what: What those do, for the message.

    Raises:
        UnsafeFileError: If it does.
    """
    known = _known(kinds)
    for path in (folder / name for name in FILES):
        if not path.exists():
            continue
        for key, name in all_entries(read_json(path, MAX_CONFIG_BYTES)):
            if key in KEYS and name is not None and not (isinstance(name, str) and _plain(name) in known):
                raise UnsafeFileError(
                    f"{path} asks for {key} {quote(name)}, expected that of a model which {what}: others fetch files "
                    "from the internet. Take the files as the model's authors published them, or another model."
                )


def _plain(name: str) -> str:
    for ending in VARIANTS:
        name = name.removesuffix(ending)
    return name.replace("FeatureExtractor", "ImageProcessor")


def _known(models: Sequence[str]) -> set[str]:
    """The plain names of the processors that may be asked for."""
    from transformers.models.auto import (
        feature_extraction_auto,
        image_processing_auto,
        modeling_auto,
        processing_auto,
    )

    tables: list[Mapping[str, Any]] = [
        processing_auto.PROCESSOR_MAPPING_NAMES,
        image_processing_auto.IMAGE_PROCESSOR_MAPPING_NAMES,
        feature_extraction_auto.FEATURE_EXTRACTOR_MAPPING_NAMES,
    ]
    kinds = {kind for name in models for kind in getattr(modeling_auto, name, {})}
    known = {_plain(name) for table in tables for kind in kinds for name in _texts(table.get(kind))}
    known |= {f"{other}{ending}" for other in OTHERS for ending in ("Processor", "ImageProcessor")}
    # What hears, in models that also see, and what takes videos.
    known |= {_plain("WhisperFeatureExtractor")}
    return known | {name.replace("ImageProcessor", "VideoProcessor") for name in known}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
