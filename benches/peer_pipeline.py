"""How the benchmarks open faster-whisper."""

from faster_whisper import BatchedInferencePipeline, WhisperModel


def open_pipeline(model: str, threads: int, batched: bool) -> WhisperModel | BatchedInferencePipeline:
    """Its batched or its sequential pipeline, on the processor, in 8-bit integers."""
    opened = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=threads)
    return BatchedInferencePipeline(opened) if batched else opened
