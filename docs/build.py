"""Build the site: `python3 docs/build.py [OUT]`, after `python3 -m pip install '.[docs]'`.

Into OUT, or build/site. Notebooks are shown as stored, so nothing is run; warnings are errors, and
so is a link that leads nowhere. No network is needed, here or by who reads the pages.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from making import api, explorable, links, staging  # noqa: E402


def build(out: Path, work: Path, jobs: str = "auto") -> int:
    """Make the site of the working tree; return how many things were wrong."""
    begun = time.perf_counter()
    doctrees = work.with_name(work.name + "-doctrees")
    if out.exists() and any(out.iterdir()) and not (out / ".nojekyll").exists():
        raise SystemExit(f"{out} holds something else than a site; give an empty folder")
    for folder in (out, work, doctrees):  # a page that is gone would stay, and its links work
        shutil.rmtree(folder, ignore_errors=True)
    out.mkdir(parents=True)
    (out / ".nojekyll").touch()  # GitHub Pages would leave out folders that begin with _
    staging.stage(work)
    say(f"staged {sum(1 for _ in work.rglob('*.*'))} files", begun)
    sphinx = [sys.executable, "-m", "sphinx", "-b", "html", "-c", str(HERE), "-W", "--keep-going",
              "-q", "-j", jobs, "-d", str(doctrees), str(work), str(out)]  # fmt: skip
    if subprocess.run(sphinx, check=False).returncode:
        return 1
    say(f"{sum(1 for _ in out.rglob('*.html'))} pages", begun)
    explorable.write(out / "explorable.html")
    found = links.problems(out) + undocumented(out)
    print("\n".join(found), file=sys.stderr)
    say(f"links and public names checked, {len(found)} wrong", begun)
    return len(found)


def undocumented(out: Path) -> list[str]:
    """Return a sentence for every public name that the finished pages do not have."""
    pages = {path.name: links.Page(path.read_text(encoding="utf-8"))
             for path in (out / "api").glob("*.html")}  # fmt: skip
    lost = []
    for name, address in api.anchors().items():
        page, _, anchor = address.removeprefix("api/").partition("#")
        if anchor not in pages[page].anchors:
            lost.append(f"jv.{name} is not documented on {page}")
    return lost


def say(what: str, begun: float) -> None:
    print(f"{time.perf_counter() - begun:5.1f} s  {what}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", nargs="?", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--jobs", default="auto", help="processes; default one a core")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    wrong = build(out, out.with_name(out.name + "-source"), arguments.jobs)
    print(f"the site is {out / 'index.html'}" if not wrong else "the site is not good")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
