"""Unpacks CTranslate2's shared library, and the libraries that it depends on, from its wheel.

Usage: unpack_ctranslate2.py WHEELS_DIRECTORY DESTINATION
"""

import pathlib
import shutil
import sys
import zipfile

# ct2rs links these libraries, which are inside the shared library already: empty archives satisfy the linker.
EMPTY_ARCHIVE = b"!<arch>\n"
INCLUDED = ("cpu_features", "cudart_static")


def unpack(wheel: pathlib.Path, directory: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as contents:
        for member in contents.namelist():
            if member.startswith("ctranslate2.libs/") and not member.endswith("/"):
                # Extracted with the current time, so that cargo links again when the library has changed.
                with contents.open(member) as source, (directory / pathlib.PurePosixPath(member).name).open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    for name in INCLUDED:
        (directory / f"lib{name}.a").write_bytes(EMPTY_ARCHIVE)
    # The name that the linker looks for.
    (library,) = directory.glob("libctranslate2-*.so.*")
    (directory / "libctranslate2.so").symlink_to(library.name)


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
