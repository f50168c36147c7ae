"""Unpacks the static MKL archives that are linked, the headers and the licence from their wheels.

Usage: unpack_mkl.py WHEELS_DIRECTORY DESTINATION ARCHIVE...
"""

import pathlib
import shutil
import sys
import zipfile


def destination_of(member: str, root: pathlib.Path, archives: set[str]) -> pathlib.Path | None:
    """The path of a wheel's member below `root`, or None if it is not needed."""
    package, _, inside = member.partition(".data/data/")
    if inside.startswith("include/"):
        return root / inside
    if inside.startswith("lib/") and pathlib.PurePosixPath(inside).name in archives:
        return root / inside
    if member.endswith("/LICENSE.txt") and package.startswith("mkl_static"):
        return root / "LICENSE.txt"
    return None


def main() -> None:
    wheels, root, archives = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), set(sys.argv[3:])
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as contents:
            for member in contents.namelist():
                target = destination_of(member, root, archives)
                if target is None or member.endswith("/"):
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                # Renamed when complete, so that an interrupted run is not taken for a finished one.
                partial = target.with_name(target.name + ".partial")
                with contents.open(member) as source, partial.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
                partial.rename(target)


if __name__ == "__main__":
    main()
