"""Sentences to pictures in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..callbacks import Progress
from ..hands.model import HandModel
from ..models.small.embedded import EMBEDDED
from ..reconstruct.scoring.picture_scorer import PictureScorer
from ..scene.hand_scene import HandScene
from ..vlm.captioner import Captioner
from .order import Line, Order
from .picture_folder import Finished, PictureFolder
from .pipeline import HandGenerator, controlnet_for
from .sampling import SamplingSettings
from .workshop import Workshop


def generate_pictures(
    sentences: str | Sequence[str],
    *,
    hands: HandScene | None = None,
    gesture: str | None = None,
    side: str | None = None,
    size: tuple[int, int] | None = None,
    count: int = 1,
    seed: int = 0,
    generator: HandGenerator | None = None,
    base: str | Path = EMBEDDED,
    controlnet: str | Path | None = None,
    settings: SamplingSettings | None = None,
    hand_model: HandModel | None = None,
    vlm: Captioner | None = None,
    score: bool = False,
    out: str | Path | None = None,
    batch_size: int = 1,
    progress: Progress | None = None,
    vary: Sequence[str] = (),
    hold: bool = False,
) -> list[Finished]:
    """Make pictures whose hands obey both a sentence and a posed 3D hand.

    Args:
        sentences: One sentence or several; each names a gesture unless `hands` or `gesture` do.
        hands: Hands that do not depend on the words, whose frames are taken in turn.
        gesture: A gesture of the library for all sentences, in place of those that they name.
        side: "right", "left" or "both", in place of what the sentences say.
        size: Width and height in pixels; None is the model's own.
        count: Pictures of each sentence.
        seed: Of the first picture's noise; the next ones count on.
        generator: A loaded model; None loads `base` and `controlnet`.
        base: A diffusers folder or `.safetensors` of the SD1.5 family, or "embedded".
        controlnet: A diffusers folder or file; of the small model also "sf", "plain" or "held". None is "sf" there, and
            "held" of the embedded one where `hands` hold something, and with `hold`.
        settings: How to sample; None takes the model's own.
        hand_model: What is posed; the built-in hand if None.
        vlm: Reasons about the sentences in place of the rules.
        score: Look for the hands in the pictures and compare them with those that were asked for; needs the
            detector's files (`sesahand get-detector`).
        out: A folder for the pictures with their maps, hands and parameters; None writes nothing.
        batch_size: Pictures made at a time.
        progress: Called with the steps of the sampler that are done, and all steps.
        vary: What differs from picture to picture, of "view", "side", "shape", "size", "joints" and "caption"; picture
            i is a function of the seed and i alone.
        hold: Put what the sentences let a hand hold into it, such as the cup of "holding a red mug".

    Returns:
        For each picture itself (`picture`, `[H, W, 3]` of 0..1), its map, its record and, if asked for, its score.

    Raises:
        SesaHandError: If a sentence names no gesture where one is needed, or a model or file cannot be read.
    """
    order = Order(
        tuple(map(Line, [sentences] if isinstance(sentences, str) else sentences)),
        gesture=gesture,
        side=side,
        hands=hands,
        size=size,
        hand_model=hand_model,
        vlm=vlm,
        count=count,
        seed=seed,
        vary=tuple(vary),
        hold=hold,
    )
    # What cannot be read is told before a model is loaded.
    _ = order.said
    scorer = PictureScorer() if score else None
    controlnet = controlnet_for(base, controlnet, hands, hold)
    generator = HandGenerator.load(base, controlnet) if generator is None else generator
    folder = None if out is None else PictureFolder(Path(out))
    workshop = Workshop(generator, settings, scorer=scorer, folder=folder)
    return list(workshop.make(order.jobs(generator.base), batch_size, progress))
