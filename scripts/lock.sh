#!/usr/bin/env bash
# Rewrite constraints.txt with the newest versions that pyproject.toml allows, resolved in a throw-away environment.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${PYTHON:-python3}" -m venv "$scratch/venv"
pip=("$scratch/venv/bin/python" -m pip --quiet --disable-pip-version-check)
"${pip[@]}" install "${TORCH_SPEC:-torch==2.13.0}"
"${pip[@]}" install --upgrade pip
"${pip[@]}" install --editable ".[all]"
{
    echo "# Written by 'make lock'. PyTorch is not here: scripts/install.sh installs it first (TORCH_SPEC)."
    "${pip[@]}" freeze --exclude-editable | grep -viE '^(torch|triton|nvidia-[a-z0-9-]+|pip|setuptools|cuda-[a-z]+)([ =@]|$)'
} >"$scratch/constraints.txt"
mv "$scratch/constraints.txt" constraints.txt
echo "lock: $(grep -c '==' constraints.txt) versions written to constraints.txt"
