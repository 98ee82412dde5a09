#!/bin/sh
# Looks for known vulnerabilities in what the programs call. Where the database
# cannot be reached it says so and does not fail: what is not known is not wrong.
set -u
said=$(go tool -modfile=deploy/release/go.mod govulncheck ./cmd/... 2>&1)
code=$?
case $said in
*'fetching vulnerabilities:'* | *'fetching latest modified time'*)
	echo "NOT CHECKED: known vulnerabilities: the database cannot be reached: $said" >&2
	exit 0
	;;
esac
printf '%s\n' "$said"
exit "$code"
