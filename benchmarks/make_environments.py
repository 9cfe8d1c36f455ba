"""Make one virtual environment for each library that compare.py runs.

    python benchmarks/make_environments.py FOLDER [NAME ...]

They cannot share one: TensorFlow, PyTorch and JAX each want their own NumPy. An environment that
is there already is left as it is. PyTorch comes as the index that pip is set to offers it; on a
computer without a GPU its CPU build saves 2 GB: set PIP_INDEX_URL, or install torch beforehand.
"""

import argparse
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Each entry is one call of pip. Those with --no-deps leave out torchvision, which they name
# and do not need here, and whose usual build does not load beside a PyTorch without CUDA.
ENVIRONMENTS: dict[str, list[list[str]]] = {
    "tf-keras-vis": [["tensorflow==2.21.0", "tf-keras-vis==0.8.7", "h5py", "matplotlib"]],
    "torch": [
        ["torch==2.13.0"],
        ["captum==0.9.0", "h5py", "opencv-python-headless", "pillow", "scikit-learn", "tqdm"],
        ["--no-deps", "grad-cam==1.5.7", "ttach", "zennit==0.5.1"],
    ],
    "jax": [["keras==3.*", "h5py", str(ROOT)]],
}


def python_of(folder: Path, name: str) -> Path:
    """Return the interpreter of an environment."""
    inside = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    return folder / name / inside


def make(folder: Path, name: str) -> None:
    python = python_of(folder, name)
    if python.exists():
        print(f"{name}: is there")
        return
    venv.create(folder / name, with_pip=True)
    for packages in ENVIRONMENTS[name]:
        print(f"{name}: pip install {' '.join(packages)}")
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ENVIRONMENTS))
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(ENVIRONMENTS))
    if unknown:
        parser.error(f"no such environment: {', '.join(unknown)}; there are {[*ENVIRONMENTS]}")
    for name in options.names or ENVIRONMENTS:
        make(options.folder, name)


if __name__ == "__main__":
    main()
