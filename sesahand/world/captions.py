"""From what a picture shows to what is said of it: the clean semantics, a short prompt, a caption that says too much.

The rambling caption states the same facts in another order and asserts objects that are not there beside those that
are, in the same words: a model cannot learn to skip them, and has to find out for itself how far to believe them.
"""

import numpy as np

from ..semantics.behavior import BehaviorSemantics
from . import vocabulary
from .attributes import Attributes, Thing, object_colors, pick
from .vocabulary import article

FALSE_OBJECTS = (1, 2, 2)
# With so many objects, a remark on top would not fit into one chunk of the text encoder.
MANY_ASSERTED = 3
# How often a short prompt says a thing.
SAID = {"skin": 0.7, "sleeve": 0.4, "side": 0.5, "view": 0.2, "place": 0.9, "light": 0.2, "beside": 0.7}
REMARKS = ("The mood is calm.", "The mood is cheerful.", "The scene is bright.", "It is a calm scene.")


def semantics_of(attributes: Attributes) -> BehaviorSemantics:
    """Return the four components of behaviour that are true of a picture."""
    return BehaviorSemantics(
        pose=f"a person with {attributes.skin} skin and {article(attributes.sleeve)} sleeve, arm from {attributes.arm}",
        action=attributes.words.action,
        hand_action=f"{hand_of(attributes)} {deed_of(attributes)}, {attributes.view} side",
        environment=f"{surroundings_of(attributes)}, {light_of(attributes)}{beside_of(attributes)}",
    )


def hand_of(attributes: Attributes) -> str:
    return "both hands" if attributes.side == "both" else f"a {attributes.side} hand"


def deed_of(attributes: Attributes) -> str:
    """Return what the hand does, following its name."""
    words = attributes.words.hand
    if attributes.held is not None:
        words += " " + named(attributes.held)
    if attributes.gesture == "point":
        words = f"pointing {attributes.direction} with the index finger"
    return words


def surroundings_of(attributes: Attributes) -> str:
    if attributes.background == "table":
        return f"at {article(attributes.background_color)} table"
    return f"in front of {article(attributes.background)} {attributes.background_color} wall"


def light_of(attributes: Attributes) -> str:
    return f"{attributes.warmth} light from {from_where(attributes.light)}"


def from_where(light: str) -> str:
    return light if light == "above" else f"the {light}"


def beside_of(attributes: Attributes) -> str:
    thing = attributes.beside
    return "" if thing is None else f", {named(thing)} on the {thing.place}"


def named(thing: Thing) -> str:
    return article(f"{thing.color} {thing.kind}")


def short_prompt(rng: np.random.Generator, attributes: Attributes) -> str:
    """Return what a person would type of a picture: true, but seldom all of it.

    Args:
        rng: Chooses what is left out.
        attributes: What is true.
    """
    skin = f" with {attributes.skin} skin" if rng.random() < SAID["skin"] else ""
    sleeve = ""
    if rng.random() < SAID["sleeve"]:
        sleeve = f" {'and' if skin else 'with'} {article(attributes.sleeve)} sleeve"
    hand = hand_of(attributes)
    if attributes.side != "both" and rng.random() >= SAID["side"]:
        hand = "a hand"
    words = f"a person{skin}{sleeve} raising {hand} {deed_of(attributes)}"
    if rng.random() < SAID["view"]:
        words += f", {attributes.view} side"
    if rng.random() < SAID["place"]:
        words += f"{',' if rng.random() < 0.5 else ''} {surroundings_of(attributes)}"
    if rng.random() < SAID["light"]:
        words += f", {light_of(attributes)}"
    if rng.random() < SAID["beside"]:
        words += beside_of(attributes)
    return words


def draw_false_things(rng: np.random.Generator, attributes: Attributes) -> tuple[Thing, ...]:
    """Draw objects that are not in the picture: of kinds that nothing in it is of."""
    present = {thing.kind for thing in attributes.things}
    absent = [kind for kind in vocabulary.OBJECTS if kind not in present]
    count = FALSE_OBJECTS[int(rng.integers(len(FALSE_OBJECTS)))]
    kinds = [absent[int(index)] for index in rng.permutation(len(absent))[:count]]
    # In colours that a true one could have, so that no word of theirs gives them away.
    colors = object_colors(attributes.background_color)
    return tuple(Thing(pick(rng, colors), kind, pick(rng, vocabulary.PLACES)) for kind in kinds)


def rambling_caption(rng: np.random.Generator, attributes: Attributes, false_things: tuple[Thing, ...]) -> str:
    """Return a caption as a vision-language model would ramble: true and false objects are asserted alike.

    Args:
        rng: Chooses wordings and the order of the sentences.
        attributes: What is true.
        false_things: Objects to assert as well, from `draw_false_things`.
    """
    opening = pick(rng, ("The image shows", "The picture shows", "This is", "There is"))
    person = f"{opening} a person with {attributes.skin} skin wearing {article(attributes.sleeve)} sleeve."
    hands = "Both hands are" if attributes.side == "both" else f"The {attributes.side} hand is"
    hand = f"{hands} {deed_of(attributes)}, {attributes.view} in front, arm from {attributes.arm}."
    if attributes.background == "table":
        place = f"The background is {article(attributes.background_color)} table."
    else:
        place = f"The background is {article(attributes.background)} {attributes.background_color} wall."
    light = f"{attributes.warmth.capitalize()} light comes from {from_where(attributes.light)}."
    asserted = [thing for thing in (attributes.beside, *false_things) if thing is not None]
    sentences = [hand, place, light, *(assertion(rng, thing) for thing in asserted)]
    if len(asserted) < MANY_ASSERTED:
        sentences.append(pick(rng, REMARKS))
    return " ".join([person, *(sentences[int(index)] for index in rng.permutation(len(sentences)))])


def assertion(rng: np.random.Generator, thing: Thing) -> str:
    """Return a sentence that says that an object is there."""
    name = named(thing)
    wordings = (
        f"There is {name} on the {thing.place}.",
        f"On the {thing.place} stands {name}.",
        f"{name[0].upper()}{name[1:]} lies on the {thing.place}.",
    )
    return pick(rng, wordings)
