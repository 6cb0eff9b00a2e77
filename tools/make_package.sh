#!/bin/sh
# make_package.sh FOLDER: the Debian package of this tree, made in a copy of it.
set -eu
cd "$(dirname "$0")/.."
folder=$1
version=$(sed -n "s/^project(.* version: '\([^']*\)'.*/\1/p" meson.build)
copy=$folder/postroad-$version

rm -rf "$folder"
mkdir -p "$copy"
tar -c --exclude='./build*' --exclude=./.git . | tar -x -C "$copy"
cp -r "$copy/packaging/debian" "$copy/debian"
cp packaging/systemd/postroad.service packaging/systemd/postroad.socket "$copy/debian/"
cp packaging/systemd/tmpfiles.conf "$copy/debian/postroad.tmpfiles"
cp packaging/logrotate/postroad "$copy/debian/postroad.logrotate"
log=$folder/build.log
(cd "$copy" && dpkg-buildpackage --build=binary --no-sign) >"$log" 2>&1 || { tail -40 "$log" >&2; exit 1; }
rm -rf "$copy"
ls "$folder"/*.deb
