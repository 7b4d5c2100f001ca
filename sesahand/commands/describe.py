"""Say what the people in a picture, or in a caption, do: the four components and the prompt."""

import argparse
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

from ..errors import InvalidFileError, SesaHandError
from ..files.pictures import SUFFIXES, read_picture
from ..files.reading import open_regular

HELP = "reduce a picture or a caption to pose, action, hand action, environment and a prompt"
LONGEST_CAPTION = 100_000


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
    from ..semantics.composer import compose_batch, summary
    from ..semantics.extractor import extract_semantics

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
        answer = {"caption": caption, **components, "prompt": image.prompt, "spans": spans, "from": image.source}
        print(json.dumps({**answer, "note": image.note, "warnings": warnings}, ensure_ascii=False, indent=1))
    else:
        print("\n".join([f"caption: {caption}", summary(image), *(f"warning: {warning}" for warning in warnings)]))
    return 0


def read_caption(what: str, vlm, max_tokens: int, seed: int) -> str:
    """The caption that an argument stands for.

    Args:
        what: path of a picture or of a text file, or the caption itself.
        vlm: a captioner for pictures, or None.
        max_tokens: of the captioner's answer.
        seed: of the captioner.

    Raises:
        SesaHandError: when a file holds no text, a caption is too long, or a picture comes without a captioner.
    """
    path = Path(what)
    if not _is_file(path):
        if len(what) > LONGEST_CAPTION:
            raise _too_long("The caption")
        return _unwrapped(what)
    if path.suffix.lower() in SUFFIXES:
        if vlm is None:
            raise SesaHandError(
                f"{path.name} is a picture, and a picture needs a captioner: add --vlm with the folder of a "
                "vision-language model or the base URL of a server. Without one, give a caption."
            )
        from ..semantics.prompts import CAPTION_INSTRUCTION

        picture = read_picture(path)
        return vlm.describe(picture, CAPTION_INSTRUCTION, max_tokens=max_tokens, seed=seed)[0].strip()
    return _read_text(path)


def check_readable(what: str) -> None:
    """Refuse what is no caption, no text file and no picture, before a model is loaded."""
    path = Path(what)
    if not what.strip():
        raise SesaHandError("The caption is empty. Give a sentence, a .txt file or a picture.")
    if _exists(path.is_dir):
        raise InvalidFileError(f"{what} is a folder. Give the path of a picture or a .txt file, or a sentence.")
    if _is_file(path):
        if path.suffix.lower() in SUFFIXES:
            read_picture(path)
    elif path.suffix.lower() in (*SUFFIXES, ".txt"):
        raise InvalidFileError(f"There is no file {what}. Give the path of a picture or a .txt file, or a sentence.")


def _unwrapped(text: str) -> str:
    """A caption whose lines end where its sentences or points do: a line that begins in lower case goes on."""
    lines = (" ".join(line.split()) for line in text.strip().splitlines())
    return re.sub(r"(?<=[^\n])\n(?=[a-z])", " ", "\n".join(lines))


def _too_long(what: str) -> SesaHandError:
    return SesaHandError(f"{what} has more than {LONGEST_CAPTION} characters. Give one caption of one picture.")


def open_vlm(where: str, model: str, credential: str):
    """A captioner from a model's folder or a server's base URL.

    Args:
        where: the folder, or a URL that begins with http:// or https://.
        model: name of the model at the server.
        credential: name of an entry in the credentials file, or empty.

    Raises:
        SesaHandError: when the folder is no model, the server is not allowed, or the model has no name.
    """
    if not where.strip():
        raise SesaHandError("--vlm is empty. Give a model's folder or a server's base URL.")
    if where.startswith(("http://", "https://")):
        from ..vlm.openai_vlm import OpenAIVLM

        server = OpenAIVLM(where, model, credential)
        server.check_allowed()
        return server
    if not Path(where).is_dir():
        server = re.fullmatch(r"[\w.-]+:\d+(?:/\S*)?", where)
        advice = f"Did you mean http://{where}?" if server else "--vlm takes a model's folder or a URL with http://."
        raise InvalidFileError(f"There is no folder {where}. {advice}")
    if model or credential:
        raise SesaHandError("--model and --credential belong to a server, but --vlm is a folder. Leave them out.")
    from ..vlm.transformers_vlm import TransformersVLM

    return TransformersVLM.load(where)


def _is_file(path: Path) -> bool:
    return _exists(path.is_file)


def _exists(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except (OSError, ValueError):
        # a long sentence is no valid path
        return False


def _read_text(path: Path) -> str:
    try:
        # Windows' editors put a mark in front of UTF-8, which is no part of the caption.
        with io.TextIOWrapper(open_regular(path), encoding="utf-8-sig") as file:
            text = file.read(LONGEST_CAPTION + 1)
    except UnicodeDecodeError as error:
        raise InvalidFileError(f"{path} is neither a picture nor UTF-8 text. Give a .txt file or a picture.") from error
    except OSError as error:
        raise InvalidFileError(
            f"{path} cannot be read: {error.strerror or error}. Check that you may read it."
        ) from error
    if not text.strip():
        raise InvalidFileError(f"{path} is empty. It should hold one caption.")
    if len(text) > LONGEST_CAPTION:
        raise _too_long(str(path))
    return _unwrapped(text)
