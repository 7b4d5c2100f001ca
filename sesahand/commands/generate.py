"""Make pictures of hands from sentences: semantics, a posed hand, its condition map, and both alignments in diffusers.

--base and --controlnet name a Stable Diffusion 1.5 checkpoint and a ControlNet on this machine; without them it takes
the small model that comes with SesaHand. Nothing is downloaded. Each picture is written with its map,
hands, score and parameters, from which --repeat makes it again. Without a sentence it makes eight examples.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from ..errors import SesaHandError
from .describe import check_readable, open_vlm, read_caption
from .progress import Bar
from .reconstruct import INTERRUPTED, count, say
from .render import add_hand_arguments, placed_hand

HELP = "make pictures of hands from sentences"
SAMPLING = {
    "steps": "steps",
    "cfg": "guidance",
    "sampler": "sampler",
    "negative": "negative",
    "strength": "strength",
    "control_start": "control_start",
    "control_end": "control_end",
    "alpha": "alpha",
    "alpha_blocks": "alpha_blocks",
    "alpha_start": "alpha_start",
    "alpha_end": "alpha_end",
}
"""Options and the settings of a sampling that they are."""

# Options that have no say beside another; each is None unless it is given.
PLACING = ("box", "roll", "pitch", "yaw")
EXCLUDED = {
    "scene": ("gesture", "side", "mask", "picture_hands", "fov", *PLACING),
    "picture_hands": ("gesture", "side", "mask", *PLACING),
    "mask": PLACING,
    "repeat": ("gesture", "side", "scene", "mask", "picture_hands", "picture", "size", "fov", *PLACING),
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

    words = parser.add_argument_group("words")
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
    hands.add_argument("--map", help="condition map for the ControlNet (default: by its file)")
    hands.add_argument("--forearm", action="store_true", help="draw the forearm in the map too")

    model = parser.add_argument_group("model")
    model.add_argument("--base", help="a diffusers folder or .safetensors of the SD1.5 family (default: embedded)")
    model.add_argument("--controlnet", help="a diffusers folder or a file; with the small model also sf or plain")
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
    sampling.add_argument("--alpha", type=float, help="attention bias on hand words, 0 to 4 (default 2)")
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
    results.add_argument("--no-score", action="store_true", help="do not look for the hands in the pictures")
    results.add_argument("--detector", type=Path, metavar="FOLDER", help="where `get-detector --to` put its files")


def run(options: argparse.Namespace) -> int:
    """Make the pictures, write them, and print a table."""
    from ..generate.picture_folder import PictureFolder
    from ..generate.pipeline import HandGenerator
    from ..models.small.model_files import CONTROLS

    check_options(options)
    if not options.verbose:
        hush_transformers()
    order = Repeat(options) if options.repeat else Order(options)
    base, controlnet, dtype = order.model()
    generator = HandGenerator.load(base, controlnet, options.device, dtype)
    jobs = order.jobs(generator)
    note(generator.base.describe_unknown(request.semantics.prompt for request, _ in jobs))
    workshop = Workshop(options, generator, order.settings(generator), order.map(generator), PictureFolder(options.out))
    begin = time.monotonic()
    interrupted = workshop.make(jobs, base, str(controlnet or CONTROLS[-1]))
    workshop.tell(time.monotonic() - begin)
    return INTERRUPTED if interrupted else 0


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
    if options.repeat and (options.sentences or options.verbatim or options.vlm or options.count != 1):
        raise SesaHandError(
            "--repeat makes one picture as it was made: leave out sentences, --verbatim, --vlm, --count."
        )
    if options.mask is not None and options.side == "both":
        raise SesaHandError("A mask takes one hand, got --side both: choose right or left.")
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


def given_settings(options: argparse.Namespace) -> dict:
    """The settings of a sampling that were given."""
    given = {setting: getattr(options, name) for name, setting in SAMPLING.items()}
    return {setting: value for setting, value in given.items() if value is not None}


class Order:
    """Sentences and hands as the options ask for them."""

    def __init__(self, options: argparse.Namespace):
        from ..hands.loading import load_hand_model

        self.options = options
        for text in self._texts():
            check_readable(text)
        self.hand_model = load_hand_model(options.hand_model)
        self.hands, self.shape = self._hands()
        self.said = self._words()

    def model(self) -> tuple:
        """Base, ControlNet and type, as they were named."""
        from ..models.small.embedded import EMBEDDED

        options = self.options
        return options.base or EMBEDDED, options.controlnet, options.dtype or "auto"

    def settings(self, generator):
        """How to sample."""
        from ..generate.pipeline import choose_fusion

        options = self.options
        settings = replace(generator.default_settings(), **given_settings(options))
        return replace(settings, fusion=choose_fusion(generator, options.fusion))

    def map(self, generator) -> str:
        """Which map the ControlNet is shown."""
        return self.options.map or generator.controlnet.map

    def jobs(self, generator) -> list[tuple]:
        """Pairs of a request and a seed."""
        from ..generate.canvas import check_size, see_at, size_for
        from ..generate.requests import PictureRequest
        from ..world.vocabulary import in_small_words

        options, base = self.options, generator.base
        native = (base.size, base.size)
        size = options.size or (native if self.shape is None else size_for(self.shape, base.size, base.multiple))
        check_size(size, base.multiple, base.name)
        jobs = []
        for image, gesture, side in self.said:
            image = in_small_words(image) if base.is_mini and not options.verbatim else image
            for _ in range(options.count):
                number = len(jobs)
                if self.hands is None:
                    scene = placed_hand(self._placing(gesture, side, size), self.hand_model)
                else:
                    scene = self.hands.select_frames([number % self.hands.num_frames])
                jobs.append((PictureRequest(image, see_at(scene, *size), gesture), (options.seed or 0) + number))
        return jobs

    def _texts(self) -> list[str]:
        options = self.options
        return [*options.sentences, *([options.picture] if options.picture else [])] or list(EXAMPLES)

    def _words(self) -> list[tuple]:
        """For each sentence its semantics, the gesture's name and the side."""
        from ..generate.requests import read_words
        from ..semantics.gesture_words import gesture_of, side_of
        from ..semantics.gestures import gesture_called

        options = self.options
        vlm = None if options.vlm is None else open_vlm(options.vlm, options.model, options.credential)
        said = []
        for text in self._texts():
            caption = read_caption(text, vlm, 512, options.seed or 0)
            image, warnings = read_words(
                caption, vlm, verbatim=options.verbatim, prefix=options.prefix, style=options.style
            )
            for warning in warnings:
                note(warning)
            gesture = ""
            if options.gesture is not None:
                gesture = gesture_called(options.gesture).name
            elif self.hands is None:
                named = gesture_of(image)
                gesture = named.name
                note(f"{gesture}: from {named.words!r}")
            side = options.side or (None if options.mask is not None else side_of(caption))
            said.append((image, gesture, side))
        return said

    def _hands(self) -> tuple:
        """Hands that do not depend on the words, or None; and the width and height of what they are in, or None."""
        from ..scene.hand_files import load_hands
        from .render import LEFTS, read_mask

        options = self.options
        if options.scene is not None:
            scene = load_hands(options.scene, self.hand_model, options.lefts or LEFTS[0], None)
            return scene, (scene.camera.width, scene.camera.height)
        if options.picture_hands is not None:
            scene = self._found_hands(options.picture_hands or options.picture)
            return scene, (scene.camera.width, scene.camera.height)
        if options.mask is not None:
            return None, tuple(read_mask(options.mask).shape[::-1])
        return None, None

    def _found_hands(self, path: str):
        from ..files.pictures import read_picture
        from ..reconstruct.detection.detector import as_colour, load_detector
        from ..reconstruct.fitting.fit import fit_usable_hands
        from ..scene.camera import Camera
        from .render import DEFAULT_FOV

        options = self.options
        picture = as_colour(read_picture(path))
        landmarks = load_detector(options.detector)(picture)
        fov = DEFAULT_FOV if options.fov is None else options.fov
        camera = Camera.from_fov(picture.shape[2], picture.shape[1], fov)
        scene = fit_usable_hands(landmarks, self.hand_model, camera).scene
        if not len(scene):
            raise SesaHandError(f"No hand was found in {path}. Give hands with --gesture or --scene.")
        return scene

    def _placing(self, gesture: str, side: str | None, size: tuple[int, int]) -> argparse.Namespace:
        return argparse.Namespace(**{**vars(self.options), "gesture": gesture, "side": side, "size": size})


class Repeat:
    """A picture that is to be made as it was made; other options than its own replace what they name."""

    def __init__(self, options: argparse.Namespace):
        from ..generate.record import read_record
        from ..hands.loading import load_hand_model

        self.options = options
        self.record = read_record(options.repeat, load_hand_model(options.hand_model))

    def model(self) -> tuple:
        """Base, ControlNet and type, as they were named."""
        options, record = self.options, self.record
        controlnet = options.controlnet or (None if options.base else record.controlnet)
        return options.base or record.base, controlnet, options.dtype or record.dtype

    def settings(self, generator):
        """How to sample."""
        from ..generate.pipeline import choose_fusion

        settings = replace(self.record.settings, **given_settings(self.options))
        if self.options.fusion is None:
            return settings
        return replace(settings, fusion=choose_fusion(generator, self.options.fusion))

    def map(self, generator) -> str:
        """Which map the ControlNet is shown."""
        return self.options.map or self.record.map

    def jobs(self, generator) -> list[tuple]:
        """The request and its seed."""
        from ..generate.requests import PictureRequest

        record, seed = self.record, self.options.seed
        request = PictureRequest(record.semantics, record.scene, record.gesture)
        return [(request, record.seed if seed is None else seed)]


class Workshop:
    """Makes pictures, judges and writes them."""

    def __init__(self, options: argparse.Namespace, generator, settings, map_name: str, folder):
        self.options, self.generator, self.settings = options, generator, settings
        self.map_name, self.folder = map_name, folder
        self.judge = self._judge()
        self.finished = []

    def make(self, jobs: list[tuple], base: str, controlnet: str) -> bool:
        """Make all pictures, batch by batch; return whether it was interrupted."""
        from contextlib import nullcontext

        from ..data.writer import PairWriter

        size, total = self.options.batch_size, len(jobs)
        bar, steps = Bar("generating"), self.settings.steps
        with PairWriter(self.options.pairs) if self.options.pairs else nullcontext() as pairs:
            try:
                for start in range(0, total, size):
                    batch = jobs[start : start + size]
                    done = start * steps

                    def progress(step: int, of: int, done: int = done, share: int = len(batch)) -> None:
                        bar(done + round(step * share * steps / of), total * steps)

                    self._make_batch(batch, base, controlnet, progress, pairs)
            except KeyboardInterrupt:
                return True
        return False

    def _make_batch(self, batch: list[tuple], base: str, controlnet: str, progress, pairs) -> None:
        import torch

        from ..generate.maps import control_map
        from ..generate.picture_folder import Finished
        from ..generate.pipeline import DTYPES
        from ..generate.record import PictureRecord, made_with

        generator = self.generator
        maps = torch.stack([control_map(request.scene, self.map_name, self.options.forearm) for request, _ in batch])
        pictures = generator(
            [request.semantics for request, _ in batch],
            maps,
            [seed for _, seed in batch],
            self.settings,
            batch_size=len(batch),
            progress=progress,
        )
        dtype = next(name for name, kind in DTYPES.items() if kind == generator.dtype)
        for (request, seed), picture, shown in zip(batch, pictures, maps, strict=True):
            judged = None if self.judge is None else self.judge(picture, request.scene)
            record = PictureRecord(
                base,
                controlnet,
                self.map_name,
                seed,
                dtype,
                self.settings,
                request.semantics,
                request.scene,
                request.gesture,
                None if judged is None else judged.score,
                made_with(str(generator.device)),
            )
            done = Finished(self.folder.next_name(), record, picture, shown, judged)
            self.folder.write(done)
            if pairs is not None:
                self._add_pair(pairs, done)
            self.finished.append(done)

    def _add_pair(self, pairs, done) -> None:
        from ..data.record import PairFacts

        record, settings, judged = done.record, done.record.settings, done.scored
        scales = {
            "strength": float(settings.strength),
            "alpha": float(settings.alpha),
            "lambda": 0.0 if settings.fusion is None else float(settings.fusion.strength),
        }
        found = (
            {} if judged is None else {name: getattr(judged, name) for name in ("score", "detector_score", "mse_2d")}
        )
        facts = PairFacts(
            prompt=record.semantics.prompt,
            semantics=record.semantics.behavior,
            gesture=record.gesture,
            seed=record.seed,
            control_scales=scales,
            source=Path(record.base).name,
            **found,
        )
        shown = done.map[..., 0] if record.map == "mask" else done.map
        pairs.add(done.picture, record.scene, facts, {record.map: shown})

    def tell(self, seconds: float) -> None:
        """Write the contact sheet of several pictures and print the table."""
        rows = [("picture", "score", "gesture", "seed", "prompt")]
        for done in self.finished:
            score = "-" if done.scored is None else f"{done.scored.score:.2f}"
            record = done.record
            rows.append((done.name, score, record.gesture or "-", str(record.seed), record.semantics.prompt))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows if self.finished else ():
            say("  ".join([*(f"{text:{width}}" for text, width in zip(row, widths, strict=False)), row[4]]))
        made = len(self.finished)
        each = f", {seconds / made:.1f} s each" if made else ""
        say(f"{made} picture{'' if made == 1 else 's'} in {self.options.out}{each}")
        if made > 1:
            say(str(self.folder.write_sheet(self.finished)))

    def _judge(self):
        from ..errors import InvalidFileError
        from ..reconstruct.scoring.picture_scorer import PictureScorer

        if self.options.no_score:
            return None
        try:
            return PictureScorer(self.options.detector)
        except InvalidFileError as error:
            if self.options.detector is not None:
                raise
            note(f"The pictures are not scored. {error}")
            return None


def hush_transformers() -> None:
    """Keep its remarks on image processors, which nothing here uses, off the screen."""
    from transformers.utils import logging

    logging.set_verbosity_error()


def note(text: str) -> None:
    """Print what the user should know, if there is anything, on standard error, where results are not."""
    if not text:
        return
    encoding = sys.stderr.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)
