"""What the index says of a pair: everything but pixels and the hands' numbers."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import InvalidFileError, SesaHandError, quote
from ..files.reading import parse_json
from ..render.map_table import ALL_MAPS
from ..scene.hand_scene import SIDES
from ..scene.scene_files import whole_number
from ..semantics.behavior import COMPONENTS, BehaviorSemantics
from .layout import PICTURE_SUFFIXES, check_key

MAX_PIXELS = 1 << 26
MAX_TEXT = 20_000
MAX_HANDS = 1000
MAX_SCALES = 32
MAX_FOLDER = 10**7
MAX_SEED = 2**64 - 1
MAX_OBJECT_NAME = 80
LATER_FACTS: dict[str, Any] = {"caption": "", "caption_style": "", "doubt": None}
"""Facts that the first sets lack, and what they are without them; a record without them is written as it was then."""


@dataclass(frozen=True)
class PairFacts:
    """What is known of a picture beside its hands; all of it may be left out.

    Attributes:
        prompt: The words that the picture was made from or is described by.
        semantics: The four components of behaviour, or None.
        gesture: Name of the gesture, or empty.
        seed: Of the sampler, 0 to 2**64 - 1, or None.
        control_scales: How strongly what steered the sampling, by name, for example {"strength": 0.8, "alpha": 1.0}.
        score: How well the hands in the picture match those that were asked for, 0 to 1, or None.
        detector_score: Mean confidence of the detector in the picture's hands, 0 to 1, or None.
        mse_2d: Mean squared error of the keypoints found in the picture, or None.
        source: What made the picture, for example a checkpoint's name; empty if unknown.
        caption: The raw words that the prompt was made of, as a captioner or a person gave them; empty if unknown.
        caption_style: What the prompt is made like, for example "clean", "short" or "raw"; empty if nobody chose.
        doubt: How far the points of the picture's least sure hand move from look to look, as a part of its size, or
            None.
    """

    prompt: str = ""
    semantics: BehaviorSemantics | None = None
    gesture: str = ""
    seed: int | None = None
    control_scales: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    detector_score: float | None = None
    mse_2d: float | None = None
    source: str = ""
    caption: str = ""
    caption_style: str = ""
    doubt: float | None = None

    def __post_init__(self):
        for name in ("prompt", "gesture", "source", "caption", "caption_style"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > MAX_TEXT:
                raise SesaHandError(f"{name} is {quote(value)}, expected text of at most {MAX_TEXT} characters.")
            if not _encodable(value):
                raise SesaHandError(f"{name} is {quote(value)}, which holds half of a character pair: type it again.")
        if self.semantics is not None and not isinstance(self.semantics, BehaviorSemantics):
            raise SesaHandError(f"semantics is {quote(self.semantics)}, expected the four components or nothing.")
        if self.seed is not None and (type(self.seed) is not int or not 0 <= self.seed <= MAX_SEED):
            raise SesaHandError(f"seed is {quote(self.seed)}, expected a whole number from 0 to {MAX_SEED}.")
        for name, most in (("score", 1.0), ("detector_score", 1.0), ("mse_2d", math.inf), ("doubt", math.inf)):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and 0 <= value <= most):
                raise SesaHandError(f"{name} is {quote(value)}, expected a finite number from 0 to {most:g}.")
        scales = self.control_scales
        if not isinstance(scales, dict) or len(scales) > MAX_SCALES:
            raise SesaHandError(f"control_scales is {quote(scales)}, expected at most {MAX_SCALES} named numbers.")
        for name, value in scales.items():
            if not isinstance(name, str) or not 0 < len(name) <= 64 or not _encodable(name) or not _is_number(value):
                raise SesaHandError(
                    f"control_scales holds {quote(name)}: {quote(value)}, expected a name and a finite number, such as "
                    '"strength": 0.8.'
                )


@dataclass(frozen=True)
class HandSummary:
    """One hand of a picture, as far as sorting and counting need it.

    Attributes:
        side: "right" or "left".
        box: Left, top, right, bottom in pixels around the surface; it may reach out of the picture.
        score: Confidence, 0 to 1.
    """

    side: str
    box: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True)
class ObjectSummary:
    """One object that a hand of a picture holds.

    Attributes:
        name: The object, or the user's mesh in its place.
        kind: The object that it is held as, a name of `hands.objects.OBJECTS`.
        hand: Which of the picture's hands holds it, from 0.
    """

    name: str
    kind: str
    hand: int


@dataclass(frozen=True)
class PairRecord:
    """One line of the index.

    Attributes:
        key: Unique in the set.
        folder: Number of the folder that its files are in.
        picture: "png" or "jpg".
        width: Of the picture in pixels.
        height: Of the picture in pixels.
        maps: Which maps are there, in the order of `ALL_MAPS`.
        hand_model: Which hand it is, for example "sesahand-cc0" or "mano".
        hand_licence: The terms of its data.
        flat_hand: True: poses are absolute rotations, MANO's mean pose is in them.
        vertices_sha256: Of the posed vertices, float32, as they were when the pair was written.
        hands: One summary a hand.
        facts: The rest.
        objects: What the hands hold. A record of hands that hold nothing is written without it, as the first sets were,
            which do not say it of others either: there, the file of the hands does.
    """

    key: str
    folder: int
    picture: str
    width: int
    height: int
    maps: tuple[str, ...]
    hand_model: str
    hand_licence: str
    flat_hand: bool
    vertices_sha256: str
    hands: tuple[HandSummary, ...]
    facts: PairFacts = field(default_factory=PairFacts)
    objects: tuple[ObjectSummary, ...] = ()

    def to_line(self) -> bytes:
        """Return the record as one line of JSON; the key comes first."""
        data = asdict(self)
        facts = data.pop("facts")
        if not self.objects:
            data.pop("objects")
        semantics = self.facts.semantics
        facts["semantics"] = None if semantics is None else semantics.to_dict()
        facts = {name: value for name, value in facts.items() if name not in LATER_FACTS or value != LATER_FACTS[name]}
        return json.dumps({**data, **facts}, ensure_ascii=True, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes, label: str) -> "PairRecord":
        """Read a line of the index, believing nothing.

        Raises:
            InvalidFileError: If it is no record; the message names the field.
        """
        data = parse_json(line, label)
        names = [name for name in (*cls.__dataclass_fields__, *PairFacts.__dataclass_fields__) if name != "facts"]
        if isinstance(data, dict):
            data = {**LATER_FACTS, "objects": [], **data}
        if not isinstance(data, dict) or set(data) != set(names):
            raise InvalidFileError(f"{label} is {quote(data)}, expected an object with the fields {', '.join(names)}.")
        try:
            facts = _read_facts({name: data.pop(name) for name in PairFacts.__dataclass_fields__})
            check_key(data["key"])
        except SesaHandError as error:
            raise InvalidFileError(f"{label}: {error}") from error
        whole_number(data["folder"], 0, MAX_FOLDER, f"{label}: folder")
        for side in ("width", "height"):
            whole_number(data[side], 1, MAX_PIXELS, f"{label}: {side}")
        if data["width"] * data["height"] > MAX_PIXELS:
            raise InvalidFileError(f"{label}: {data['width']}x{data['height']} pixels are more than {MAX_PIXELS}.")
        if data["picture"] not in PICTURE_SUFFIXES:
            raise InvalidFileError(f"{label}: picture is {quote(data['picture'])}, expected png or jpg.")
        maps = data["maps"]
        if not isinstance(maps, list) or maps != [name for name in ALL_MAPS if name in maps]:
            raise InvalidFileError(f"{label}: maps is {quote(maps)}, expected names out of {', '.join(ALL_MAPS)}.")
        for name in ("hand_model", "hand_licence", "vertices_sha256"):
            if not isinstance(data[name], str) or len(data[name]) > MAX_TEXT or not _encodable(data[name]):
                raise InvalidFileError(f"{label}: {name} is {quote(data[name])}, expected text.")
        if type(data["flat_hand"]) is not bool:
            raise InvalidFileError(f"{label}: flat_hand is {quote(data['flat_hand'])}, expected true or false.")
        hands = data["hands"]
        if not isinstance(hands, list) or len(hands) > MAX_HANDS:
            raise InvalidFileError(f"{label}: hands is {quote(hands)}, expected a list of at most {MAX_HANDS} hands.")
        hands = tuple(_read_hand(hand, f"{label}: hands[{i}]") for i, hand in enumerate(hands))
        objects = data["objects"]
        if not isinstance(objects, list) or len(objects) > len(hands):
            raise InvalidFileError(f"{label}: objects is {quote(objects)}, expected one for each hand at most.")
        objects = tuple(_read_object(each, len(hands), f"{label}: objects[{i}]") for i, each in enumerate(objects))
        return cls(**{**data, "maps": tuple(maps), "hands": hands, "objects": objects}, facts=facts)


def _read_facts(values: dict) -> PairFacts:
    semantics = values["semantics"]
    if semantics is not None:
        if not isinstance(semantics, dict) or set(semantics) != set(COMPONENTS):
            raise SesaHandError(f"semantics is {quote(semantics)}, expected null or {', '.join(COMPONENTS)}.")
        values["semantics"] = BehaviorSemantics(**semantics)
    return PairFacts(**values)


def _read_hand(hand: Any, label: str) -> HandSummary:
    if not isinstance(hand, dict) or set(hand) != set(HandSummary.__dataclass_fields__):
        raise InvalidFileError(f"{label} is {quote(hand)}, expected an object with side, box and score.")
    box, score = hand["box"], hand["score"]
    if hand["side"] not in SIDES:
        raise InvalidFileError(f"{label}: side is {quote(hand['side'])}, expected right or left.")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise InvalidFileError(f"{label}: box is {quote(box)}, expected left, top, right, bottom.")
    if not _is_number(score) or not 0 <= score <= 1:
        raise InvalidFileError(f"{label}: score is {quote(score)}, expected 0 to 1.")
    left, top, right, bottom = map(float, box)
    return HandSummary(hand["side"], (left, top, right, bottom), float(score))


def _read_object(value: Any, hands: int, label: str) -> ObjectSummary:
    if not isinstance(value, dict) or set(value) != set(ObjectSummary.__dataclass_fields__):
        raise InvalidFileError(f"{label} is {quote(value)}, expected an object with name, kind and hand.")
    for name in ("name", "kind"):
        text = value[name]
        if not isinstance(text, str) or not 0 < len(text) <= MAX_OBJECT_NAME or not _encodable(text):
            raise InvalidFileError(f"{label}: {name} is {quote(text)}, expected what an object is called.")
    return ObjectSummary(value["name"], value["kind"], whole_number(value["hand"], 0, hands - 1, f"{label}: hand"))


def storable(text: str) -> str:
    """Return a raw caption as a record holds it: without halves of character pairs, no longer than a text may be."""
    return text[:MAX_TEXT].encode("utf-8", "ignore").decode()


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
