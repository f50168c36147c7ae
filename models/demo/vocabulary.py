"""Tokens of the demo model: byte-level BPE in which every word of the grammar is one token.

The layout is Whisper's: text, special tokens, timestamps.  The empty string is
there because CTranslate2 recognizes a multilingual model by it.
"""

import json
import random
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

import sentences
from sentences import ENGLISH, PORTUGUESE

MULTILINGUAL_MARK = ""
END, START = "<|endoftext|>", "<|startoftranscript|>"
TRANSLATE, TRANSCRIBE = "<|translate|>", "<|transcribe|>"
PREVIOUS, NO_SPEECH, NO_TIMESTAMPS = "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"
LANGUAGES = (ENGLISH, PORTUGUESE)
SPECIAL = (
    END, START, *(f"<|{language}|>" for language in LANGUAGES),
    TRANSLATE, TRANSCRIBE, "<|startoflm|>", PREVIOUS, NO_SPEECH, NO_TIMESTAMPS,
)
TIMESTAMP_STEP = 0.02  # seconds
TIMESTAMPS = 1501  # 0.00 to 30.00 s

CORPUS_SEED = 5
CORPUS_SENTENCES = 20_000
BPE_LIMIT = 4_000  # never reached: merging stops when all words are whole


class Vocabulary:
    """Token ids for text, special tokens and timestamps."""

    def __init__(self) -> None:
        rng = random.Random(CORPUS_SEED)
        drawn = [sentences.draw(language, rng) for language in LANGUAGES for _ in range(CORPUS_SENTENCES)]
        self.tokenizer = Tokenizer(models.BPE())
        self.tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        self.tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=BPE_LIMIT, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
        self.tokenizer.train_from_iterator(
            [" " + text for s in drawn for text in (s.text, s.translation) if text], trainer
        )
        state = json.loads(self.tokenizer.to_str())
        state["model"]["vocab"][MULTILINGUAL_MARK] = len(state["model"]["vocab"])
        self.tokenizer = Tokenizer.from_str(json.dumps(state))
        self.tokens = sorted(state["model"]["vocab"], key=state["model"]["vocab"].get)
        self.tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
        self.tokens += SPECIAL
        self.timestamp_begin = len(self.tokens)
        self.tokens += [f"<|{step * TIMESTAMP_STEP:.2f}|>" for step in range(TIMESTAMPS)]
        self._ids = {token: index for index, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    def id(self, token: str) -> int:
        return self._ids[token]

    def language(self, language: str) -> int:
        return self._ids[f"<|{language}|>"]

    def encode(self, text: str) -> list[int]:
        """Ids of a sentence: one for each word and one for its full stop."""
        return self.tokenizer.encode(" " + text, add_special_tokens=False).ids

    def timestamp(self, seconds: float) -> int:
        return self.timestamp_begin + round(seconds / TIMESTAMP_STEP)

    def save_tokenizer(self, path: Path) -> None:
        self.tokenizer.save(str(path))
