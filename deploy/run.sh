#!/bin/sh
# Runs api and writer together until Ctrl-C, or until one of them ends: then the
# other is stopped too, the api first, so that the writer follows it to the end.
set -u
data=${DATA:-data}
case $data in /*) ;; *) data=$PWD/$data ;; esac
mkdir -p "$data"

if [ "$WEBHOOK_SECRET" = testsecret ]; then
	echo 'make run: WEBHOOK_SECRET is "testsecret", known to everybody; set your own beyond trying things out' >&2
fi
export WEBHOOK_SECRET
export DATABASE_URL="${DATABASE_URL:-sqlite:///$data/app.db}"
export NATS_STORE_DIR="${NATS_STORE_DIR:-$data/jetstream}"
export HTTP_ADDR="${HTTP_ADDR:-127.0.0.1:8000}"
if [ -z "${NATS_TOKEN:-}${NATS_TOKEN_FILE:-}" ]; then
	NATS_TOKEN=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	export NATS_TOKEN
fi

# Ctrl-C reaches the whole process group; sessions of their own leave it to this
# script who stops when.
stopping=
trap 'stopping=yes; kill -TERM "$api" 2>/dev/null' INT TERM HUP
setsid=$(command -v setsid || true)
$setsid bin/api & api=$!
$setsid bin/writer & writer=$!

alive() { kill -0 "$1" 2>/dev/null; }
while alive "$api" && alive "$writer"; do sleep 0.2; done

kill -TERM "$api" 2>/dev/null
wait "$api"; api_exit=$?
kill -TERM "$writer" 2>/dev/null
wait "$writer"; writer_exit=$?

[ -n "$stopping" ] || echo "make run: a program ended by itself (api: $api_exit, writer: $writer_exit)" >&2
[ "$api_exit" -eq 0 ] || exit "$api_exit"
exit "$writer_exit"
