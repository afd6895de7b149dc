#!/usr/bin/env bash
# Create .venv and install the platform into it; does nothing when the stamp says it is already up to date.
#   TORCH_SPEC   the PyTorch build to install first, e.g. a CUDA build on a GPU node (default: the pinned CPU build)
#   PYTHON       the interpreter to create .venv with (default: python3)
#   EXTRAS       the extras of pyproject.toml to install (default: all)
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
torch=${TORCH_SPEC:-torch==2.13.0}
extras=${EXTRAS:-all}
venv=.venv

"$python" - <<'PY' || { echo "install: set PYTHON to an interpreter of version 3.11 or newer, with venv" >&2; exit 1; }
import sys, venv
sys.exit(sys.version_info < (3, 11))
PY

wanted=$({ cat pyproject.toml constraints.txt scripts/install.sh; echo "$torch $extras"; } | "$python" -c \
    'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
if [ -x "$venv/bin/mlp" ] && [ "$(cat "$venv/.installed" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

echo "install: creating $venv with $("$python" --version) (a minute or two)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
# PyTorch first and by itself: resolved along with the rest, it would bring gigabytes of CUDA libraries.
"${pip[@]}" "$torch"
"${pip[@]}" --constraint constraints.txt --editable ".[$extras]"
echo "$wanted" >"$venv/.installed"
echo "install: done; activate it with: source $venv/bin/activate"
