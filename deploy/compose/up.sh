#!/bin/sh
# Makes .env at the first run, builds the images, starts them and waits until each
# service is healthy.
set -eu
cd "$(dirname "$0")"

if [ ! -e .env ]; then
	secret=${WEBHOOK_SECRET:-testsecret}
	if [ "$secret" = testsecret ]; then
		echo 'make up: WEBHOOK_SECRET is "testsecret", known to everybody; set your own in deploy/compose/.env beyond trying things out' >&2
	fi
	token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	(umask 077 && secret=$secret token=$token awk '
		/^WEBHOOK_SECRET=/ { print "WEBHOOK_SECRET=" ENVIRON["secret"]; next }
		/^NATS_TOKEN=/ { print "NATS_TOKEN=" ENVIRON["token"]; next }
		{ print }' .env.example >.env)
	echo 'make up: wrote deploy/compose/.env' >&2
fi

./compose.sh up -d --build --remove-orphans

# Compose 1 cannot wait by itself. A container without a check of its own counts once it runs.
deadline=$(($(date +%s) + ${UP_TIMEOUT:-120}))
for id in $(./compose.sh ps -q); do
	while
		state=$(docker inspect -f '{{.Name}} {{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' "$id")
		case $state in *' healthy' | *' running') false ;; esac
	do
		if [ "$(date +%s)" -ge "$deadline" ]; then
			echo "make up: not healthy: $state" >&2
			./compose.sh logs --tail=20 >&2
			exit 1
		fi
		sleep 1
	done
done
./compose.sh ps
