#!/bin/sh
# Makes .venv from the lock file; leaves no half-made environment behind.
# usage: scripts/setup.sh run|dev
set -eu
cd "$(dirname "$0")/.."
kind=${1:-run}
case $kind in
  run) lock=requirements.lock ;;
  dev) lock=requirements-dev.lock ;;
  *) echo "usage: scripts/setup.sh run|dev" >&2; exit 2 ;;
esac

fail() { printf '\n%s\n' "$*" >&2; exit 1; }

stamp=$(cat "$lock" pyproject.toml | cksum | tr ' ' '-')
have() { [ -x .venv/bin/python ] && [ "$(cat ".venv/ready-$1" 2>/dev/null)" = "$2" ]; }
have "$kind" "$stamp" && exit 0
if [ "$kind" = run ]; then # an environment made for tests serves as well
  have dev "$(cat requirements-dev.lock pyproject.toml | cksum | tr ' ' '-')" && exit 0
fi

python=
for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
  if command -v "$name" >/dev/null 2>&1 &&
     "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$name
    break
  fi
done
if [ -z "$python" ]; then
  found=$(python3 --version 2>/dev/null || echo "no python3")
  fail "听澜需要 Python 3.11 或更新的版本，这台机器上是：$found。
请先安装，例如 Debian/Ubuntu：apt-get install python3 python3-venv
(tinglan needs Python 3.11 or newer; found: $found)"
fi
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
  fail "这个 Python 缺少 venv 模块。Debian/Ubuntu：apt-get install python3-venv
(this Python lacks the venv module)"

# One at a time: a second terminal would take what the first is making for a leftover.
turn=.venv-setup
if ! mkdir "$turn" 2>/dev/null; then
  owner=$(cat "$turn/pid" 2>/dev/null || echo 0)
  if [ "$owner" -gt 0 ] 2>/dev/null && kill -0 "$owner" 2>/dev/null; then
    fail "另一个终端正在准备运行环境（进程 $owner）。等它完成后再运行，没有动它。
(another terminal is setting up .venv, process $owner: run this again when it is done)"
  fi
  rm -rf "$turn" && mkdir "$turn"
fi
echo $$ > "$turn/pid"
trap 'rm -rf "$turn"' EXIT

undo() { rm -rf .venv; }
trap 'undo; exit 130' INT TERM HUP
[ -d .venv ] && [ ! -f .venv/ready-run ] && [ ! -f .venv/ready-dev ] && undo
rm -f .venv/ready-run .venv/ready-dev

echo "正在准备运行环境（只在第一次，约一两分钟）…… / setting up .venv (first time only)"
[ -x .venv/bin/python ] || "$python" -m venv .venv || { undo; fail "无法建立 .venv / cannot make .venv"; }
if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check \
     --require-hashes -r "$lock"; then
  undo
  fail "安装依赖失败：多半是连不上软件包源。请检查网络或 pip 的源设置，然后重新运行。没有留下半成品。
(installing the locked packages failed: is the package index reachable? nothing half-made was left)"
fi
if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check \
     --no-deps --no-build-isolation -e .; then
  undo
  fail "安装听澜自身失败，见上面的输出。没有留下半成品。 (installing tinglan itself failed)"
fi
printf '%s' "$stamp" > ".venv/ready-$kind"
trap - INT TERM HUP
