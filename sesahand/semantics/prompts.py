"""The words that are put to a vision-language model and to a language model.

Both follow the paper's chain of thought (semantic alignment): a captioner describes the picture, an extractor reduces
the description to what the person does. The sentences here are ours; the paper's own prompts have not been released.
"""

import json

CAPTION_INSTRUCTION = (
    "Describe the people in this picture. For each person say how the body is placed (standing, sitting, leaning), "
    "what the person is doing, and exactly what each hand does: which hand, which object it holds or touches, how it "
    "grips it, and how the fingers are placed. Then say in a few words where the scene takes place. "
    "Write plain sentences. Leave out colours, decoration, light, mood and the camera. "
    "If a hand cannot be seen, do not invent one."
)
"""What the captioner asks of a picture by default; the Caption node shows it as a widget."""

EXTRACTION_SYSTEM = (
    "You read a description of a picture and keep only human behaviour. Think step by step:\n"
    "1. Persons: list every person the description names. Ignore animals, objects and onlookers without behaviour.\n"
    "2. Pose: how is each body placed?\n"
    "3. Action: what is each person doing?\n"
    "4. Hands: what does each hand do, what does it hold or touch, and how?\n"
    "5. Place: where does it happen? Name the place only, not what stands around in it.\n"
    "6. Leave out colours of things, counts and lists of background objects, light, mood, style and camera.\n"
    "Write one short line for each step. Then write one JSON object and nothing after it:\n"
    '{"pose": "...", "action": "...", "hand_action": "...", "environment": "..."}\n'
    "Each value is a short phrase in the words of the description; an empty string where the description says nothing. "
    "Never invent hands, objects or places. With several persons, name each of them inside the phrases."
)

ANSWER_SCHEMA = {
    "type": "object",
    "properties": {
        "pose": {"type": "string"},
        "action": {"type": "string"},
        "hand_action": {"type": "string"},
        "environment": {"type": "string"},
    },
    "required": ["pose", "action", "hand_action", "environment"],
    "additionalProperties": False,
}
"""The form of an answer, for servers that can be made to keep to one."""

# (description, the steps of thought, the four components)
EXTRACTION_EXAMPLES = (
    (
        "The image shows a cozy kitchen with white tiles and warm pendant lights. A young woman in a green sweater "
        "stands at the counter, slicing a tomato with a knife. Her left hand steadies the tomato while two bowls and "
        "a kettle sit behind her.",
        "Persons: a young woman.\n"
        "Pose: standing at the counter.\n"
        "Action: slicing a tomato.\n"
        "Hands: a knife slices the tomato, the left hand steadies it.\n"
        "Place: a kitchen.\n"
        "Leave out: tiles, lights, sweater, bowls, kettle.",
        {
            "pose": "a young woman standing at the counter",
            "action": "slicing a tomato with a knife",
            "hand_action": "slicing a tomato with a knife, her left hand steadying the tomato",
            "environment": "in a kitchen",
        },
    ),
    (
        "An older man and a boy sit side by side on a wooden pier at sunset. The man is holding a fishing rod with "
        "both hands; the boy points at the water. The composition is peaceful, with a shallow depth of field.",
        "Persons: an older man, a boy.\n"
        "Pose: both sit side by side.\n"
        "Action: fishing; pointing at the water.\n"
        "Hands: the man holds a fishing rod with both hands, the boy points.\n"
        "Place: a pier.\n"
        "Leave out: sunset, composition, depth of field.",
        {
            "pose": "an older man and a boy sitting side by side",
            "action": "a man fishing, a boy pointing at the water",
            "hand_action": "the man holding a fishing rod with both hands, the boy pointing at the water",
            "environment": "on a pier",
        },
    ),
    (
        "A red train passes a snowy station. A person in a long coat is walking along the platform in the distance.",
        "Persons: a person.\n"
        "Pose: upright, as one walks; not described further.\n"
        "Action: walking along the platform.\n"
        "Hands: not described.\n"
        "Place: a station platform.\n"
        "Leave out: train, snow, coat.",
        {
            "pose": "",
            "action": "a person walking along the platform",
            "hand_action": "",
            "environment": "at a station",
        },
    ),
)


def extraction_prompt(caption: str) -> str:
    """The worked examples, then `caption` with the answer left open.

    Args:
        caption: what the captioner (or the user) said about one picture.

    Returns:
        The text for `Captioner.complete`; `EXTRACTION_SYSTEM` goes beside it as the system message.
    """
    shots = [
        f"Description: {text}\n{thought}\n{json.dumps(components)}" for text, thought, components in EXTRACTION_EXAMPLES
    ]
    return "\n\n".join([*shots, f"Description: {caption.strip()}\n"])


def instruction(caption: str) -> str:
    """All that a language model has to be told about a caption in one text, for hosts without a system message.

    Args:
        caption: what is said about one picture.

    Returns:
        The text; `extractor.read_answers` reads the answer.
    """
    return f"{EXTRACTION_SYSTEM}\n\n{extraction_prompt(caption)}"


def correction_prompt(caption: str, answer: str, error: str) -> str:
    """Show a failed answer and what was wrong with it, and ask again for the JSON alone.

    Args:
        caption: the description the answer was about.
        answer: the language model's answer; only its end is quoted, so that a runaway answer cannot crowd out the
            question.
        error: why it could not be used.
    """
    return (
        f"{extraction_prompt(caption)}"
        f"Your last answer ended with:\n{answer[-600:]}\n"
        f"It could not be used: {error}\n"
        'Answer again with the JSON object alone, with the keys "pose", "action", "hand_action" and "environment", '
        "each a string.\n"
    )
