#!/bin/sh
# Builds forebay:VERSION with docker, else buildah: `make image`. BUILDER selects one; PLATFORM is
# another platform, or several, as linux/amd64,linux/arm64; BASE is another base image; STAND_IN=1
# builds one where it cannot be pulled. npm's user configuration and NODE_EXTRA_CA_CERTS are mounted
# during the build, and not kept.
set -eu
cd "$(dirname "$0")/../.."

builder=${BUILDER:-}
if [ -z "$builder" ]; then
  # The Docker client alone cannot build, and its legacy builder does not support secrets.
  if docker buildx version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then builder=docker
  elif command -v buildah >/dev/null; then builder=buildah; fi
fi
version=$(node -p "require('./package.json').version")
revision=$(git rev-parse HEAD)
[ -z "$(git status --porcelain)" ] || revision="$revision-dirty"
base=${BASE:-$(sed -n 's/^ARG BASE=//p' Dockerfile)}
platforms=${PLATFORM:-}

set -- --build-arg "BASE=$base" --build-arg "VERSION=$version" \
  --build-arg "REVISION=$revision" --build-arg "CREATED=$(git show -s --format=%cI HEAD)"
npmrc=$(npm config get userconfig)
[ ! -s "$npmrc" ] || set -- "$@" --secret "id=npmrc,src=$npmrc"
[ ! -s "${NODE_EXTRA_CA_CERTS:-}" ] || set -- "$@" --secret "id=ca,src=$NODE_EXTRA_CA_CERTS"
# Finds the base image in the local storage. $1: architecture
has_base() {
  container=$(buildah from --pull-never --platform "linux/$1" "$base" 2>/dev/null) &&
    buildah rm "$container" >/dev/null
}

[ -z "$platforms" ] || set -- "$@" --platform "$platforms"

case $builder in
  docker)
    docker build "$@" --tag "forebay:$version" . ;;
  buildah)
    # The first stage of the Dockerfile runs on this machine's architecture.
    architectures=$({ buildah info --format '{{.host.arch}}' && echo && echo "$platforms"; } |
      tr ',' '\n' | sed '/^$/d; s|^linux/||' | sort -u)
    for one in $architectures; do
      if ! has_base "$one" && ! buildah pull --quiet --platform "linux/$one" "$base"; then
        if [ "${STAND_IN:-}" != 1 ]; then
          echo "image: cannot pull $base; STAND_IN=1 builds a stand-in, for tests" >&2
          exit 1
        fi
        echo "image: cannot pull $base for $one: building a stand-in"
        deploy/image/base.sh "${base#docker.io/library/}" $architectures
        break
      fi
    done
    tag=--tag
    case $platforms in *,*) tag=--manifest ;; esac
    # Docker format: OCI has no health check. Without cached layers: buildah would take the labels of
    # an older build from them.
    buildah build --isolation chroot --pull=false --format docker --layers=false "$@" \
      $tag "docker.io/library/forebay:$version" . ;;
  *)
    echo 'image: no builder found: needs a running Docker with buildx, or buildah' >&2
    exit 3 ;;
esac
echo "forebay:$version, revision $revision, built with $builder"
# SAVE: a file to save the image to.
[ -z "${SAVE:-}" ] || deploy/image/save.sh "$builder" "forebay:$version" "$SAVE"
