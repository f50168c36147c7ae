"""Write trained weights as a Whisper model directory in CTranslate2 format.

    python export.py checkpoint.pt model/
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from ctranslate2.specs import WhisperSpec

from model import ALIGNMENT_HEADS, HEADS, LAYERS, Decoder
from features import FFT, HOP, MELS
from speech import SAMPLE_RATE
from vocabulary import LANGUAGES, Vocabulary

QUANTIZATION = "int8"
# The longest windows that the model transcribes well; programs that read `chunk_length` cut the audio accordingly.
CHUNK_SECONDS = 15

PREPROCESSOR = {
    "chunk_length": CHUNK_SECONDS,
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": MELS,
    "hop_length": HOP,
    "n_fft": FFT,
    "n_samples": CHUNK_SECONDS * SAMPLE_RATE,
    "nb_max_frames": CHUNK_SECONDS * SAMPLE_RATE // HOP,
    "padding_side": "right",
    "padding_value": 0.0,
    "processor_class": "WhisperProcessor",
    "return_attention_mask": False,
    "sampling_rate": SAMPLE_RATE,
}


class _Weights:
    """Named weights, to be copied into the layers of a CTranslate2 specification."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        self._state = {name: value.float().numpy() for name, value in state.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        return np.ascontiguousarray(self._state[name])

    def bias(self, name: str) -> np.ndarray:
        """The bias of a layer, or zeros if it has none."""
        return self._state.get(f"{name}.bias", np.zeros(len(self._state[f"{name}.weight"]), np.float32))

    def linear(self, spec, *names: str) -> None:
        """Copies one linear layer, or several stacked into one."""
        spec.weight = np.concatenate([self[f"{name}.weight"] for name in names])
        spec.bias = np.concatenate([self.bias(name) for name in names])

    def convolution(self, spec, name: str) -> None:
        spec.weight, spec.bias = self[f"{name}.weight"], self[f"{name}.bias"]

    def norm(self, spec, name: str) -> None:
        spec.gamma, spec.beta = self[f"{name}.weight"], self[f"{name}.bias"]

    def block(self, spec, name: str) -> None:
        """Copies one transformer layer, with cross-attention if the specification has it."""
        attention = f"{name}.self_attention"
        self.norm(spec.self_attention.layer_norm, f"{name}.self_norm")
        self.linear(spec.self_attention.linear[0], *(f"{attention}.{part}" for part in ("query", "key", "value")))
        self.linear(spec.self_attention.linear[1], f"{attention}.out")
        if hasattr(spec, "attention"):
            attention = f"{name}.cross_attention"
            self.norm(spec.attention.layer_norm, f"{name}.cross_norm")
            self.linear(spec.attention.linear[0], f"{attention}.query")
            self.linear(spec.attention.linear[1], f"{attention}.key", f"{attention}.value")
            self.linear(spec.attention.linear[2], f"{attention}.out")
        self.norm(spec.ffn.layer_norm, f"{name}.feed_norm")
        self.linear(spec.ffn.linear_0, f"{name}.widen")
        self.linear(spec.ffn.linear_1, f"{name}.narrow")


def _tables(state: dict[str, torch.Tensor], vocabulary: Vocabulary) -> tuple[np.ndarray, np.ndarray]:
    """The input and output embeddings of all tokens, each (V, D)."""
    decoder = Decoder(vocabulary.timestamp_begin)
    prefix = "decoder."
    decoder.load_state_dict({name.removeprefix(prefix): v for name, v in state.items() if name.startswith(prefix)})
    with torch.no_grad():
        return decoder.input_table().numpy(), decoder.output_table().numpy()


def export(state: dict[str, torch.Tensor], vocabulary: Vocabulary, directory: Path) -> None:
    """Write model.bin, the JSON files and SHA256SUMS into the directory."""
    weights = _Weights(state)
    spec = WhisperSpec(LAYERS, HEADS, LAYERS, HEADS)
    weights.convolution(spec.encoder.conv1, "encoder.conv1")
    weights.convolution(spec.encoder.conv2, "encoder.conv2")
    spec.encoder.position_encodings.encodings = weights["encoder.positions"]
    spec.decoder.position_encodings.encodings = weights["decoder.positions"]
    for part, name in ((spec.encoder, "encoder"), (spec.decoder, "decoder")):
        weights.norm(part.layer_norm, f"{name}.norm")
        for index, layer in enumerate(part.layer):
            weights.block(layer, f"{name}.layers.{index}")
    spec.decoder.embeddings.weight, spec.decoder.projection.weight = _tables(state, vocabulary)

    spec.register_vocabulary(vocabulary.tokens)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [vocabulary.id("Ġ")]
    spec.config.lang_ids = [vocabulary.language(language) for language in LANGUAGES]
    spec.config.alignment_heads = ALIGNMENT_HEADS
    spec.validate()
    spec.optimize(QUANTIZATION)

    directory.mkdir(parents=True, exist_ok=True)
    spec.save(str(directory))
    vocabulary.save_tokenizer(directory / "tokenizer.json")
    (directory / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=2) + "\n")
    files = sorted(path for path in directory.iterdir() if path.name != "SHA256SUMS")
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (directory / "SHA256SUMS").write_text("".join(sums))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    export(torch.load(arguments.checkpoint)["average"], Vocabulary(), arguments.directory)


if __name__ == "__main__":
    main()
