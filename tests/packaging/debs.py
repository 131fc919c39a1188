"""The packages that scripts/package built, and the same with another version, as the next release's would be."""
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = pathlib.Path(os.environ.get("WEFT_PACKAGES", ROOT / "build/packages")).resolve()
NAMES = ("weft-controller", "weft-cli", "weft-lab")


def built():
    """The three packages' files; none if they have not been built."""
    found = [next(BUILT.glob(f"{name}_*.deb"), None) for name in NAMES]
    return found if all(found) else []


def field(deb, name):
    return subprocess.run(["dpkg-deb", "--field", deb, name], check=True, capture_output=True, text=True).stdout.strip()


def with_version(debs, version, directory):
    """Copies of packages, in `directory`, which say that they are of this version, to each other too."""
    made = []
    for deb in debs:
        tree = pathlib.Path(directory) / deb.stem
        subprocess.run(["dpkg-deb", "--raw-extract", deb, tree], check=True)
        control = tree / "DEBIAN/control"
        control.write_text(control.read_text().replace(field(deb, "Version"), version))
        made.append(pathlib.Path(directory) / f"{field(deb, 'Package')}_{version}.deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, made[-1]], check=True,
                       stdout=subprocess.DEVNULL)
    return made
