"""Unpacks CTranslate2's shared library, and what it needs beside it, from its wheel.

Usage: unpack_ctranslate2.py WHEELS_FOLDER DESTINATION
"""

import pathlib
import shutil
import sys
import zipfile

# What ct2rs asks the linker for lies inside the shared library already: an archive without members satisfies it.
EMPTY_ARCHIVE = b"!<arch>\n"
INSIDE = ("cpu_features", "cudart_static")


def unpack(wheel: pathlib.Path, folder: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as contents:
        for member in contents.namelist():
            if member.startswith("ctranslate2.libs/") and not member.endswith("/"):
                # Written now and so newer than any program: cargo links again when the library has changed.
                with contents.open(member) as source, (folder / pathlib.PurePosixPath(member).name).open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    for name in INSIDE:
        (folder / f"lib{name}.a").write_bytes(EMPTY_ARCHIVE)
    # The linker looks for this name.
    (library,) = folder.glob("libctranslate2-*.so.*")
    (folder / "libctranslate2.so").symlink_to(library.name)


def main() -> None:
    wheels, destination = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    (wheel,) = wheels.glob("ctranslate2-*.whl")
    # Renamed when complete, so that an interrupted run is not taken for a finished one.
    partial = destination.with_name(destination.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    unpack(wheel, partial)
    shutil.rmtree(destination, ignore_errors=True)
    partial.rename(destination)


if __name__ == "__main__":
    main()
