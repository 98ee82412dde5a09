#!/bin/sh
# Builds a release into dist: for each platform an archive of the two programs, and
# for each program what it is made of (CycloneDX). Each platform is built twice, the
# second time from a copy elsewhere and without any cache, and must come out the same.
# Needs VERSION, COMMIT and LDFLAGS, as `make release` gives them.
set -eu

copy=$(mktemp -d)
trap 'chmod -R u+w "$copy"; rm -rf "$copy"' EXIT
mkdir "$copy/src"
cp -r go.mod go.sum cmd internal pkg "$copy/src/"

rm -rf dist
mkdir dist
export CGO_ENABLED=0 GOOS=linux GOFLAGS=-buildvcs=false
made=$(git log -1 --format=%ct 2>/dev/null || echo 0)

for GOARCH in ${PLATFORMS:-amd64 arm64}; do
	export GOARCH
	name=sluice-$VERSION-linux-$GOARCH
	echo "building $name"
	go build -trimpath -ldflags "$LDFLAGS" -o "dist/$name/" ./cmd/api ./cmd/writer
	(cd "$copy/src" && GOCACHE="$copy/cache" go build -trimpath -ldflags "$LDFLAGS" -o "$copy/$name/" ./cmd/api ./cmd/writer)
	for program in api writer; do
		cmp "dist/$name/$program" "$copy/$name/$program" || { echo "not reproducible: $program for $GOARCH" >&2; exit 1; }
		(unset GOOS GOARCH && go tool -modfile=deploy/release/go.mod cyclonedx-gomod bin -json -std -noserial -notimestamp \
			-version "$VERSION" -output "dist/$name-$program.cdx.json" "dist/$name/$program")
	done
	cp LICENSE README.md "dist/$name/"
	cp -r deploy/systemd "dist/$name/"
	tar --sort=name --mtime="@$made" --owner=0 --group=0 --numeric-owner -C dist -cf - "$name" | gzip -9n >"dist/$name.tar.gz"
	rm -rf "dist/$name"
done
(cd dist && sha256sum ./* >SHA256SUMS && cat SHA256SUMS)
