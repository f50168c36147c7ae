"""Log-mel features, as in Whisper."""

import numpy as np
import torch

from speech import SAMPLE_RATE

HOP = 160  # samples per frame: 10 ms
FFT = 400  # samples
MELS = 80
LOG_FLOOR = 1e-10
DYNAMIC_RANGE = 8.0  # powers of ten between the loudest bin and the floor


def _mel_filters() -> torch.Tensor:
    """Slaney-scale triangular filters of unit area, 0 to 8 kHz: (MELS, FFT // 2 + 1)."""
    linear_step, knee_hz, log_step = 200.0 / 3, 1000.0, np.log(6.4) / 27
    knee = knee_hz / linear_step

    def to_hz(mel: np.ndarray) -> np.ndarray:
        return np.where(mel < knee, mel * linear_step, knee_hz * np.exp(log_step * (mel - knee)))

    top = knee + np.log(SAMPLE_RATE / 2 / knee_hz) / log_step
    edges = to_hz(np.linspace(0.0, top, MELS + 2))[:, None]
    bins = np.linspace(0.0, SAMPLE_RATE / 2, FFT // 2 + 1)[None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (edges[2:] - edges[:-2])
    return torch.tensor(filters, dtype=torch.float32)


MEL_FILTERS = _mel_filters()
HANN = torch.hann_window(FFT)


def log_mel(audio: torch.Tensor) -> torch.Tensor:
    """Whisper features of audio (batch, samples) in -1..1: (batch, MELS, samples // HOP)."""
    spectrum = torch.stft(audio, FFT, HOP, window=HANN, center=True, pad_mode="reflect", return_complex=True)
    power = spectrum[..., :-1].abs().square()
    log = (MEL_FILTERS @ power).clamp_min(LOG_FLOOR).log10()
    log = torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - DYNAMIC_RANGE)
    return (log + 4.0) / 4.0
