"""Models of transformers that write text, about images or alone, from a local folder: safetensors, nothing fetched."""

import copy
import inspect
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from ..callbacks import Progress
from ..errors import CannotAnswerError, InvalidFileError, SesaHandError, UnsafeFileError, printable, quote
from ..files.failures import telling_failures
from ..files.model_configs import plain_generation, without_choices, without_nulls
from ..files.model_folders import check_complete, check_size
from ..files.panics import refusing_panics
from ..files.picture_sizes import check_picture_sizes
from ..files.processor_classes import check_processors
from ..files.tokenizer_steps import check_tokenizer
from .captioner import without_reasoning
from .folders import needs_remote_code, read_config
from .gguf_models import check_gguf
from .pictures import to_pictures
from .reasoning import without_marks

logger = logging.getLogger(__name__)

OPENINGS = {"blip": "", "git": "", "pix2struct": "", "kosmos-2": "An image of", "paligemma": "caption en"}
"""Model types that continue a text rather than follow an instruction, and the beginning they are given by default."""

MAX_OPENING_WORDS = 8
"""A longer instruction cannot be meant as the beginning of a caption."""

FLORENCE_TASKS = ("<CAPTION>", "<DETAILED_CAPTION>", "<MORE_DETAILED_CAPTION>")
MOST_TOKENS = 1 << 15
"""Of a prompt with its picture; Qwen2-VL makes 21,000 of the largest."""

_SEEDING = threading.RLock()

LLAVA_TYPES = ("llava", "llava_next", "vipllava")


class TransformersVLM:
    """A Captioner around one model and its processor; one that only reads text has a tokenizer and cannot describe.

    It works on whatever device and in whatever dtype its `model` is at the time of the call; whoever owns the memory
    moves `model`. Images are captioned one by one, so that a caption does not depend on the other images of the batch
    and the memory needed does not grow with it.

    Args:
        model: A transformers model with `generate`.
        processor: Its processor, with an image processor and a tokenizer, or a tokenizer alone.
        name: What to call it in messages.
    """

    def __init__(self, model: torch.nn.Module, processor, name: str):
        # Of no type that transformers names: each family answers in its own way.
        self.model: Any = model.eval()
        self.processor = processor
        self.name = name

    @classmethod
    def load(cls, folder: str | Path, dtype: torch.dtype = torch.float32) -> "TransformersVLM":
        """Read a model folder as Hugging Face publishes them into main memory, or a language model in one GGUF file.

        Args:
            folder: Holds config.json, *.safetensors, the tokenizer's and the processor's files; or a .gguf file.
            dtype: Of the weights in memory.

        Raises:
            InvalidFileError: Not such a folder, incomplete, a model that the installed transformers does not know, or
                one that only continues text.
            UnsafeFileError: Something in it would run code.
        """
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING

        folder = Path(folder)
        if folder.suffix.lower() == ".gguf":
            return cls._load_gguf(folder, dtype)
        config = read_config(folder)
        auto_class = _auto_class(folder, config)
        check_processors(folder)

        def configuration():
            return without_choices(CONFIG_MAPPING[config["model_type"]].from_dict(without_nulls(config)))

        try:
            # Building a model draws random weights before the stored ones replace them.
            with refusing_panics(folder), _seeded(torch.device("cpu"), 0):
                check_size(folder, lambda: auto_class.from_config(configuration(), trust_remote_code=False))
                model, report = auto_class.from_pretrained(
                    folder,
                    config=configuration(),
                    local_files_only=True,
                    trust_remote_code=False,
                    use_safetensors=True,
                    output_loading_info=True,
                    **{_dtype_argument(): dtype},
                )
            if getattr(model, "generation_config", None) is not None:
                plain_generation(model.generation_config)
            processor = _load_processor(folder) if _sees(auto_class) else _load_tokenizer(folder)
        except SesaHandError:
            raise
        except Exception as error:
            # transformers and safetensors raise a dozen kinds here, all of them about the files.
            raise InvalidFileError(
                f"{folder} could not be loaded by transformers; copy all of its files again, or choose another model: "
                f"{error}"
            ) from error
        check_complete(folder, model, report)
        logger.info(
            "Loaded the %slanguage model %s (%s)",
            "vision-" if _sees(auto_class) else "",
            printable(folder.name),
            type(model).__name__,
        )
        return cls(model, processor, folder.name)

    @classmethod
    def _load_gguf(cls, path: Path, dtype: torch.dtype) -> "TransformersVLM":
        held = check_gguf(path)
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

        local = {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}
        try:
            with refusing_panics(path), _seeded(torch.device("cpu"), 0):
                config = without_choices(AutoConfig.from_pretrained(path.parent, **local))
                build = AutoModelForCausalLM.from_config
                check_size(path, lambda: build(copy.deepcopy(config), trust_remote_code=False), held)
                # With the report asked for, it is a pair, which transformers' types do not know.
                loaded: Any = AutoModelForCausalLM.from_pretrained(
                    path.parent, **local, output_loading_info=True, **{_dtype_argument(): dtype}
                )
                tokenizer = check_tokenizer(path.name, AutoTokenizer.from_pretrained(path.parent, **local))
            model, report = loaded
        except SesaHandError:
            raise
        except Exception as error:
            # As with folders, a dozen kinds, all of them about the file.
            raise InvalidFileError(
                f"{path} could not be loaded by transformers; download it again, or choose another model: {error}"
            ) from error
        if getattr(model, "generation_config", None) is not None:
            plain_generation(model.generation_config)
        check_complete(path, model, report)
        return cls(model, tokenizer, path.stem)

    def __repr__(self) -> str:
        return f"TransformersVLM({self.name!r}, {type(self.model).__name__})"

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
        """Caption each image; see `Captioner.describe`."""
        if not hasattr(self.processor, "image_processor"):
            raise SesaHandError(
                f"{self.name} ({self.model.config.model_type}) does not take pictures: it only reads text. Connect it "
                "to Extract Semantics, and caption with a vision-language model such as Qwen2.5-VL."
            )
        pictures = to_pictures(images, max_side)
        prompt = self._picture_prompt(instruction)
        captions = []
        for index, picture in enumerate(pictures):
            inputs = self._process(prompt, picture)
            tick = _Tick(progress, index * max_tokens, len(pictures) * max_tokens)
            text = self._generate(inputs, max_tokens, seed, temperature, tick)
            tick.finish(max_tokens)
            captions.append(without_reasoning(text, max_tokens))
            if not captions[-1]:
                logger.warning("%s wrote nothing about image %d", printable(self.name), index + 1)
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
    ) -> list[str]:
        """Answer each prompt without a picture; see `Captioner.complete`.

        Raises:
            CannotAnswerError: The model has no chat template, so that it can only caption.
        """
        if self._template_owner() is None:
            raise CannotAnswerError(
                f"{self.name} ({self.model.config.model_type}) can caption pictures but not answer text: it has no "
                "chat template. Use an instruction-tuned model such as Qwen2.5-VL or LLaVA, or the rules extractor."
            )
        answers = []
        for index, prompt in enumerate(prompts):
            inputs = self._process(self._chat(prompt, pictures=0, system=system), None)
            tick = _Tick(progress, index * max_tokens, len(prompts) * max_tokens)
            answers.append(without_marks(self._generate(inputs, max_tokens, seed, temperature, tick)))
            tick.finish(max_tokens)
        return answers

    @property
    def _tokenizer(self):
        return getattr(self.processor, "tokenizer", self.processor)

    def _template_owner(self):
        owners = (self.processor, self._tokenizer)
        return next((owner for owner in owners if getattr(owner, "chat_template", None)), None)

    def _picture_prompt(self, instruction: str) -> str:
        """The text that goes with one picture, in the manner of the model's family."""
        kind = self.model.config.model_type
        if self._template_owner() is not None:
            return self._chat(instruction, pictures=1)
        if kind == "florence2":
            return instruction.strip() if instruction.strip() in FLORENCE_TASKS else FLORENCE_TASKS[-1]
        if kind in OPENINGS:
            fits = len(instruction.split()) <= MAX_OPENING_WORDS
            if not fits:
                name = printable(self.name)
                logger.info("%s continues text and cannot follow an instruction; it captions freely", name)
            return instruction.strip() if fits else OPENINGS[kind]
        if kind in LLAVA_TYPES:
            return f"USER: {self._image_token()}\n{instruction} ASSISTANT:"
        if kind == "blip-2":
            return f"Question: {instruction} Answer:"
        return instruction

    def _image_token(self) -> str:
        return str(getattr(self.processor, "image_token", None) or "<image>")

    def _chat(self, text: str, *, pictures: int, system: str = "") -> str:
        """Render a user turn (and a system turn) by the model's own template."""
        # A template is a program, and can fail in any way.
        if system:
            try:
                prompt = self._render([("system", system, 0), ("user", text, pictures)])
            except Exception:
                prompt = ""
            # Some templates refuse a system turn, others leave it out without a word.
            if system.strip() in prompt:
                return prompt
            text = f"{system}\n\n{text}"
        try:
            return self._render([("user", text, pictures)])
        except Exception as error:
            raise SesaHandError(
                f"The chat template of {self.name} does not take a user's turn; choose another model: "
                f"{str(error)[:500] or type(error).__name__}"
            ) from None

    def _render(self, turns: list[tuple[str, str, int]]) -> str:
        owner = self._template_owner()
        messages = []
        content: str | list[dict[str, str]]
        for role, text, pictures in turns:
            if owner is self.processor and owner is not self._tokenizer:
                content = [{"type": "image"}] * pictures + [{"type": "text", "text": text}]
            else:
                content = f"{self._image_token()}\n" * pictures + text
            messages.append({"role": role, "content": content})
        return owner.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    def _process(self, prompt: str, picture):
        """Turn text and picture into the model's input tensors, on its device and in its dtype."""
        refuse_address(prompt)
        arguments: dict[str, Any] = {"text": [prompt]} if prompt else {}
        if picture is not None:
            arguments["images"] = [picture]
        if self._tokenizer.bos_token and prompt.startswith(self._tokenizer.bos_token):
            # The template has already written the first token.
            arguments["add_special_tokens"] = False
        failed = (
            f"The processor of {self.name} refused the prompt or the picture; try a smaller picture or another model"
        )
        with telling_failures(failed), refusing_panics(self.name):
            inputs = self.processor(**arguments, return_tensors="pt")
        self._check_length(inputs)
        if "token_type_ids" in inputs and "token_type_ids" not in inspect.signature(self.model.forward).parameters:
            # Tokenizers made for another model emit these, and generate() refuses what the model does not take.
            inputs.pop("token_type_ids")
        if picture is None:
            # A tokenizer's have no dtype to choose: they are all numbers of tokens.
            return inputs.to(self.model.device)
        return inputs.to(self.model.device, dtype=self.model.dtype)

    def _check_length(self, inputs) -> None:
        """Refuse more tokens than a picture and a prompt are: the model's memory grows with their square."""
        tokens = inputs["input_ids"].shape[-1] if "input_ids" in inputs else 0
        if tokens > MOST_TOKENS:
            raise SesaHandError(
                f"The processor of {self.name} makes {tokens} tokens of the prompt and the picture, expected at most "
                f"{MOST_TOKENS}. Shorten the prompt, or lower max_side; if they are small, copy all files again."
            )

    def _generate(self, inputs, max_tokens: int, seed: int, temperature: float, tick: "_Tick") -> str:
        device = self.model.device
        sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}
        tick(0)
        failed = (
            f"{self.name} could not answer; its files may not belong together. Copy all of them again, choose another "
            "model, or try a smaller picture"
        )
        with (
            telling_failures(failed, lambda error: error is tick.interrupt),
            torch.inference_mode(),
            _seeded(device, seed),
        ):
            ids = self.model.generate(
                **inputs, max_new_tokens=max_tokens, num_beams=1, stopping_criteria=_watch(tick), **sampling
            )[0]
        given = inputs["input_ids"][0] if "input_ids" in inputs else ids[:0]
        if len(given) <= len(ids) and torch.equal(ids[: len(given)], given):
            # Decoder-only models repeat the prompt; encoder-decoders and captioners do not.
            ids = ids[len(given) :]
        with telling_failures(failed), refusing_panics(self.name):
            return self._tokenizer.decode(ids, skip_special_tokens=True).strip()


def refuse_address(prompt: str) -> None:
    """Refuse a text that is an address and nothing else, which Idefics' processor would fetch as a picture.

    Raises:
        UnsafeFileError: If it is one.
    """
    prompt = prompt.strip()
    try:
        parts = urlsplit(prompt)
        is_address = bool(parts.scheme and parts.netloc) and " " not in prompt
    except ValueError:
        # Brackets that hold no address of version 6; the processor would fail there too.
        is_address = True
    if is_address:
        raise UnsafeFileError(
            f"The instruction {quote(prompt)} is an address, and some models' processors fetch what lies there; a "
            "local model uses no network. Write what it is to do."
        )


class _Tick:
    """Reports tokens of one answer as a part of the whole batch."""

    def __init__(self, progress: Progress | None, offset: int, total: int):
        self.progress = progress
        self.offset = offset
        self.total = total
        self.tokens = 0
        self.interrupt: BaseException | None = None

    def __call__(self, tokens: int = 1) -> None:
        self.tokens += tokens
        if self.progress is not None:
            try:
                self.progress(min(self.offset + self.tokens, self.total), self.total)
            except BaseException as error:
                self.interrupt = error
                raise

    def finish(self, max_tokens: int) -> None:
        self(max_tokens - self.tokens)


def _watch(tick: _Tick):
    """Stopping criteria that never stop, but let `tick` raise after each token."""
    from transformers import StoppingCriteria, StoppingCriteriaList

    class EachToken(StoppingCriteria):
        def __call__(self, input_ids, scores, **kwargs):
            tick()
            return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)

    return StoppingCriteriaList([EachToken()])


@contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Seed what `generate` samples from, and put every touched random state back.

    The states are the process's: two threads at once would each find and put back the other's.
    """
    with _SEEDING:
        yield from _seeded_alone(device, seed)


def _seeded_alone(device: torch.device, seed: int) -> Iterator[None]:
    backend = None if device.type in ("cpu", "meta") else torch.get_device_module(device)
    # Metal has a single generator and takes no device.
    where = () if device.type == "mps" else (device,)
    cpu_state = torch.get_rng_state()
    device_state = backend.get_rng_state(*where) if backend else None
    try:
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif backend:
            backend.manual_seed(seed)
        yield
    finally:
        torch.set_rng_state(cpu_state)
        if backend:
            backend.set_rng_state(device_state, *where)


def _auto_class(folder: Path, config: dict):
    """The Auto class of transformers that makes a model of this configuration which writes text.

    About images where it has one. What else it calls causal is also BERT and the like, which fill gaps.
    """
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        if "config.json" in needs_remote_code(folder):
            raise InvalidFileError(
                f"{folder} brings its own Python code (auto_map in config.json), which is never run here. Take a "
                "version of the model that is part of transformers, often published as '...-hf' (Florence-2: "
                "florence-community)."
            )
        raise InvalidFileError(
            f"transformers {transformers.__version__} does not know the model type {kind!r} of {folder}. A newer "
            "transformers may; or it is not a transformers model folder."
        )
    names = ("AutoModelForImageTextToText", "AutoModelForVision2Seq")
    candidates = [getattr(transformers, name, None) for name in names]
    for candidate in candidates:
        if CONFIG_MAPPING[kind] in getattr(candidate, "_model_mapping", {}):
            return candidate
    causal, filling = (
        transformers.AutoModelForCausalLM._model_mapping,
        transformers.AutoModelForMaskedLM._model_mapping,
    )
    if CONFIG_MAPPING[kind] in causal and CONFIG_MAPPING[kind] not in filling:
        return transformers.AutoModelForCausalLM
    raise InvalidFileError(
        f"{folder} holds a {kind!r} model, which does not write text about images and is no language model that "
        f"answers (as transformers {transformers.__version__} has it). Choose a vision-language model such as "
        "Qwen2.5-VL, LLaVA or Florence-2, or for Extract Semantics alone an instruction-tuned language model."
    )


def _sees(auto_class) -> bool:
    return auto_class.__name__ != "AutoModelForCausalLM"


def _dtype_argument() -> str:
    import transformers
    from packaging.version import Version

    return "dtype" if Version(transformers.__version__) >= Version("4.56") else "torch_dtype"


def _load_processor(folder: Path):
    from transformers import AutoProcessor
    from transformers.utils import is_torchvision_available

    try:
        with refusing_panics(folder):
            processor = AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            for part in vars(processor).values():
                if hasattr(part, "convert_tokens_to_ids"):
                    check_tokenizer(folder, part)
    except SesaHandError:
        raise
    except Exception as error:
        reason = _reason(folder, error)
        if not is_torchvision_available():
            reason += ". It may need torchvision, which is not installed here"
        raise InvalidFileError(
            f"The processor of {folder} could not be loaded: {reason}. Copy all of its files again, or choose another "
            "model."
        ) from error
    if not hasattr(processor, "image_processor"):
        raise InvalidFileError(
            f"{folder} has no image processor (preprocessor_config.json or processor_config.json). Download these "
            "files, they lie beside the weights."
        )
    settings = getattr(getattr(processor, "tokenizer", None), "init_kwargs", {})
    check_picture_sizes(folder, processor.image_processor, processor, settings)
    return processor


def _load_tokenizer(folder: Path):
    """The tokenizer of a model that only reads text, which must bring a chat template: others do not follow orders."""
    from transformers import AutoTokenizer

    try:
        with refusing_panics(folder):
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            check_tokenizer(folder, tokenizer)
    except SesaHandError:
        raise
    except Exception as error:
        raise InvalidFileError(
            f"The tokenizer of {folder} could not be loaded: {_reason(folder, error)}. Copy all of its files again, or "
            "choose another model."
        ) from error
    if not getattr(tokenizer, "chat_template", None):
        raise InvalidFileError(
            f"{folder} holds a language model without a chat template, which only continues text. Take its "
            "instruction-tuned version, often named '...-Instruct', or download all of its files again."
        )
    return tokenizer


def _reason(folder: Path, error: Exception) -> str:
    """Why transformers refused the words of a model; its own advice would be to run the folder's code."""
    coded = needs_remote_code(folder)
    return f"{', '.join(coded)} ask for Python code, which is never run here" if coded else str(error).strip()
