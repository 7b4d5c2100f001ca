"""A rambling caption becomes semantics: what the person does, what the hand does, where; and the prompt of it."""

import sesahand

said = sesahand.describe(
    "The image shows a woman in a red coat who stands on a bridge and waves at a boat with her right hand. The sky is "
    "cloudy, and the overall mood of the photograph is calm."
)
for name, text in said.behavior.to_dict().items():
    print(f"{name:>12}: {text}")
print(f"{'prompt':>12}: {said.prompt}")
print(f"{'hand words':>12}: {', '.join(span.text for span in said.spans if span.part == 'hand word')}")
