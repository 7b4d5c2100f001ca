"""Vision-language models behind the OpenAI chat-completions protocol: Ollama, LM Studio, vLLM, llama.cpp, hosted ones.

Source: the request and answer fields are those of the OpenAI API reference, "Create chat completion".
"""

import base64
import io
import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch

from ..callbacks import Progress
from ..errors import SesaHandError, printable
from ..files.reading import MAX_PARSED_BYTES, parsed_size
from .captioner import without_reasoning
from .credentials import CredentialFile
from .endpoint import Endpoint
from .exchange import POLL_SECONDS, Limits, Reply, post
from .pictures import to_pictures
from .reasoning import without_marks
from .redaction import redact

logger = logging.getLogger(__name__)

WORTH_RETRYING = {408, 425, 429, 500, 502, 503, 504, 529}
MAX_SIDE = 2048
"""Pixels; servers shrink larger pictures themselves, or refuse them."""
JPEG_QUALITY = 92
QUOTED_BYTES = 20_000
"""Of what a server says, so many are looked through for a key; what a message quotes is far shorter."""
CHARACTERS_PER_TOKEN = 20
"""More than any language needs: an answer beyond it ignores the limit that was asked for."""


def check_model_name(name: str) -> None:
    """Refuse an empty name of a model.

    Raises:
        SesaHandError: It is empty.
    """
    if not name.strip():
        raise SesaHandError(
            "The model name is empty. Write the name under which the server lists it, e.g. qwen2.5vl:7b."
        )


@dataclass(frozen=True)
class OpenAIVLM:
    """A Captioner behind a server. Holds where it is and the name of a credential, never a key.

    Args:
        base_url: For example `http://127.0.0.1:11434/v1`; HTTPS for anything but this machine.
        model: The name under which the server knows the model.
        credential: Name of an entry in the credentials file, empty for servers that ask for no key.
        credentials: Where the key is looked up at each call.
        limits: Time-outs, retries and sizes.
    """

    base_url: str
    model: str
    credential: str = ""
    credentials: CredentialFile = field(default_factory=CredentialFile.default)
    limits: Limits = Limits()
    takes_schema: ClassVar[bool] = True

    def __post_init__(self):
        Endpoint.parse(self.base_url)
        check_model_name(self.model)

    @property
    def name(self) -> str:
        return f"{self.model} at {Endpoint.parse(self.base_url).address}"

    def check_allowed(self) -> None:
        """Raise what a call would raise about the host or the credential, without connecting.

        Raises:
            SesaHandError: See `CredentialFile.authorize`.
        """
        self.credentials.authorize(Endpoint.parse(self.base_url), self.credential, self.model)

    def describe(
        self,
        images: torch.Tensor,
        instruction: str,
        *,
        max_tokens: int,
        seed: int,
        temperature: float = 0.0,
        max_side: int = 1024,
        progress: Progress | None = None,
    ) -> list[str]:
        """Caption each image with one request; see `Captioner.describe`."""
        pictures = to_pictures(images, min(max_side, MAX_SIDE))
        # As generators, so that a large batch is not encoded at once.
        conversations = (
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": instruction},
                        {"type": "image_url", "image_url": {"url": _data_url(picture)}},
                    ],
                }
            ]
            for picture in pictures
        )
        answers = self._ask_all(conversations, len(pictures), max_tokens, seed, temperature, progress)
        captions = [without_reasoning(answer, max_tokens) for answer in answers]
        if "" in captions:
            raise SesaHandError(
                f"{self.name} gave no text about image {captions.index('') + 1}. Does this model take pictures? A "
                f"model that reasons may need more than {max_tokens} tokens: raise the length limit."
            )
        return captions

    def complete(
        self,
        prompts: list[str],
        *,
        system: str = "",
        max_tokens: int,
        seed: int,
        temperature: float = 0.0,
        progress: Progress | None = None,
        schema: dict | None = None,
    ) -> list[str]:
        """Answer each prompt with one request; see `Captioner.complete`.

        Args:
            prompts: The questions.
            system: The system message, if any.
            max_tokens: Most tokens of an answer.
            seed: Of the answers.
            temperature: See `Captioner.describe`.
            progress: Called between requests.
            schema: JSON schema that answers must keep to, where the server can see to it; others are asked without.
        """
        opening = [{"role": "system", "content": system}] if system else []
        conversations = ([*opening, {"role": "user", "content": prompt}] for prompt in prompts)
        form = None if schema is None else {"name": "answer", "strict": True, "schema": schema}
        answers = self._ask_all(conversations, len(prompts), max_tokens, seed, temperature, progress, form)
        return [without_marks(answer) for answer in answers]

    def _ask_all(
        self, conversations, count: int, max_tokens: int, seed: int, temperature: float, progress, form=None
    ) -> list[str]:
        answers: list[str] = []
        for messages in conversations:
            done = len(answers)

            def poll(done=done):
                if progress is not None:
                    progress(done, count)

            payload = {
                "model": self.model,
                "messages": messages,
                "max_tokens": max_tokens,
                "temperature": temperature,
                # Some servers keep it in 32 bits.
                "seed": seed % 2**31,
                "stream": False,
            }
            if form is not None:
                payload["response_format"] = {"type": "json_schema", "json_schema": form}
            poll()
            answers.append(self._ask(payload, max_tokens, poll))
        if progress is not None:
            progress(count, count)
        return answers

    def _ask(self, payload: dict, max_tokens: int, poll: Callable[[], None]) -> str:
        endpoint = Endpoint.parse(self.base_url)
        key = self.credentials.authorize(endpoint, self.credential, self.model)
        try:
            reply = self._send(endpoint, key, payload, poll)
            while (simpler := _without_refused_part(payload, reply)) is not None:
                payload = simpler
                reply = self._send(endpoint, key, payload, poll)
            if reply.status != 200:
                raise SesaHandError(self._complaint(endpoint, reply, key, _shows_pictures(payload)))
            text = _answer_text(endpoint, reply.body, max_tokens, key)
        except SesaHandError as error:
            # A server may repeat what it was sent, in an error as well as in an answer; and its path may hold a key.
            said = str(error)
            for secret in (key, *endpoint.parts_like_keys):
                said = redact(said, secret)
            raise type(error)(said) from None
        return text

    def _send(self, endpoint: Endpoint, key: str, payload: dict, poll: Callable[[], None]) -> Reply:
        """Post, and post again after a while where that may help."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
        headers |= {"User-Agent": "sesahand", "Connection": "close"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        body = json.dumps(payload).encode()
        delay = self.limits.first_delay_seconds
        attempt = -1
        while True:
            attempt += 1
            last = attempt >= self.limits.retries
            pause = delay
            try:
                reply = post(endpoint, "/chat/completions", body, dict(headers), self.limits, poll)
                if reply.status not in WORTH_RETRYING or last or _refuses_part(payload, reply):
                    return reply
                pause = _retry_after(reply, delay)
                logger.info("%s answered %d; trying again in %g s", printable(self.name), reply.status, pause)
            except TimeoutError as error:
                raise SesaHandError(
                    f"{self.name} did not answer in time ({_clean(str(error), key)}). Raise the time limit, lower the "
                    "length of the answer, or look whether the server is still loading the model."
                ) from None
            except ConnectionError as error:
                reason = _clean(str(error), key)
                if last:
                    raise SesaHandError(
                        f"No connection to {self.name} after {attempt + 1} attempts ({reason}). Is the server running, "
                        "and is the base URL right?"
                    ) from None
                logger.info("The connection to %s failed; trying again in %g s", printable(self.name), pause)
            _wait(min(pause, self.limits.longest_delay_seconds), poll)
            delay *= 2

    def _complaint(self, endpoint: Endpoint, reply: Reply, key: str, pictures: bool = False) -> str:
        said = _error_message(reply.body, key)
        said = f" The server says: {said}" if said else ""
        where, status = endpoint.address, reply.status
        if 300 <= status < 400:
            return (
                f"{where} answered with a redirect ({status}), which is not followed, so that nothing reaches another "
                "host. Write the final address as base URL."
            )
        if status in (401, 403):
            asked = f"refused the key of credential {self.credential!r}" if self.credential else "asks for a key"
            return f"{where} {asked} ({status}). Choose or correct a credential in {self.credentials.path}.{said}"
        if status == 404:
            return (
                f"{where} has no {endpoint.path}/chat/completions, or no model {self.model!r} (404). The base URL "
                f"usually ends in /v1.{said}"
            )
        if pictures and 400 <= status < 600 and _NO_PICTURES.search(said):
            return (
                f"{self.name} does not take pictures: its model only reads text. Connect it to Extract Semantics, and "
                f"caption with a vision-language model.{said}"
            )
        if status == 413:
            return f"{where} finds the request too large (413). Lower the picture's longer side.{said}"
        return f"{self.name} answered with the error {status}.{said}"


_NO_PICTURES = re.compile(
    r"image|vision|multi-?modal|mmproj|picture|content.{0,40}(?:string|str\b|list)|unsupported content", re.IGNORECASE
)


def _shows_pictures(payload: dict) -> bool:
    return any(isinstance(message["content"], list) for message in payload["messages"])


def _data_url(picture) -> str:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _refuses_system(payload: dict, reply: Reply) -> bool:
    """Whether a server says that its model has no system turn; the templates of some models raise over one."""
    said = _error_message(reply.body) if 400 <= reply.status < 600 and reply.status != 429 else ""
    refused = r"\bsystem\W*(?:role|message|prompt|turn|instruction)|\broles?\b.*\bsystem\b|roles must alternate"
    return payload["messages"][0]["role"] == "system" and re.search(refused, said, re.IGNORECASE) is not None


def _refuses_part(payload: dict, reply: Reply) -> bool:
    """Whether a server's own failure is that it does not take the question as it was put."""
    return _refuses_system(payload, reply) or _refuses_form(payload, reply)


def _refuses_form(payload: dict, reply: Reply) -> bool:
    """Whether a server fails at the form that an answer should have: llama-cpp-python calls that its own error."""
    if reply.status != 500 or "response_format" not in payload:
        return False
    return bool(re.search(r"validation error.*response_format", _error_message(reply.body), re.DOTALL))


def _without_refused_part(payload: dict, reply: Reply) -> dict | None:
    """Servers differ in what they know: rename, move or drop what an error names, or None if nothing is named."""
    if _refuses_system(payload, reply):
        system, first, *further = payload["messages"]
        merged = first | {"content": f"{system['content']}\n\n{first['content']}"}
        return payload | {"messages": [merged, *further]}
    said = _error_message(reply.body)
    if _refuses_form(payload, reply):
        # llama-cpp-python knows no "json_schema", but its "json_object" takes a schema.
        form = payload["response_format"]
        simpler = {name: value for name, value in payload.items() if name != "response_format"}
        if form["type"] != "json_schema":
            return simpler
        return simpler | {"response_format": {"type": "json_object", "schema": form["json_schema"]["schema"]}}
    if reply.status not in (400, 422):
        return None
    if "max_tokens" in payload and "max_completion_tokens" in said:
        renamed = dict(payload)
        renamed["max_completion_tokens"] = renamed.pop("max_tokens")
        return renamed
    if "response_format" in payload and re.search(r"response_?format|json_?schema|json_?object|grammar|struct", said):
        simpler = {name: value for name, value in payload.items() if name != "response_format"}
        schema = payload["response_format"]["type"] == "json_schema"
        return simpler | ({"response_format": {"type": "json_object"}} if schema else {})
    for option in ("temperature", "seed"):
        if option in payload and re.search(rf"\b{option}\b", said):
            return {name: value for name, value in payload.items() if name != option}
    return None


def _answer_text(endpoint: Endpoint, body: bytes, max_tokens: int, key: str) -> str:
    """Take the text out of a chat completion.

    Returns:
        The text, printable and of bounded length; empty where the model wrote nothing.

    Raises:
        SesaHandError: Not JSON, not a chat completion, or a refusal.
    """
    content = _parse(body)
    if content is None:
        start = _clean(body[:QUOTED_BYTES].decode("utf-8", "replace"), key)[:80]
        raise SesaHandError(f"{endpoint.address} did not answer with JSON but with {start!r}. Is the base URL right?")
    try:
        choice = content["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
    except (KeyError, IndexError, TypeError, AttributeError):
        said = _error_message(body, key) or "no choices[0].message"
        raise SesaHandError(
            f"{endpoint.address} did not answer with a chat completion: {said}. Is the base URL right?"
        ) from None
    if isinstance(text, list):
        text = "".join(str(part.get("text") or "") for part in text if isinstance(part, dict))
    if refusal and not text:
        raise SesaHandError(f"The model at {endpoint.address} refused: {_clean(str(refusal), key)}")
    if not isinstance(text, str) or not text.strip():
        cut = isinstance(choice, dict) and choice.get("finish_reason") == "length"
        reason = f" within the {max_tokens} tokens asked for" if cut else ""
        logger.warning("The model at %s wrote nothing%s", endpoint.address, reason)
        return ""
    if isinstance(choice, dict) and choice.get("finish_reason") == "length":
        logger.warning(
            "The answer of %s was cut off after the %d tokens asked for; raise the length limit if it misses its end",
            endpoint.address,
            max_tokens,
        )
    text = text[: CHARACTERS_PER_TOKEN * max_tokens + QUOTED_BYTES]
    # Before the key is looked for: what nobody sees could stand between its letters.
    text = redact("".join(mark for mark in text if mark in "\n\t" or mark.isprintable()), key).strip()
    if len(text) > CHARACTERS_PER_TOKEN * max_tokens:
        logger.warning("%s wrote more than the %d tokens asked for; the rest is cut off", endpoint.address, max_tokens)
        text = text[: CHARACTERS_PER_TOKEN * max_tokens]
    return text


def _parse(body: bytes):
    try:
        text = body.decode("utf-8-sig")
        # Not `parse_json`: servers write NaN where they count something beside the answer.
        return json.loads(text) if parsed_size(text) <= MAX_PARSED_BYTES else None
    except (ValueError, RecursionError):
        return None


def _error_message(body: bytes, key: str = "") -> str:
    """What a server says is wrong, in one of the forms in use, short and printable."""
    content = _parse(body)
    for name in ("error", "message", "detail"):
        if isinstance(content, dict) and name in content:
            content = content[name]
    return _clean(content if isinstance(content, str) else json.dumps(content) if content else "", key)


def _clean(text: str, key: str = "") -> str:
    """What a server says on one line, without the key, and only then cut: half a key would not be known as one."""
    shown = "".join(mark if mark.isprintable() else " " for mark in text[:QUOTED_BYTES])
    return " ".join(redact(shown, key).split())[:300]


def _retry_after(reply: Reply, delay: float) -> float:
    value = reply.headers.get("retry-after", "")
    return float(value) if re.fullmatch(r"\d{1,6}(\.\d+)?", value) else delay


def _wait(seconds: float, poll: Callable[[], None]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        poll()
        time.sleep(min(left, POLL_SECONDS))
