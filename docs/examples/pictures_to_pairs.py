"""Generated pictures and the hands that were asked for become image-mesh pairs, if the hand is found again."""

import sesahand

SENTENCES = [
    "A person with pale skin raises a right fist in front of a plain green wall.",
    "A person with dark skin raises a left hand with spread fingers in front of a plain orange wall.",
]

made = sesahand.generate_pictures(SENTENCES, score=True)
with sesahand.PairWriter("examples_out/pairs") as pairs:
    for one in made:
        if one.scored.score >= 0.5:
            facts = sesahand.PairFacts(
                prompt=one.record.semantics.prompt, gesture=one.record.gesture, score=one.scored.score
            )
            pairs.add(one.picture, one.record.scene, facts, {one.record.map: one.map})

for pair in sesahand.PairSet("examples_out/pairs"):
    print(f"{pair.key}: {pair.facts.gesture}, {pair.scene.side[0]}, score {pair.facts.score:.2f}")
