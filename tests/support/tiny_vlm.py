"""Models of a few thousand weights that write text, built from configs and saved as users have them on disk.

Nothing is downloaded: the tokenizer is made here from a few sentences, so every folder is complete (config, weights in
safetensors, processor, tokenizer, chat template) and goes through the same loading code as a real model's folder.
"""

import re
from pathlib import Path

CORPUS = (
    "A woman is holding a pink umbrella with her hand.",
    "The man in the red shirt grips the handle of a bicycle with both hands while standing on a street.",
    "Describe the person in this picture. Say what each hand does, which fingers touch what, and where it happens.",
    "USER: What do the hands do? ASSISTANT: The left hand points at the window, the right one rests on the table.",
    "Describe with a paragraph what is shown in the image. What does the image describe?",
)
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
VICUNA = (
    "{% for message in messages %}{{ message['role'] | upper }}: "
    "{% for part in message['content'] | selectattr('type', 'equalto', 'image') %}<image>\n{% endfor %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] }}{% endfor %} "
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def fast_tokenizer(trained, special: list[str], name: str = "PreTrainedTokenizerFast", **roles):
    """Wrap a tokenizer made here; `name` is the class that the processors of transformers 4 insist on."""
    import transformers

    if transformers.__version__.startswith("4."):
        # Those classes rebuild special tokens by name, so that the trained object is all they need.
        wrapper = getattr(transformers, name)
    else:
        wrapper = transformers.PreTrainedTokenizerFast
    if "extra_special_tokens" not in roles:
        roles["additional_special_tokens"] = [token for token in special if token not in roles.values()]
    return wrapper(
        tokenizer_object=trained._tokenizer,
        model_max_length=2048,
        model_input_names=["input_ids", "attention_mask"],
        **roles,
    )


def byte_tokenizer(special: list[str], name: str = "PreTrainedTokenizerFast", **roles):
    """A byte-level BPE tokenizer trained on CORPUS, with `special` tokens first in the vocabulary."""
    from tokenizers import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(CORPUS, vocab_size=400, special_tokens=special, show_progress=False)
    return fast_tokenizer(trained, special, name, **roles)


def word_tokenizer():
    """A lower-case WordPiece tokenizer in the manner of BERT, of the words and letters of CORPUS."""
    from tokenizers import BertWordPieceTokenizer
    from tokenizers.processors import TemplateProcessing

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"]
    text = " ".join(CORPUS).lower()
    letters = sorted(set(text) - {" "})
    # Made by hand, because a trained one numbers its letters differently in every process.
    words = [*special, *letters, *(f"##{letter}" for letter in letters), *sorted(set(re.findall("[a-z]{2,}", text)))]
    trained = BertWordPieceTokenizer({word: number for number, word in enumerate(words)})
    trained._tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    roles = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]", "bos": "[DEC]"}
    return fast_tokenizer(
        trained, special, "BertTokenizerFast", **{f"{role}_token": token for role, token in roles.items()}
    )


def save_random(model, folder: Path, seed: int) -> None:
    """Save the model with weights so large that its text depends on the picture, and repeatable by `seed`."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 or not re.search("norm|bias", name):
                weight.normal_(std=0.3, generator=generator)
    model.save_pretrained(folder)


def llama_config(vocabulary: int, **extra) -> dict:
    return {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        **extra,
    }


def llava_parts() -> tuple:
    """Tokenizer, vision tower and language model that both generations of LLaVA share."""
    from transformers import CLIPVisionConfig, LlamaConfig

    tokenizer = byte_tokenizer(
        ["<unk>", "<s>", "</s>", "<pad>", "<image>"],
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
    )
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=28,
        patch_size=14,
        projection_dim=32,
    )
    text = LlamaConfig(**llama_config(len(tokenizer), bos_token_id=1, eos_token_id=2, pad_token_id=3))
    return tokenizer, {"vision_config": vision, "text_config": text, "image_token_index": 4, "image_seq_length": 4}


LLAVA_IMAGES = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}}
LLAVA_PROMPTS = {
    "patch_size": 14,
    "vision_feature_select_strategy": "default",
    "num_additional_image_tokens": 1,
    "chat_template": VICUNA,
}


def save_llava(folder: Path, seed: int = 0) -> Path:
    """LLaVA 1.5: CLIP vision tower, Llama, `<image>` in a USER/ASSISTANT template."""
    from transformers import CLIPImageProcessor, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    tokenizer, parts = llava_parts()
    save_random(LlavaForConditionalGeneration(LlavaConfig(**parts)), folder, seed)
    LlavaProcessor(CLIPImageProcessor(**LLAVA_IMAGES), tokenizer, **LLAVA_PROMPTS).save_pretrained(folder)
    return folder


def save_llava_next(folder: Path, seed: int = 0) -> Path:
    """LLaVA-NeXT: the same, with large pictures cut into tiles."""
    from transformers import (
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
        LlavaNextImageProcessor,
        LlavaNextProcessor,
    )

    tokenizer, parts = llava_parts()
    tiles = {"image_grid_pinpoints": [[28, 56], [56, 28], [56, 56]]}
    save_random(LlavaNextForConditionalGeneration(LlavaNextConfig(**parts, **tiles)), folder, seed)
    images = LlavaNextImageProcessor(**LLAVA_IMAGES, **tiles)
    LlavaNextProcessor(images, tokenizer, **LLAVA_PROMPTS).save_pretrained(folder)
    return folder


def save_qwen(folder: Path, seed: int = 0) -> Path:
    """Qwen2.5-VL: pictures of any size, multi-axis rotary positions, the ChatML template."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
    )

    tokenizer = byte_tokenizer(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
        + ["<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"],
        "Qwen2TokenizerFast",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    marks = {"vision_start": "vision_start", "vision_end": "vision_end", "image": "image_pad", "video": "video_pad"}
    ids = {f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"<|{mark}|>") for name, mark in marks.items()}
    rope = {"type": "mrope", "mrope_section": [1, 1, 2]}
    text = llama_config(len(tokenizer), rope_scaling=rope, bos_token_id=0, eos_token_id=2, pad_token_id=0)
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 4,
        "patch_size": 14,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [1],
        "window_size": 56,
    }
    config = Qwen2_5_VLConfig(vision_config=vision, **text, **ids)
    save_random(Qwen2_5_VLForConditionalGeneration(config), folder, seed)
    Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=28 * 28 * 16),
        tokenizer=tokenizer,
        chat_template=CHATML,
        **video_processor(),
    ).save_pretrained(folder)
    return folder


def save_llama(folder: Path, seed: int = 0) -> Path:
    """Llama: a language model that reads no pictures, with a tokenizer and the ChatML template."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_tokenizer(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = CHATML
    config = LlamaConfig(**llama_config(len(tokenizer), bos_token_id=0, eos_token_id=2, pad_token_id=0))
    save_random(LlamaForCausalLM(config), folder, seed)
    tokenizer.save_pretrained(folder)
    return folder


def save_reciter(folder: Path, text: str) -> Path:
    """A Llama that answers everything with one text: it has learnt which token follows which, and nothing else."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["<pad>", "<unk>", "<end>", "<answer>", text]
    trained = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    roles = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "<end>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained, additional_special_tokens=["<answer>"], **roles)
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}<answer>"
    model = LlamaForCausalLM(LlamaConfig(**llama_config(len(words), bos_token_id=0, eos_token_id=2, pad_token_id=0)))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(float("norm" in name))
        for word, following in enumerate((2, 2, 2, 4, 2)):
            model.model.embed_tokens.weight[word, word] = model.lm_head.weight[following, word] = 1
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def video_processor() -> dict:
    """The video processor that Qwen's processor has asked for since transformers 4.52; it needs torchvision."""
    try:
        from transformers import Qwen2VLVideoProcessor
    except ImportError:
        return {}
    return {"video_processor": Qwen2VLVideoProcessor()}


def save_blip(folder: Path, seed: int = 0) -> Path:
    """BLIP: a caption model without a chat template, which continues the text it is given."""
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    tokenizer = word_tokenizer()
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "encoder_hidden_size": 32,
        "intermediate_size": 64,
        "projection_dim": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 128,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 28,
        "patch_size": 14,
    }
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=32, image_text_hidden_size=32)
    save_random(BlipForConditionalGeneration(config), folder, seed)
    BlipProcessor(BlipImageProcessor(size={"height": 28, "width": 28}), tokenizer).save_pretrained(folder)
    return folder


def save_florence(folder: Path, seed: int = 0) -> Path:
    """Florence-2: an encoder-decoder steered by task tokens; part of transformers since 4.56."""
    from transformers import (
        CLIPImageProcessor,
        Florence2Config,
        Florence2ForConditionalGeneration,
        Florence2Processor,
    )

    tokenizer = byte_tokenizer(
        ["<s>", "<pad>", "</s>", "<unk>", "<image>"],
        "BartTokenizerFast",
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
    )
    text = {
        "model_type": "bart",
        "vocab_size": len(tokenizer),
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_position_embeddings": 512,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 2,
        "forced_eos_token_id": 2,
    }
    vision = {
        "depths": (1, 1, 1, 1),
        "embed_dim": (8, 16, 24, 32),
        "num_heads": (2, 2, 2, 2),
        "num_groups": (2, 2, 2, 2),
        "window_size": 2,
        "projection_dim": 32,
    }
    config = Florence2Config(
        text_config=text, vision_config=vision, image_token_id=tokenizer.convert_tokens_to_ids("<image>")
    )
    save_random(Florence2ForConditionalGeneration(config), folder, seed)
    images = CLIPImageProcessor(
        size={"height": 64, "width": 64}, crop_size={"height": 64, "width": 64}, do_center_crop=False
    )
    # 2 x 2 patches and their mean.
    images.image_seq_length = 5
    Florence2Processor(images, tokenizer).save_pretrained(folder)
    return folder


ARCHITECTURES = {
    "llava": save_llava,
    "llava_next": save_llava_next,
    "qwen": save_qwen,
    "blip": save_blip,
    "florence": save_florence,
}


def unavailable(name: str) -> str:
    """Why this installation cannot hold the architecture, or an empty text if it can."""
    import transformers
    from transformers.utils import is_torchvision_available

    if name == "florence" and not hasattr(transformers, "Florence2ForConditionalGeneration"):
        return f"transformers {transformers.__version__} has no Florence-2 of its own"
    if name == "qwen" and hasattr(transformers, "Qwen2VLVideoProcessor") and not is_torchvision_available():
        return "the processor of Qwen2.5-VL needs torchvision"
    return ""
