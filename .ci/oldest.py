"""Print the lowest version of every dependency that pyproject.toml allows, as pip constraints."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
wanted = project["dependencies"] + extras["photos"] + extras["many"] + extras["test"]
wanted = [one for one in wanted if not one.startswith("jaxvis[")]  # of the tests: the extras before
for requirement in wanted:
    match = re.fullmatch(r"([A-Za-z0-9-]+)>=([0-9.]+)", requirement)
    if match is None:
        raise SystemExit(f"{requirement!r} has no lower bound of the form name>=version")
    print(f"{match[1]}=={match[2]}")
