#!/usr/bin/env bash
# Builds sdist and wheel, and verifies them as a stranger would meet them:
#
#   .ci/package.sh [FOLDER]      leaves both in FOLDER (dist/); PYTHON=python unless set
#
# The sdist holds what the repository holds, the wheel what the package holds; an index accepts and
# renders them; the wheel, and what the sdist builds, install and run in bare environments.
# Needs `build` and `twine` (extra dev).
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
out=$scratch/dist

"$python" -m build --outdir "$out" . >"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    exit 1
}
"$python" -m twine check --strict "$out"/*

"$python" - "$out" <<'END'
import subprocess, sys, tarfile, zipfile
from pathlib import Path

out = Path(sys.argv[1])
[sdist], [wheel] = out.glob("*.tar.gz"), out.glob("*.whl")
with tarfile.open(sdist) as archive:
    packed = {name.partition("/")[2] for name in archive.getnames()}
with zipfile.ZipFile(wheel) as archive:
    installed = {name for name in archive.namelist() if ".dist-info/" not in name}
try:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout
except (OSError, subprocess.CalledProcessError):
    sys.exit(print("no git here: the contents were not compared"))
files = {name for name in listed.splitlines() if Path(name).exists()}
package = {name for name in files if name.startswith("soniox_sync/")}
for what, missing in (("sdist", files - packed), ("wheel", package ^ installed)):
    if missing:
        sys.exit(f"{what}: not as in the repository: {sorted(missing)}")
print(f"sdist: {len(files)} files, wheel: {len(package)}, as in the repository")
END

for file in "$out"/*; do
    bare=$scratch/bare
    "$python" -m venv --clear "$bare"
    bin=$bare/bin
    [ -d "$bin" ] || bin=$bare/Scripts
    "$bin/python" -m pip install --quiet "$file"
    (cd "$scratch" && "$bin/soniox-sync" --version && "$bin/python" -m pip check)
    # away from the repository, without any extra: tones, and made-up words, but all of it runs
    mkdir -p "$scratch/demo"
    (cd "$scratch" && env -u SONIOX_API_KEY "$bin/soniox-sync" demo --dir demo >demo.log 2>&1) || {
        cat "$scratch/demo.log" >&2
        exit 1
    }
done

mkdir -p "${1:-dist}"
cp "$out"/* "${1:-dist}"
