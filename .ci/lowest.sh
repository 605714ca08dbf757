#!/usr/bin/env bash
# The suite with the lowest version of everything that setup.cfg allows, on the oldest Python:
#
#   .ci/lowest.sh [PYTEST-ARGUMENT...]     PYTHON=python3.9, EXTRAS="test" unless set
#
# With EXTRAS="test examples docs audio" the servers, the pages and the examples run, too.
# A bound that nobody tried is a guess: 3.8 to 3.9.14 of orjson crashed on deep nesting, 0.12 of
# soundfile could not write what the sandbox asks of it, and both were allowed once.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3.9}
extras=${EXTRAS:-test}
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
"$python" -m venv "$venv"
# shellcheck disable=SC1091
. "$venv/bin/activate"
python --version
python -m pip install --quiet --upgrade pip packaging
# shellcheck disable=SC2086
python .ci/lowest.py $extras | tee "$venv/constraints.txt"
# srt has never had a wheel; all others must, or a newcomer needs a compiler
python -m pip install --quiet --only-binary :all: --no-binary srt \
    --constraint "$venv/constraints.txt" -e ".[${extras// /,}]" --config-settings editable_mode=compat
python -m pip list --format=freeze | tr '\n' ' '
echo
python -m pytest "$@"
