"""From picture to caption: a local or a remote vision-language model."""

from pathlib import Path

from comfy.utils import ProgressBar
from comfy_api.latest import io

from ..sesahand.errors import SesaHandError, quote
from ..sesahand.semantics.prompts import CAPTION_INSTRUCTION
from ..sesahand.vlm.endpoint import Endpoint
from ..sesahand.vlm.exchange import Limits
from ..sesahand.vlm.folders import fingerprint
from ..sesahand.vlm.openai_vlm import OpenAIVLM, check_model_name
from ..sesahand.vlm.transformers_vlm import TransformersVLM
from .managed_vlm import (
    DTYPES,
    ManagedVLM,
    credential_file,
    credential_names,
    manage,
    model_folders,
    pick_device,
    pick_dtype,
)
from .wires import NOTHING_YET, VLM, checks, find_fault, found_by, listed, rare
from .withheld import NO_CREDENTIAL, watch_requests


def find_model_folder(name: str) -> Path:
    """Return the folder of a model of the list, or say where to put it."""
    folder = model_folders().get(name)
    if folder is None:
        which = {NOTHING_YET: "yet", None: "chosen", "": "chosen"}.get(name) or quote(name)
        raise SesaHandError(
            f"There is no model folder {which}. Put the folder of a model (config.json, tokenizer, .safetensors) into "
            "models/sesahand_vlm, models/VLM or models/LLM, press R to refresh the list, and choose it."
        )
    return folder


def check_credential(name: str) -> None:
    """Refuse what is no name of an entry in the credentials file, a pasted key above all."""
    if name != NO_CREDENTIAL:
        credential_file().check_name(name)


@checks(model_name=find_model_folder)
class LoadVLM(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandLoadVLM",
            display_name="Load VLM (SesaHand)",
            category="SesaHand/caption",
            **found_by("caption model", "Qwen-VL", "Florence-2", "BLIP"),
            description="Loads a vision-language model of transformers from a local folder, for captions and for "
            "extracting semantics, or a language model for the latter alone. Reads safetensors and GGUF only, runs no "
            "code of the model's folder and downloads nothing.",
            inputs=[
                io.Combo.Input(
                    "model_name",
                    options=listed(model_folders()),
                    tooltip="A folder with config.json, tokenizer and .safetensors below models/sesahand_vlm, "
                    "models/VLM or models/LLM. Qwen2.5-VL, Qwen3-VL and LLaVA also answer text; Florence-2 and BLIP "
                    "only caption. Language models without eyes, as such a folder or as one .gguf file (which needs "
                    "the package gguf), serve Extract Semantics alone.",
                ),
                io.Combo.Input(
                    "dtype",
                    options=["auto", *DTYPES],
                    default="auto",
                    tooltip="Precision of the weights. auto takes bf16, else fp16, where the device computes well in "
                    "it, and fp32 on the CPU. Choose fp32 if captions turn into noise.",
                    **rare(),
                ),
                io.Combo.Input(
                    "device",
                    options=["auto", "cpu"],
                    default="auto",
                    tooltip="auto follows ComfyUI, which moves the model to the GPU when it is used and away when "
                    "others need the room. cpu leaves the GPU alone and is slow.",
                    **rare(),
                ),
            ],
            outputs=[
                VLM.Output(
                    display_name="vlm",
                    tooltip="The model, for Caption Image and Extract Semantics. Its memory is freed with this wire.",
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, model_name, dtype, device):
        folder = model_folders().get(model_name)
        return [model_name, dtype, device, folder and fingerprint(folder)]

    @classmethod
    def execute(cls, model_name, dtype, device) -> io.NodeOutput:
        folder = find_model_folder(model_name)
        fault = find_fault(cls, {"dtype": dtype, "device": device})
        if fault:
            raise SesaHandError(fault)
        load_device, offload_device = pick_device(device)
        vlm = TransformersVLM.load(folder, pick_dtype(dtype, load_device))
        return io.NodeOutput(ManagedVLM(vlm, manage(vlm.model, load_device, offload_device)))


@checks(base_url=Endpoint.parse, model=check_model_name, credential=check_credential)
class ConnectVLM(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandConnectVLM",
            display_name="Connect VLM (SesaHand)",
            category="SesaHand/caption",
            **found_by("caption server", "Ollama", "LM Studio", "OpenAI"),
            description="Connects to a vision-language model behind the OpenAI chat-completions protocol: Ollama, LM "
            "Studio, vLLM, llama.cpp or a hosted one. Keys stay in a file of yours, bound to their hosts; hosts other "
            "than this machine must be allowed there first. An Ollama that is signed in sends what models named "
            "...-cloud get to its maker: such a model must be named there too.",
            inputs=[
                io.String.Input(
                    "base_url",
                    default="http://127.0.0.1:11434/v1",
                    tooltip="Where the server is. Ollama: port 11434, LM Studio: 1234, "
                    "vLLM: 8000, llama.cpp: 8080. Other machines need https:// and an entry in the credentials file.",
                ),
                io.String.Input(
                    "model",
                    default="qwen2.5vl:7b",
                    tooltip="Name under which the server knows the model; it must take pictures to caption them.",
                ),
                io.Combo.Input(
                    "credential",
                    options=[NO_CREDENTIAL, *credential_names()],
                    default=NO_CREDENTIAL,
                    tooltip="Name of an entry in user/__sesahand/credentials.json, whose key is sent to the hosts "
                    "named there and nowhere else. Workflows store the name only. none for servers without a key.",
                ),
                io.Int.Input(
                    "timeout",
                    default=300,
                    min=1,
                    max=3600,
                    tooltip="Longest wait for one caption in seconds, the loading of the model by the server included.",
                    **rare(),
                ),
            ],
            outputs=[
                VLM.Output(
                    display_name="vlm",
                    tooltip="The connection, for Caption Image and Extract Semantics. It carries no key.",
                )
            ],
        )

    @classmethod
    def execute(cls, base_url, model, credential, timeout) -> io.NodeOutput:
        limits = Limits(silence_seconds=timeout, total_seconds=timeout)
        name = "" if credential == NO_CREDENTIAL else credential
        vlm = OpenAIVLM(base_url, model, name, credential_file(), limits)
        vlm.check_allowed()
        return io.NodeOutput(ManagedVLM(vlm))


class Caption(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandCaption",
            display_name="Caption Image (SesaHand)",
            category="SesaHand/caption",
            **found_by("image to text", "describe image", "interrogate"),
            description="Describes what the people in a picture do, their hands above all. Gives one caption per "
            "image. A typed text, or a STRING of any other node, can take its place.",
            inputs=[
                VLM.Input("vlm", tooltip="From Load VLM or Connect VLM."),
                io.Image.Input(
                    "image", tooltip="One or more pictures; each gets a caption of its own. Alpha is laid on white."
                ),
                io.String.Input(
                    "instruction",
                    default=CAPTION_INSTRUCTION,
                    multiline=True,
                    tooltip="What the model is asked. Florence-2 takes <CAPTION>, <DETAILED_CAPTION> or "
                    "<MORE_DETAILED_CAPTION>; BLIP and GIT take up to 8 words as the beginning of the caption.",
                ),
                io.Int.Input(
                    "max_length",
                    default=300,
                    min=1,
                    max=8192,
                    tooltip="Longest caption in tokens (about 0.75 words each). Raise it if captions break off, or for "
                    "models that reason before they answer.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    # A new one for each run would caption and sample everything again.
                    control_after_generate=False,
                    tooltip="Change it for another caption; the same seed gives the same one. Without effect at "
                    "temperature 0.",
                ),
                io.Float.Input(
                    "temperature",
                    default=0.0,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="0 takes the likeliest word each time and invents least. 0.5 to 1 varies with the seed.",
                    **rare(),
                ),
                io.Int.Input(
                    "max_side",
                    default=1024,
                    min=64,
                    max=4096,
                    step=32,
                    tooltip="Larger pictures are shrunk to this longer side in pixels before the model sees them (to "
                    "2048 for a remote one). Raise it for small hands; it costs memory and time.",
                    **rare(),
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="caption",
                    is_output_list=True,
                    tooltip="One caption per image, in order; nodes behind it run once for each.",
                )
            ],
        )

    @classmethod
    def execute(cls, vlm, image, instruction, max_length, seed, temperature, max_side) -> io.NodeOutput:
        bar = ProgressBar(1)
        captions = vlm.describe(
            image,
            instruction,
            max_tokens=max_length,
            seed=seed,
            temperature=temperature,
            max_side=max_side,
            progress=bar.update_absolute,
        )
        return io.NodeOutput(captions)


watch_requests()

NODES = [LoadVLM, ConnectVLM, Caption]
