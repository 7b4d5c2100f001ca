"""Make pictures of hands from sentences: semantics, a posed hand, its condition map, and both alignments in diffusers.

--base and --controlnet name a Stable Diffusion 1.5 checkpoint and a ControlNet on this machine; without them it takes
the small model that comes with SesaHand. Nothing is downloaded. Each picture is written with its map,
hands, score and parameters, from which --repeat makes it again. Without a sentence it makes eight examples.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import SesaHandError
from . import generate_plan
from .photographs import known_maps
from .progress import Bar
from .reconstruct import INTERRUPTED, count
from .render import DEFAULT_FOV, LEFTS, add_hand_arguments, placement
from .saying import note, say

HELP = "make pictures of hands from sentences"
# Options that have no say beside another; each is None unless it is given.
PLACING = ("box", "roll", "pitch", "yaw", "facing")
EXCLUDED = {
    "scene": ("gesture", "side", "mask", "picture_hands", "fov", "hold", *PLACING),
    "picture_hands": ("gesture", "side", "mask", "hold", *PLACING),
    "gesture": ("hold",),
    "mask": ("box",),
    "repeat": ("gesture", "side", "scene", "mask", "picture_hands", "picture", "size", "fov", "hold", *PLACING),
}
EXAMPLES = (
    "A person with tan skin raises a fist in front of a plain green wall.",
    "A person with dark skin raises a hand with three fingers in front of a striped yellow wall.",
    "A person with pale skin raises a hand making a peace sign in front of a dotted blue wall.",
    "A person with brown skin raises a hand with spread fingers in front of a plain orange wall.",
    "A person raises a left hand pointing up with the index finger in front of a plain blue wall.",
    "A person with dark skin raises a hand making an ok sign in front of a tiled pink wall.",
    "A person with brown skin raises a hand making a horns sign in front of a plain purple wall.",
    "A person with pale skin raises a hand making a phone sign in front of a striped gray wall.",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("sentences", nargs="*", help="sentences in quotes, .txt files, or pictures (with --vlm)")
    parser.add_argument("--out", type=Path, default=Path("generated"), help="folder to write into (default: generated)")
    parser.add_argument("--count", type=count, default=1, help="pictures of each sentence (default 1)")
    parser.add_argument("--seed", type=int, help="of the first picture; the next ones count on (default 0)")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="make a picture again from its *_parameters.json")

    parser.add_argument(
        "--vary",
        nargs="?",
        const="all",
        metavar="KINDS",
        help="let pictures differ by seed and number: all, or of view, side, shape, size, joints, caption, with commas",
    )

    words = parser.add_argument_group("words")
    words.add_argument("--captions", type=Path, metavar="FILE", help="a text file with one caption a line")
    words.add_argument("--verbatim", action="store_true", help="let the sentence be the prompt, without reducing it")
    words.add_argument("--prefix", default="", help="goes in front of the prompt")
    words.add_argument("--style", default="", help="goes behind the prompt")
    words.add_argument("--negative", help="what the picture should not show")
    words.add_argument("--picture", metavar="FILE", help="let --vlm caption this picture instead of a sentence")
    words.add_argument("--vlm", metavar="FOLDER_OR_URL", help="a transformers model's folder, or a server's base URL")
    words.add_argument("--model", default="", help="name of the model at the server")
    words.add_argument("--credential", default="", help="name of an entry in the credentials file")

    hands = parser.add_argument_group("hands (default: the gesture that the sentence names)")
    hands.add_argument("--gesture", help="a name that `sesahand gestures` lists")
    add_hand_arguments(hands)
    hands.add_argument(
        "--picture-hands",
        nargs="?",
        const="",
        metavar="FILE",
        help="the hands in this picture, or without a file in the one that is captioned",
    )
    hands.add_argument(
        "--hold", action="store_true", default=None, help="put what the sentence lets a hand hold into it"
    )
    hands.add_argument("--map", help="condition map for the ControlNet (default: by its file)")
    hands.add_argument("--forearm", action="store_true", help="draw the forearm in the map too")

    model = parser.add_argument_group("model")
    model.add_argument("--base", help="a diffusers folder or .safetensors of the SD1.5 family (default: embedded)")
    model.add_argument(
        "--controlnet",
        help="a diffusers folder or a file; with the small model also sf, plain or held (default: sf, "
        "and held with --hold, or where the hands of --scene hold something)",
    )
    model.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    model.add_argument("--dtype", help="auto, float32, float16, bfloat16 (default: auto)")
    model.add_argument("--batch-size", type=count, default=1, help="pictures made at a time (default 1)")

    sampling = parser.add_argument_group("sampling")
    sampling.add_argument("--steps", type=int, help="steps of the sampler (small model 12, others 24)")
    sampling.add_argument("--cfg", type=float, help="strength of the guidance (small model 3, others 7)")
    sampling.add_argument("--sampler", help="ddim, euler, dpm++, 'dpm++ karras' (default: ddim)")
    sampling.add_argument("--strength", type=float, help="of the ControlNet (default 1)")
    sampling.add_argument("--control-start", type=float, help="fraction at which the ControlNet sets in (default 0)")
    sampling.add_argument("--control-end", type=float, help="fraction after which it is left out (default 1)")
    sampling.add_argument("--alpha", type=float, help="attention bias on hand words, 0 to 8 (default 2)")
    sampling.add_argument("--alpha-blocks", help="where it acts: output, input, middle, all (default: output)")
    sampling.add_argument("--alpha-start", type=float, help="fraction at which the bias sets in (default 0)")
    sampling.add_argument("--alpha-end", type=float, help="fraction after which it is left out (default 1)")
    sampling.add_argument(
        "--lambda",
        type=float,
        dest="fusion",
        help="structural fusion, 0 to 1 (default: as the ControlNet was trained; of others than SesaHand's, 0)",
    )

    results = parser.add_argument_group("results")
    results.add_argument("--pairs", type=Path, metavar="FOLDER", help="append the pictures to this image-mesh pair set")
    results.add_argument(
        "--pair-maps", metavar="NAMES", help="maps that the pairs get beside the one painted from, with commas"
    )
    results.add_argument(
        "--fill",
        nargs="?",
        const="even",
        metavar="TARGET",
        help="choose variations for what the pair set lacks of a target (default even); needs --pairs and --vary",
    )
    results.add_argument("--no-score", action="store_true", help="do not look for the hands in the pictures")
    results.add_argument("--detector", type=Path, metavar="FOLDER", help="where `get-detector --to` put its files")
    generate_plan.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Make the pictures, write them, and print a table."""
    from contextlib import nullcontext

    from ..data.apart import check_target
    from ..data.writer import PairWriter
    from ..generate.picture_folder import PictureFolder
    from ..generate.pipeline import HandGenerator
    from ..generate.workshop import Workshop

    generate_plan.check_alone(options, defaults())
    check_options(options)
    if options.pairs:
        check_target(options.pairs)
    if not options.verbose:
        hush_transformers()
    if options.plan is not None:
        return generate_plan.run_plan(options)
    order = repeated(options) if options.repeat else ordered(options)
    generator = HandGenerator.load(order.base, order.controlnet, options.device, order.dtype)
    jobs = order.jobs(generator)
    note(generator.base.describe_unknown(job.request.semantics.prompt for job in jobs))
    note(describe_bare(generator, jobs))
    folder, finished, interrupted = PictureFolder(options.out), [], False
    begin = time.monotonic()
    with PairWriter(options.pairs) if options.pairs else nullcontext() as pairs:
        workshop = Workshop(
            generator,
            order.settings(generator),
            order.map,
            options.forearm,
            open_scorer(options),
            folder,
            pairs,
            order.base,
            order.controlnet,
            more_maps(options),
        )
        try:
            for done in workshop.make(jobs, options.batch_size, Bar("generating")):
                finished.append(done)
        except KeyboardInterrupt:
            interrupted = True
    tell(finished, folder, time.monotonic() - begin)
    if options.vary and finished:
        say(describe_variety(finished))
    return INTERRUPTED if interrupted else 0


def defaults() -> dict:
    """What each option is if it is not given."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return vars(parser.parse_args([]))


def check_options(options: argparse.Namespace) -> None:
    """Raise a SesaHandError for what cannot be meant, before anything is loaded."""
    from ..generate.pipeline import check_seeds
    from ..generate.sampling import SamplingSettings
    from ..render.maps import ALL_MAPS

    def spelled(name: str) -> str:
        return f"--{name.replace('_', '-')}"

    for strong, weak in EXCLUDED.items():
        given = [spelled(name) for name in weak if getattr(options, name) is not None]
        if getattr(options, strong) is not None and given:
            raise SesaHandError(f"{spelled(strong)} settles what {', '.join(given)} would: leave out one or the other.")
    if options.repeat and (options.captions or options.vary):
        raise SesaHandError("--repeat makes one picture as it was made: leave out --captions and --vary.")
    if options.fill is not None and not (options.pairs and options.vary):
        raise SesaHandError("--fill chooses variations for a set of pairs: add --pairs and --vary.")
    if options.pair_maps is not None and options.pairs is None:
        raise SesaHandError("--pair-maps are maps of the pairs: add --pairs.")
    more_maps(options)
    varied_kinds(options)
    if options.repeat and (options.sentences or options.verbatim or options.vlm or options.count != 1):
        raise SesaHandError(
            "--repeat makes one picture as it was made: leave out sentences, --verbatim, --vlm, --count."
        )
    if options.mask is not None and options.side == "both":
        raise SesaHandError("A mask takes one hand, got --side both: choose right or left.")
    if options.facing is not None and options.mask is None:
        raise SesaHandError("--facing tells how a hand lies over a mask: it needs --mask. Else turn it with --yaw.")
    if options.lefts is not None and options.scene is None:
        raise SesaHandError("--lefts tells how a file holds left hands: it needs --scene.")
    if options.picture is not None and options.vlm is None:
        raise SesaHandError("--picture needs a captioner: add --vlm with a model's folder or a server's base URL.")
    if options.picture_hands == "" and options.picture is None:
        raise SesaHandError(
            "--picture-hands without a file takes the captioned picture: add --picture, or name a file."
        )
    if options.vlm is None and (options.model or options.credential):
        raise SesaHandError("--model and --credential belong to a server: add --vlm with its base URL.")
    if options.map is not None and options.map not in ALL_MAPS:
        raise SesaHandError(f"There is no map {options.map!r:.40}; maps are {', '.join(ALL_MAPS)}.")
    if options.fusion is not None and not 0 <= options.fusion <= 1:
        raise SesaHandError(f"--lambda is {options.fusion}, expected a number from 0 to 1.")
    if options.seed is not None:
        check_seeds([options.seed])
    SamplingSettings(**given_settings(options))


def more_maps(options: argparse.Namespace) -> tuple[str, ...]:
    """The maps that pairs get beside the one that they are painted from."""
    return known_maps(options.pair_maps or "")


def varied_kinds(options: argparse.Namespace) -> tuple[str, ...]:
    """What varies from picture to picture."""
    from ..generate.variety import KINDS, check_kinds

    return KINDS if options.vary == "all" else check_kinds(split_words(options.vary))


def split_words(text: str | None) -> tuple[str, ...]:
    """The words of a list with commas."""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def chooser(options: argparse.Namespace):
    """What chooses variations for what a set of pairs lacks, or None."""
    if options.fill is None:
        return None
    from ..generate.filling import open_filler

    return open_filler(options.pairs, options.fill, options.seed or 0)


def given_settings(options: argparse.Namespace) -> dict:
    """The settings of a sampling that were given."""
    from ..generate.sampling import OPTIONS

    given = {setting: getattr(options, name) for name, setting in OPTIONS.items()}
    return {setting: value for setting, value in given.items() if value is not None}


@dataclass(frozen=True)
class Commission:
    """What the options ask for: a model, pictures, and how to sample them.

    Attributes:
        base: As the option or the record names it.
        controlnet: Likewise; None takes the base's own.
        dtype: Likewise.
        map: Which condition map the ControlNet is shown; None takes the one that it was trained on.
        jobs: Makes the jobs for a generator.
        settings: Tells how to sample with a generator.
    """

    base: str
    controlnet: str | None
    dtype: str
    map: str | None
    jobs: Callable
    settings: Callable


def ordered(options: argparse.Namespace) -> Commission:
    """Return what sentences and options ask for; what cannot be read is told before a model is loaded."""
    from ..generate.order import Line, Order
    from ..generate.pipeline import controlnet_for
    from ..hands.loading import load_hand_model
    from ..models.small.embedded import EMBEDDED
    from ..semantics.captions import check_readable, read_caption_lines
    from ..vlm.opening import open_vlm

    lines = () if options.captions is None else tuple(map(Line, read_caption_lines(options.captions)))
    typed = (*options.sentences, *([options.picture] if options.picture else []))
    for text in typed:
        check_readable(text)
    texts = (*options.sentences, *lines, *typed[len(options.sentences) :]) or EXAMPLES
    model = load_hand_model(options.hand_model)
    order = Order(
        texts,
        options.gesture,
        options.side,
        given_hands(options, model),
        placement(options),
        options.size,
        model,
        None if options.vlm is None else open_vlm(options.vlm, options.model, options.credential),
        options.verbatim,
        options.prefix,
        options.style,
        options.count,
        options.seed or 0,
        note,
        varied_kinds(options),
        chooser(options),
        bool(options.hold),
    )
    if not order.said:
        raise SesaHandError("There is no sentence: say what the person and the hand do.")

    def settings(generator):
        return chosen_settings(options, generator, generator.default_settings())

    base = options.base or EMBEDDED
    return Commission(
        base,
        controlnet_for(base, options.controlnet, order.hands, order.hold),
        options.dtype or "auto",
        options.map,
        lambda generator: order.jobs(generator.base),
        settings,
    )


def repeated(options: argparse.Namespace) -> Commission:
    """Return a picture as it was made; other options than --repeat replace what they name."""
    from ..generate.order import Job
    from ..generate.pipeline import controlnet_for
    from ..generate.record import read_record
    from ..generate.requests import PictureRequest
    from ..hands.loading import load_hand_model

    record = read_record(options.repeat, load_hand_model(options.hand_model))
    request = PictureRequest(record.semantics, record.scene, record.gesture)

    def settings(generator):
        return chosen_settings(options, generator, record.settings)

    base = options.base or record.base
    controlnet = options.controlnet or (None if options.base else record.controlnet)
    return Commission(
        base,
        controlnet_for(base, controlnet, record.scene),
        options.dtype or record.dtype,
        options.map or record.map,
        lambda generator: [Job(request, record.seed if options.seed is None else options.seed)],
        settings,
    )


def chosen_settings(options: argparse.Namespace, generator, others):
    """Return settings of a sampling with what the options name in place of others."""
    from ..generate.pipeline import choose_fusion

    chosen = replace(others, **given_settings(options))
    if options.repeat and options.fusion is None:
        return chosen
    return replace(chosen, fusion=choose_fusion(generator, options.fusion))


def given_hands(options: argparse.Namespace, model):
    """Return hands that do not depend on the words, or None."""
    from ..scene.hand_files import load_hands

    if options.scene is not None:
        return load_hands(options.scene, model, options.lefts or LEFTS[0], None)
    if options.picture_hands is not None:
        return found_hands(options, options.picture_hands or options.picture, model)
    return None


def found_hands(options: argparse.Namespace, path: str, model):
    """Return the hands of a picture."""
    from ..reconstruct.detection.detector import load_detector
    from ..reconstruct.reconstructing import reconstruct_picture

    fov = DEFAULT_FOV if options.fov is None else options.fov
    scene = reconstruct_picture(path, hand_model=model, fov=fov, detector=load_detector(options.detector)).scene
    if not len(scene):
        raise SesaHandError(f"No hand was found in {path}. Give hands with --gesture or --scene.")
    return scene


def open_scorer(options: argparse.Namespace):
    """Return what scores the pictures, or None, which is told, where the detector's files are not there."""
    from ..errors import InvalidFileError
    from ..reconstruct.scoring.picture_scorer import PictureScorer

    if options.no_score:
        return None
    try:
        return PictureScorer(options.detector)
    except InvalidFileError as error:
        if options.detector is not None:
            raise
        note(f"The pictures are not scored. {error}")
        return None


def tell(finished: list, folder, seconds: float) -> None:
    """Write the contact sheet of several pictures and print the table."""
    rows = [("picture", "score", "gesture", "seed", "prompt")]
    for done in finished:
        score = "-" if done.scored is None else f"{done.scored.score:.2f}"
        record = done.record
        rows.append((done.name, score, record.gesture or "-", str(record.seed), record.semantics.prompt))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows if finished else ():
        say("  ".join([*(f"{text:{width}}" for text, width in zip(row, widths, strict=False)), row[4]]))
    made = len(finished)
    each = f", {seconds / made:.1f} s each" if made else ""
    say(f"{made} picture{'' if made == 1 else 's'} in {folder.path}{each}")
    if made > 1:
        say(str(folder.write_sheet(finished)))


def describe_variety(finished: list) -> str:
    """Say how much the hands of varied pictures differ, so that ten thousand copies are seen before they are made."""
    from ..data.coverage import count_distinct, hand_facts, summarise

    records = [done.record for done in finished]
    facts = [fact for one in records for fact in hand_facts(one.scene, one.gesture, one.semantics.prompt)]
    return f"{summarise(facts)}; {count_distinct(facts)} of {len(facts)} hands are no near duplicate of another"


def describe_bare(generator, jobs: list) -> str:
    """Say that hands hold something which the small model's ControlNet has not learnt to see, or nothing."""
    from ..generate.workshop import names_of
    from ..models.small.model_files import CONTROLS

    control = names_of(generator)[1]
    if control not in CONTROLS or not any(job.request.scene.objects for job in jobs):
        return ""
    return (
        f"The hands hold something, but the ControlNet {control} has learnt maps of bare hands alone: what they hold "
        "may be painted as skin or not at all. The one of the embedded model that has learnt it is --controlnet held."
    )


def hush_transformers() -> None:
    """Keep its remarks on image processors, which nothing here uses, off the screen."""
    from transformers.utils import logging

    logging.set_verbosity_error()
