#!/usr/bin/env python3
"""Whisper models of the published dimensions with random weights, int8, in CTranslate2's format.

They recognize no speech, but need exactly the time and memory of the real models. Requires ctranslate2 and numpy.

Usage: benches/random_whisper.py tiny|base|small DIRECTORY
"""

import argparse
import json
import pathlib

import numpy as np
from ctranslate2.specs import WhisperSpec

# Width, layers of encoder and of decoder, heads: `ModelDimensions` of openai/whisper.
SIZES = {"tiny": (384, 4, 6), "base": (512, 6, 8), "small": (768, 12, 12), "medium": (1024, 24, 16)}
MELS = 80
AUDIO_CONTEXT, TEXT_CONTEXT = 1500, 448

TEXT_TOKENS = 50257
LANGUAGES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy "
    "sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo "
    "uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su"
).split()
SPECIAL = (
    "<|endoftext|>", "<|startoftranscript|>", *(f"<|{language}|>" for language in LANGUAGES),
    "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
)
TIMESTAMPS = tuple(f"<|{step * 0.02:.2f}|>" for step in range(1501))
END = TEXT_TOKENS

# Standard deviation of the weights: large enough to have an effect, small enough not to overflow.
WEIGHT_SCALE = 0.02


def byte_letters() -> list[str]:
    """GPT-2's `bytes_to_unicode`: the character that represents each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(spare)) for byte in range(256)]


def text_tokens() -> list[str]:
    """All single bytes, made-up words, and the empty string, which marks a multilingual model."""
    letters = byte_letters()
    space, syllables = letters[ord(" ")], [a + b for a in "bdfghjklmnprstvz" for b in "aeiou"]
    words = (space + a + b + c for a in syllables for b in syllables for c in syllables)
    tokens = letters + [word for word, _ in zip(words, range(TEXT_TOKENS - len(letters) - 1))]
    return [*tokens, ""]


class Weights:
    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def draw(self, *shape: int) -> np.ndarray:
        return self.random.standard_normal(shape, dtype=np.float32) * WEIGHT_SCALE

    def linear(self, spec, rows: int, columns: int) -> None:
        spec.weight, spec.bias = self.draw(rows, columns), self.draw(rows)

    def norm(self, spec, width: int) -> None:
        spec.gamma, spec.beta = np.ones(width, np.float32), np.zeros(width, np.float32)

    def layer(self, spec, width: int) -> None:
        self.norm(spec.self_attention.layer_norm, width)
        self.linear(spec.self_attention.linear[0], 3 * width, width)
        self.linear(spec.self_attention.linear[1], width, width)
        if hasattr(spec, "attention"):
            self.norm(spec.attention.layer_norm, width)
            self.linear(spec.attention.linear[0], width, width)
            self.linear(spec.attention.linear[1], 2 * width, width)
            self.linear(spec.attention.linear[2], width, width)
        self.norm(spec.ffn.layer_norm, width)
        self.linear(spec.ffn.linear_0, 4 * width, width)
        self.linear(spec.ffn.linear_1, width, 4 * width)


def tokenizer(tokens: list[str]) -> dict:
    """A `tokenizer.json` without merges: text is encoded byte by byte, ids are decoded to the words above."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    special = [
        {"id": TEXT_TOKENS + i, "content": token, "special": True, "single_word": False, "lstrip": False,
         "rstrip": False, "normalized": False}
        for i, token in enumerate(SPECIAL)
    ]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
        "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "vocab": {token: i for i, token in enumerate(tokens)}, "merges": []},
    }


def write(size: str, directory: pathlib.Path, seed: int = 1) -> None:
    width, layers, heads = SIZES[size]
    weights = Weights(seed)
    spec = WhisperSpec(layers, heads, layers, heads)
    spec.encoder.conv1.weight, spec.encoder.conv1.bias = weights.draw(width, MELS, 3), weights.draw(width)
    spec.encoder.conv2.weight, spec.encoder.conv2.bias = weights.draw(width, width, 3), weights.draw(width)
    spec.encoder.position_encodings.encodings = weights.draw(AUDIO_CONTEXT, width)
    spec.decoder.position_encodings.encodings = weights.draw(TEXT_CONTEXT, width)
    for part in (spec.encoder, spec.decoder):
        weights.norm(part.layer_norm, width)
        for layer in part.layer:
            weights.layer(layer, width)
    text = text_tokens()
    tokens = [*text, *SPECIAL, *TIMESTAMPS]
    embeddings = weights.draw(len(tokens), width)
    # Input and output embeddings are the same table, as in every Whisper model.
    spec.decoder.embeddings.weight = spec.decoder.projection.weight = embeddings
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], [text.index(byte_letters()[ord(" ")])]
    spec.config.lang_ids = [TEXT_TOKENS + 2 + i for i in range(len(LANGUAGES))]
    spec.config.alignment_heads = [(layers - 1, head) for head in range(heads)]
    spec.validate()
    spec.optimize("int8")
    directory.mkdir(parents=True, exist_ok=True)
    spec.save(str(directory))
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer(text)))
    (directory / "preprocessor_config.json").write_text(json.dumps({"feature_size": MELS, "chunk_length": 30}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("directory", type=pathlib.Path)
    arguments = parser.parse_args()
    write(arguments.size, arguments.directory)


if __name__ == "__main__":
    main()
