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


def main() -> None:
    wheels, root = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    (wheel,) = wheels.glob("ctranslate2-*.whl")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as contents:
        for member in contents.namelist():
            if member.startswith("ctranslate2.libs/") and not member.endswith("/"):
                with contents.open(member) as source, (root / pathlib.PurePosixPath(member).name).open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    for name in INSIDE:
        (root / f"lib{name}.a").write_bytes(EMPTY_ARCHIVE)
    # The linker looks for this name; it comes last, so that an interrupted run is not taken for a finished one.
    (library,) = root.glob("libctranslate2-*.so.*")
    (root / "libctranslate2.so").symlink_to(library.name)


if __name__ == "__main__":
    main()
