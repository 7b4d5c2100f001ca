"""Prompts of several scripts for the tokenizers of T5 and language models, and such a model made tiny."""

import random
import unicodedata

import torch

WORDS = (
    *"hand hands HAND finger Fingers a woman is holding waving umbrella thumbs-up handcuff 2hands hand_up".split(),
    *"o'clock don't café cafe\u0301 naïve ﬁngers ＨＡＮＤ 手 手指 рука हाथ 손 يد İ ß 👍🏽 👩‍👩‍👧 3.14 x2".split(),
    *"[b] {c} <d> & ½ — …".split(),
    *r"\( \) \(hand\) \u200b a\u200bb BREAK : 1.2 ( )".split(),
)  # fmt: skip
WRAPPED = ("{}", "{}", "{}", "({})", "({}:1.3)", "(({}))", "[{}]")
BETWEEN = (" ", " ", " ", ", ", "\n", "  ", "", " \t", ". ", "\u3000")


def prompts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)

    def part() -> str:
        return rng.choice(WRAPPED).format(" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 4))))

    return ["".join(part() + rng.choice(BETWEEN) for _ in range(rng.randint(1, 7))) for _ in range(count)]


def letters(text: str) -> str:
    """A text as far as all tokenizers keep it: without blanks, accents and what has no look."""
    apart = unicodedata.normalize("NFKD", text)
    kept = [c for c in apart if not c.isspace() and unicodedata.category(c) not in ("Cf", "Mn")]
    return "".join(kept).replace("\u2581", "")


TINY = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
TINY |= {"num_key_value_heads": 1}


def fill(module: torch.nn.Module) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            weight.copy_(0.2 * noise if weight.ndim > 1 else (1.0 if "norm" in name else 0.0) + 0.05 * noise)
    return module
