"""A captioner by where it is: a model's folder, or a server's base URL."""

import re
from pathlib import Path

from ..errors import InvalidFileError, SesaHandError
from .captioner import Captioner


def open_vlm(where: str, model: str = "", credential: str = "") -> Captioner:
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
        from .openai_vlm import OpenAIVLM

        server = OpenAIVLM(where, model, credential)
        server.check_allowed()
        return server
    if not Path(where).is_dir():
        address = re.fullmatch(r"[\w.-]+:\d+(?:/\S*)?", where)
        advice = f"Did you mean http://{where}?" if address else "--vlm takes a model's folder or a URL with http://."
        raise InvalidFileError(f"There is no folder {where}. {advice}")
    if model or credential:
        raise SesaHandError("--model and --credential belong to a server, but --vlm is a folder. Leave them out.")
    from .transformers_vlm import TransformersVLM

    return TransformersVLM.load(where)
