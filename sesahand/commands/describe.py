"""Say what the people in a picture, or in a caption, do: the four components and the prompt."""

import argparse
import json
from typing import Any

from ..errors import SesaHandError
from .saying import say, say_json

HELP = "reduce a picture or a caption to pose, action, hand action, environment and a prompt"


class _Caption(argparse.Action):
    """Takes the words of one argument, and says what to do about a sentence that the shell has cut up."""

    def __call__(self, parser, options, values, option_string=None):
        if len(values) > 1:
            parser.error(f"got {len(values)} captions. Put one caption in quotes: {' '.join(values)[:60]!r}")
        setattr(options, self.dest, values[0])


def _tokens(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of tokens from 1, got {text!r:.40}")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument(
        "what",
        nargs="+",
        action=_Caption,
        help="a picture (needs --vlm), a .txt file with a caption, or the caption itself",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--vlm", metavar="FOLDER_OR_URL", help="a folder of a transformers model, or a server's base URL"
    )
    parser.add_argument("--model", default="", help="name of the model at the server")
    parser.add_argument(
        "--credential", default="", help="name of an entry in the credentials file, for servers with a key"
    )
    parser.add_argument("--rules", action="store_true", help="let the rules read the caption even with --vlm")
    parser.add_argument("--prefix", default="", help="goes in front of the prompt")
    parser.add_argument("--style", default="", help="goes behind the prompt")
    parser.add_argument("--max-tokens", type=_tokens, default=512, help="longest answer of the model (default 512)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the model's answers (default 0)")


def run(options: argparse.Namespace) -> int:
    """Print the caption, the components and the prompt."""
    from ..attention.tokens import fewest_columns
    from ..semantics.captions import check_readable, read_caption
    from ..semantics.composer import compose_batch, summary
    from ..semantics.extractor import extract_semantics
    from ..vlm.opening import open_vlm

    if options.vlm is None and (options.model or options.credential):
        raise SesaHandError("--model and --credential belong to a server: add --vlm with its base URL.")
    check_readable(options.what)
    vlm = None if options.vlm is None else open_vlm(options.vlm, options.model, options.credential)
    caption = read_caption(options.what, vlm, options.max_tokens, options.seed)
    reader = None if options.rules else vlm
    batch = extract_semantics([caption], reader, max_tokens=options.max_tokens, seed=options.seed)
    batch, warnings = compose_batch(batch, prefix=options.prefix, style=options.style, count_tokens=fewest_columns)
    image = batch.images[0]
    if options.json:
        spans = [{"part": span.part, "start": span.start, "end": span.end} for span in image.spans]
        components = image.behavior.to_dict()
        answer: dict[str, Any] = {
            "caption": caption,
            **components,
            "prompt": image.prompt,
            "spans": spans,
            "from": image.source,
        }
        answer |= {"hands": [hand.to_dict() for hand in image.hands], "language": image.language}
        answer |= {"origins": dict(image.origins)} if image.origins else {}
        say_json(json.dumps({**answer, "note": image.note, "warnings": warnings}, ensure_ascii=False, indent=1))
    else:
        say("\n".join([f"caption: {caption}", summary(image), *(f"warning: {warning}" for warning in warnings)]))
    return 0
