#!/bin/sh
# Writes an image into a file that `docker load` and `podman load` take.   usage: save.sh IMAGE FILE
set -eu
if docker image inspect "$1" >/dev/null 2>&1; then
  docker save "$1" | gzip -n >"$2"
else
  buildah push --quiet "docker.io/library/$1" "docker-archive:${2%.gz}:$1"
  gzip -nf "${2%.gz}"
fi
