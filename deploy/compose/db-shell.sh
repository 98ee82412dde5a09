#!/bin/sh
# Opens a consistent copy of the writer's database with sqlite3: the images hold
# no shell, and a volume belongs to the engine. WRITER names the service, when there
# are several.
set -eu
command -v sqlite3 >/dev/null || { echo 'sqlite3 is not here' >&2; exit 1; }
copy=$(mktemp)
trap 'rm -f "$copy"' EXIT
"$(dirname "$0")/compose.sh" exec -T "${WRITER:-writer}" /writer snapshot - >"$copy"
echo 'a copy as of now; the database is not changed' >&2
sqlite3 -readonly "$copy"
