#!/usr/bin/env bash
# On a GPU host: unpacks what pack.mjs made over this checkout, then runs a command with that Node.
#
#   bash tools/gpu/run.sh node tools/cli/dist/main.js doctor
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [ "$#" -eq 0 ]; then
  echo "usage: bash tools/gpu/run.sh <command> [arguments]" >&2
  exit 2
fi
for part in node.tar.xz overlay.tar.xz commit; do
  if [ ! -f ".gpu/$part" ]; then
    echo ".gpu/$part is not here: run 'node tools/gpu/pack.mjs' where the repository is built," >&2
    echo "and bring the folder .gpu along." >&2
    exit 1
  fi
done

# Unpacked once per pack.
stamp=".gpu/unpacked-$(cksum <.gpu/overlay.tar.xz | tr ' ' '-')"
if [ ! -f "$stamp" ]; then
  mkdir -p .gpu/bin
  tar -xJf .gpu/node.tar.xz -C .gpu/bin
  tar -xJf .gpu/overlay.tar.xz
  touch "$stamp"
fi
# The pack has the addon and no tools to build it.
export DEEPGEMM_PREBUILT=1
# Results name what the pack was built from, not this checkout.
DEEPGEMM_COMMIT=$(<.gpu/commit)
export DEEPGEMM_COMMIT
PATH="$PWD/.gpu/bin:$PWD/node_modules/.bin:$PATH" exec "$@"
