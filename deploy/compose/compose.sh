#!/bin/sh
# Runs Docker Compose, version 2 or 1, on the files of this folder.
set -eu
cd "$(dirname "$0")"
export COMPOSE_FILE="${COMPOSE_FILE:-$(sed -n 's/^COMPOSE_FILE=//p' .env 2>/dev/null || true)}"
export COMPOSE_FILE="${COMPOSE_FILE:-compose.yaml}"
export COMPOSE_PROJECT_NAME="${COMPOSE_PROJECT_NAME:-$(sed -n 's/^COMPOSE_PROJECT_NAME=//p' .env 2>/dev/null || true)}"
export COMPOSE_PROJECT_NAME="${COMPOSE_PROJECT_NAME:-sluice}"
if docker compose version >/dev/null 2>&1; then
	exec docker compose "$@"
elif command -v docker-compose >/dev/null; then
	exec docker-compose "$@"
fi
echo 'Docker Compose is not here: install Docker with its Compose plugin, or docker-compose' >&2
exit 1
