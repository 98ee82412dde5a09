#!/bin/sh
# Signs a message, posts it to a running api and reads it back at once.
set -u
secret=${WEBHOOK_SECRET:-$(cat "$WEBHOOK_SECRET_FILE")}
url=${BASE_URL:-http://127.0.0.1:8000}
id=quick-test-$(date +%s)-$$
body='{"message_id":"'$id'","from":"+919876543210","to":"+14155550100","ts":"2025-01-15T10:00:00Z","text":"quick test"}'
signature=$(printf '%s' "$body" | openssl dgst -sha256 -hmac "$secret" | sed 's/^.* //')

fail() { echo "FAIL: $1" >&2; exit 1; }
posted=$(curl -sS -w ' %{http_code}' "$url/webhook" -H 'Content-Type: application/json' \
	-H "X-Signature: $signature" -d "$body") || fail "no api at $url"
[ "$posted" = '{"status":"ok"} 200' ] || fail "POST /webhook answered $posted"
found=$(curl -sS "$url/messages/$id") || fail 'GET /messages/… got no answer'
case $found in
*"\"message_id\":\"$id\""*) echo "PASS: $found" ;;
*) fail "GET /messages/$id answered $found" ;;
esac
