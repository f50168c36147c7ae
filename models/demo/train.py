"""Train the demo model from random weights on one CPU core, then export it.

    python train.py --work demo-model-work --minutes 45
"""

import argparse
import math
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from export import export
from features import HOP
from model import GUIDED_HEADS, DemoWhisper
from speech import SAMPLE_RATE
from vocabulary import Vocabulary
from windows import IGNORE, Batch, SpeechSet, WindowMaker

UTTERANCES_PER_LANGUAGE = 8_000
SPEECH_SEED = 1

# The share of the training time at which a mix of window lengths begins, and its (seconds, weight) pairs.
CURRICULUM = (
    (0.00, ((3.0, 1.0),)),
    (0.10, ((3.0, 0.5), (5.0, 0.5))),
    (0.25, ((4.0, 0.5), (8.0, 0.5))),
    (0.35, ((4.0, 0.35), (8.0, 0.25), (15.0, 0.4))),
    (0.75, ((3.0, 0.25), (8.0, 0.25), (15.0, 0.4), (25.0, 0.1))),
)
BATCH_SECONDS = 110.0  # of active audio in one step
ANYWHERE_FROM, ANYWHERE_SHARE = 0.25, 0.2  # windows whose active part starts later than 0 s

FROZEN_FROM, FROZEN_SHARE = 0.35, 0.6  # faster steps that train only the decoder, which learns more slowly

LEARNING_RATE = 2e-3
WARM_UP = 0.02  # of the training time
BETAS, WEIGHT_DECAY, CLIP = (0.9, 0.98), 0.01, 1.0
AVERAGE_DECAY = 0.99
CHECKPOINT_SECONDS = 120

PHONE_WEIGHT, WORD_WEIGHT, GUIDE_WEIGHT, TIMESTAMP_WEIGHT = 0.5, 0.5, 0.25, 0.5
TIMESTAMP_SPREAD, TIMESTAMP_REACH = 1.3, 4  # standard deviation and reach of the Gaussian target, in steps of 20 ms

LOG_EVERY = 50  # steps


def frame_loss(classifier: torch.nn.Linear, encoded: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy with one label for each active encoder position."""
    return F.cross_entropy(classifier(encoded[:, : labels.shape[1]]).flatten(0, 1).float(), labels.flatten())


def token_losses(model: DemoWhisper, hidden: Tensor, labels: Tensor, first_timestamp: int) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of text tokens, and of timestamps against a Gaussian around the true one."""
    wanted = labels != IGNORE
    labels = labels[wanted]
    log_probability = (hidden[wanted] @ model.decoder.output_table().T).float().log_softmax(-1)
    is_time = labels >= first_timestamp
    text = -log_probability[~is_time].gather(1, labels[~is_time, None]).mean()

    reach = torch.arange(-TIMESTAMP_REACH, TIMESTAMP_REACH + 1)
    near = labels[is_time, None] + reach
    inside = (near >= first_timestamp) & (near < log_probability.shape[1])
    target = torch.exp(-0.5 * (reach / TIMESTAMP_SPREAD).square()) * inside
    target = target / target.sum(1, keepdim=True)
    near = near.clamp(first_timestamp, log_probability.shape[1] - 1)
    timestamps = -(target * log_probability[is_time].gather(1, near)).sum(1)
    return text, timestamps.sum() / max(1, len(timestamps))


def guide_loss(attention: list[Tensor], spans: Tensor) -> Tensor:
    """Negative log of the attention of the guided heads to the expected positions."""
    total = torch.zeros(())
    for layer, head, kind in GUIDED_HEADS:
        weights = attention[layer][:, head]
        position = torch.arange(weights.shape[-1]) + 0.5
        start, stop = spans[:, kind, :, 0, None], spans[:, kind, :, 1, None]
        mass = (weights * ((position >= start) & (position < stop))).sum(-1).float()
        total = total - mass[~start[..., 0].isnan()].clamp_min(1e-5).log().sum() / max(1, int((~start.isnan()).sum()))
    return total / len(GUIDED_HEADS)


def losses(model: DemoWhisper, batch: Batch, first_timestamp: int, frozen: bool) -> dict[str, Tensor]:
    """The weighted parts of the training loss; with `frozen`, the encoder is not trained."""
    encoded, hidden, attention = model(batch, frozen)
    text, timestamps = token_losses(model, hidden, batch.labels, first_timestamp)
    return {
        "text": text,
        "time": TIMESTAMP_WEIGHT * timestamps,
        "guide": GUIDE_WEIGHT * guide_loss(attention, batch.spans),
        "phone": PHONE_WEIGHT * frame_loss(model.phone_classifier, encoded, batch.phones),
        "word": WORD_WEIGHT * frame_loss(model.word_classifier, encoded, batch.words),
    }


def draw_batch(maker: WindowMaker, rng: random.Random, progress: float) -> Batch:
    """A batch of the current mix of the curriculum; `progress` is from 0 to 1."""
    lengths = [mix for begin, mix in CURRICULUM if progress >= begin][-1]
    seconds = rng.choices([s for s, _ in lengths], [w for _, w in lengths])[0]
    anywhere = progress >= ANYWHERE_FROM and rng.random() < ANYWHERE_SHARE
    return maker.batch(seconds, round(BATCH_SECONDS / seconds), anywhere)


def learning_rate(progress: float) -> float:
    return LEARNING_RATE * min(1.0, progress / WARM_UP) * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * progress)))


class Training:
    """The state of the training, as saved in a checkpoint."""

    def __init__(self, model: DemoWhisper, path: Path) -> None:
        self.model, self.path = model, path
        self.average = {name: value.clone() for name, value in model.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            model.parameters(), betas=BETAS, weight_decay=WEIGHT_DECAY, foreach=True
        )
        self.elapsed = 0.0  # seconds of training
        self.steps = 0
        if path.exists():
            saved = torch.load(path)
            model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.average, self.elapsed, self.steps = saved["average"], saved["elapsed"], saved["steps"]

    def save(self) -> None:
        draft = self.path.with_suffix(".new")
        torch.save(
            {
                "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                "average": self.average, "elapsed": self.elapsed, "steps": self.steps,
            },
            draft,
        )
        draft.replace(self.path)

    def step(self, batch: Batch, rate: float, first_timestamp: int, frozen: bool) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            parts = losses(self.model, batch, first_timestamp, frozen)
        self.optimizer.zero_grad()
        sum(parts.values()).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        self.steps += 1
        decay = min(AVERAGE_DECAY, self.steps / (self.steps + 10))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)
        return {name: part.item() for name, part in parts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="directory for synthetic speech and checkpoints")
    parser.add_argument("--minutes", type=float, default=45, help="training time, in minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "model")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    vocabulary = Vocabulary()
    speech = SpeechSet(arguments.work, UTTERANCES_PER_LANGUAGE, SPEECH_SEED)
    model = DemoWhisper(vocabulary.timestamp_begin, len(speech.phone_ids), len(speech.word_ids) + 1)
    training = Training(model, arguments.work / "checkpoint.pt")
    maker = WindowMaker(speech, vocabulary, arguments.seed + training.steps)
    rng = random.Random(arguments.seed + training.steps)

    total = arguments.minutes * 60
    saved = training.elapsed
    while training.elapsed < total:
        began = time.monotonic()
        progress = training.elapsed / total
        batch = draw_batch(maker, rng, progress)
        frozen = progress >= FROZEN_FROM and rng.random() < FROZEN_SHARE
        parts = training.step(batch, learning_rate(progress), vocabulary.timestamp_begin, frozen)
        training.elapsed += time.monotonic() - began
        if training.steps % LOG_EVERY == 0:
            shown = "  ".join(f"{name} {value:.3f}" for name, value in parts.items())
            minutes, seconds = training.elapsed / 60, batch.features.shape[2] * HOP / SAMPLE_RATE
            print(f"step {training.steps}  {minutes:.1f} min  {seconds:.0f} s windows  {shown}", flush=True)
        if training.elapsed - saved > CHECKPOINT_SECONDS:
            training.save()
            saved = training.elapsed
    training.save()
    export(training.average, vocabulary, arguments.output)


if __name__ == "__main__":
    main()
