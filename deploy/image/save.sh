#!/bin/sh
# Writes an image from its builder to a file for `docker load` and `podman load`.
# usage: save.sh BUILDER IMAGE FILE.gz
set -eu
file=${3%.gz}
case $1 in
  docker) docker save --output "$file" "$2" ;;
  buildah) buildah push --quiet "docker.io/library/$2" "docker-archive:$file:$2" ;;
esac
gzip -nf "$file"
