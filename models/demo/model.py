"""A very small Whisper in plain PyTorch, designed for fast training.

Shapes: B windows, P encoder positions (20 ms each), L tokens, D model width.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from features import MELS
from vocabulary import TIMESTAMPS
from windows import POSITIONS, Batch

WIDTH = 128
HEADS = 4
HEAD_WIDTH = WIDTH // HEADS
FEED_FORWARD = 512
LAYERS = 2
TEXT_POSITIONS = 448

PADDING_SAMPLES = 48  # encoder positions computed to represent all padding
PADDING_FRAMES = 8  # frames of padding that are input to the convolutions

LOCAL_OFFSETS = ((-8, -3, 3, 8), (-20, -8, 8, 20))  # initial relative position of each encoder head
LOCAL_GAIN = 1.7
LOCAL_FREQUENCIES = range(0, HEAD_WIDTH, 2)  # the half of the sinusoids with the higher frequencies
TIMESTAMP_SCALE = 0.05
EMBEDDING_SCALE = 0.05

# Cross-attention heads with a training target: (layer, head) and the index in `Batch.spans`.
PREVIOUS_WORD, EXPECTED_WORD, SENTENCE = range(3)
GUIDED_HEADS = (
    (0, 0, SENTENCE), (0, 1, PREVIOUS_WORD), (0, 2, PREVIOUS_WORD), (1, 0, EXPECTED_WORD), (1, 2, EXPECTED_WORD),
)
ALIGNMENT_HEADS = [[layer, head] for layer, head, span in GUIDED_HEADS if span == EXPECTED_WORD]


def sinusoids(length: int, width: int = WIDTH) -> Tensor:
    """Whisper's position table (length, width): sines, then cosines."""
    frequencies = torch.exp(-math.log(10_000) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(length)[:, None] * frequencies
    return torch.cat((angles.sin(), angles.cos()), dim=1)


class Attention(nn.Module):
    """Multi-head attention; keys carry no bias, as in Whisper."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH, bias=False)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, source: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Attend from x (B, Q, D) to source (B, K, D); also returns the weights (B, HEADS, Q, K)."""

        def split(y: Tensor) -> Tensor:
            return y.unflatten(-1, (HEADS, HEAD_WIDTH)).transpose(1, 2)

        query = split(self.query(x)) * HEAD_WIDTH**-0.5
        weights = (query @ split(self.key(source)).transpose(2, 3) + bias).softmax(-1)
        mixed = (weights @ split(self.value(source))).transpose(1, 2).flatten(2)
        return self.out(mixed), weights

    def look_at_offsets(self, offsets: tuple[int, ...]) -> None:
        """Initialize every head to attend to a fixed relative position."""
        half = WIDTH // 2
        frequencies = torch.exp(-math.log(10_000) / (half - 1) * torch.arange(half))
        with torch.no_grad():
            self.query.bias.zero_()
            for weight in (self.query.weight, self.key.weight):
                weight.mul_(0.1)
            for head, offset in enumerate(offsets):
                for pair, index in enumerate(LOCAL_FREQUENCIES):
                    sine, cosine = index, index + half
                    row = head * HEAD_WIDTH + 2 * pair
                    turn = frequencies[index] * offset
                    self.key.weight[row, sine] += LOCAL_GAIN
                    self.key.weight[row + 1, cosine] += LOCAL_GAIN
                    self.query.weight[row, sine] += LOCAL_GAIN * turn.cos()
                    self.query.weight[row, cosine] += LOCAL_GAIN * turn.sin()
                    self.query.weight[row + 1, cosine] += LOCAL_GAIN * turn.cos()
                    self.query.weight[row + 1, sine] -= LOCAL_GAIN * turn.sin()


class Block(nn.Module):
    """One pre-norm transformer layer, with cross-attention in the decoder."""

    def __init__(self, decoder: bool) -> None:
        super().__init__()
        self.self_norm, self.self_attention = nn.LayerNorm(WIDTH), Attention()
        if decoder:
            self.cross_norm, self.cross_attention = nn.LayerNorm(WIDTH), Attention()
        self.feed_norm = nn.LayerNorm(WIDTH)
        self.widen, self.narrow = nn.Linear(WIDTH, FEED_FORWARD), nn.Linear(FEED_FORWARD, WIDTH)

    def forward(
        self, x: Tensor, bias: Tensor, encoded: Tensor | None = None, encoded_bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        normed = self.self_norm(x)
        x = x + self.self_attention(normed, normed, bias)[0]
        weights = None
        if encoded is not None:
            mixed, weights = self.cross_attention(self.cross_norm(x), encoded, encoded_bias)
            x = x + mixed
        return x + self.narrow(F.gelu(self.widen(self.feed_norm(x)))), weights


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(MELS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.register_buffer("positions", sinusoids(POSITIONS))
        self.layers = nn.ModuleList(Block(decoder=False) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        for block, offsets in zip(self.layers, LOCAL_OFFSETS):
            block.self_attention.look_at_offsets(offsets)

    def forward(self, features: Tensor, padding: Tensor, first_position: int) -> tuple[Tensor, Tensor]:
        """Encode the active part (B, MELS, 2 P) and a sample of the padding around it.

        Returns (B, P + sample, D) and the attention bias (P + sample,) that weights
        each sampled padding position by the number of positions it represents.
        """
        frames = torch.cat((features, padding[..., None].expand(-1, -1, PADDING_FRAMES)), dim=2)
        local = F.gelu(self.conv2(F.gelu(self.conv1(frames)))).transpose(1, 2)
        active = features.shape[2] // 2
        outside = POSITIONS - active
        sampled = torch.randperm(outside, device=features.device)[:PADDING_SAMPLES]
        sampled = sampled + active * (sampled >= first_position)
        blank = local[:, active + 1 : active + 2].expand(-1, len(sampled), -1)
        where = torch.cat((torch.arange(first_position, first_position + active), sampled))
        x = torch.cat((local[:, :active], blank), dim=1) + self.positions[where]
        bias = torch.zeros(len(where))
        bias[active:] = math.log(outside / len(sampled))
        for block in self.layers:
            x, _ = block(x, bias)
        return self.norm(x), bias


class Decoder(nn.Module):
    def __init__(self, ordinary_tokens: int) -> None:
        super().__init__()
        self.ordinary = nn.Parameter(torch.randn(ordinary_tokens, WIDTH) * EMBEDDING_SCALE)
        self.ordinary_out = nn.Parameter(torch.randn(ordinary_tokens, WIDTH) * EMBEDDING_SCALE)
        self.register_buffer("clock", sinusoids(TIMESTAMPS))
        self.timestamp, self.timestamp_out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        for linear in (self.timestamp, self.timestamp_out):
            nn.init.zeros_(linear.bias)
            with torch.no_grad():
                linear.weight.copy_(torch.eye(WIDTH) * TIMESTAMP_SCALE)
        self.positions = nn.Parameter(sinusoids(TEXT_POSITIONS) * EMBEDDING_SCALE)
        self.layers = nn.ModuleList(Block(decoder=True) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)

    def input_table(self) -> Tensor:
        """Embeddings of all tokens (V, D); timestamps are a linear map of the encoder's position code."""
        return torch.cat((self.ordinary, self.timestamp(self.clock)))

    def output_table(self) -> Tensor:
        return torch.cat((self.ordinary_out, self.timestamp_out(self.clock)))

    def forward(self, tokens: Tensor, encoded: Tensor, encoded_bias: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Hidden states (B, L, D) and the cross-attention weights of every layer (B, HEADS, L, K)."""
        length = tokens.shape[1]
        x = F.embedding(tokens, self.input_table()) + self.positions[:length]
        causal = torch.full((length, length), -torch.inf).triu(1)
        attention = []
        for block in self.layers:
            x, weights = block(x, causal, encoded, encoded_bias)
            attention.append(weights)
        return self.norm(x), attention


class DemoWhisper(nn.Module):
    """The model, with two classifiers of encoder positions that are used only for training."""

    def __init__(self, ordinary_tokens: int, phones: int, words: int) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder(ordinary_tokens)
        self.phone_classifier = nn.Linear(WIDTH, phones)
        self.word_classifier = nn.Linear(WIDTH, words)

    def forward(self, batch: Batch, frozen: bool) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The encoded positions, decoder states and attention weights; a `frozen` encoder gets no gradient."""
        with torch.set_grad_enabled(not frozen):
            encoded, bias = self.encoder(batch.features, batch.padding, batch.first_position)
        hidden, attention = self.decoder(batch.inputs, encoded, bias)
        return encoded, hidden, attention
