"""A sentence becomes a picture, by the small model that comes with SesaHand (about ten seconds on two CPU cores)."""

import sesahand

[made] = sesahand.generate_pictures(
    "A person with tan skin raises a right fist in front of a plain green wall.", out="examples_out"
)
print(f"examples_out/{made.name}_picture.png: {made.record.gesture}, prompt {made.record.semantics.prompt!r}")
