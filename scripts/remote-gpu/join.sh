#!/bin/sh
# Joins the parts of a checkpoint that lie beside this file into a new folder: sh join.sh FOLDER
# Every part and the whole are checked first; if one is missing or damaged, nothing is left behind.
set -eu

refuse() {
  echo "join.sh: $1" >&2
  exit 1
}

checksum() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi <"$1" | cut -d ' ' -f 1
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
target=${1:-checkpoint}
[ ! -e "$target" ] || refuse "$target exists already; name a folder that does not."
[ -f "$here/SHA256SUMS" ] || refuse "SHA256SUMS is missing, so the parts cannot be checked."

work=$target.joining
rm -rf "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/checkpoint"

whole=
while read -r wanted name; do
  if [ "$name" = checkpoint.tar ]; then
    whole=$wanted
    continue
  fi
  [ -f "$here/$name" ] || refuse "$name is missing."
  [ "$(checksum "$here/$name")" = "$wanted" ] || refuse "$name is damaged: its checksum is not the one in SHA256SUMS."
  cat "$here/$name" >>"$work/checkpoint.tar"
done <"$here/SHA256SUMS"
[ -f "$work/checkpoint.tar" ] || refuse "SHA256SUMS names no parts."
[ "$(checksum "$work/checkpoint.tar")" = "$whole" ] || refuse "the joined parts are not the whole that SHA256SUMS names."

tar -xf "$work/checkpoint.tar" -C "$work/checkpoint"
mv "$work/checkpoint" "$target"
