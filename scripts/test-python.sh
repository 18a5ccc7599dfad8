#!/usr/bin/env bash
# Tests clients/python: linter, types, tests, and that it installs from its
# folder. PYTHON chooses the interpreter; by default Debian's, whose packages
# scripts/test.sh installs.
set -euo pipefail
cd "$(dirname "$0")/../clients/python"
python=${PYTHON:-/usr/bin/python3}
export PYTHONDONTWRITEBYTECODE=1

has() { "$python" -c "import $1" 2>/dev/null; }

if ! has pytest || ! has jwt || ! has cryptography; then
	echo "left out: the Python client; it needs the packages python3-pytest, python3-jwt and python3-cryptography" >&2
	[ "${CI:-}" != true ] || exit 1
	exit 0
fi
! has flake8 || "$python" -m flake8
# The types of the tests take as long again.
! has mypy || if [ "${CI:-}" = true ]; then "$python" -m mypy; else "$python" -m mypy src; fi
"$python" -m pytest

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp -r . "$dir/source" # setuptools builds in place
"$python" -m venv --system-site-packages "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check --no-index --no-build-isolation --no-deps "$dir/source"
cd "$dir"
"$dir/venv/bin/python" -c 'import jotsmith, pathlib; assert (pathlib.Path(jotsmith.__file__).parent / "py.typed").exists()'
"$dir/venv/bin/python" -c 'from jotsmith.testing import Issuer; i = Issuer(); assert i.verifier().verify(i.token("acc_x")).subject == "acc_x"'
echo "installs from its folder"
