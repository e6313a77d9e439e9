# Sourced by run: a Debian kernel with drbd.ko, unpacked under $LAB_CACHE; nothing is installed.
#
#   kernel_fetch    sets KERNEL (the image), KERNEL_VERSION and KERNEL_ROOT, under which lib/modules lies; what is there
#                   already is used again; returns 1 with the reason in KERNEL_ABSENT where the package can't be had
KERNEL_SERIES=6.12
KERNEL_ABSENT=

# The mirror that this machine itself uses for its Debian release.
debian_mirror() {
  local codename
  codename=$(. /etc/os-release && echo "${ID:-}/${VERSION_CODENAME:-}")
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 2> /dev/null |
    awk -v wanted="${codename#debian/}" '$1 == wanted { print $2; exit }'
}

private_apt() { # TOOL ARGUMENTS...
  local tool=$1 home=$LAB_CACHE/apt
  shift
  timeout 600 "$tool" -q -o Dir::Etc::sourcelist="$home/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferencesparts=/dev/null -o Dir::State::lists="$home/lists" -o Dir::Cache="$home/cache" -o APT::Sandbox::User=root \
    -o Acquire::Languages=none -o APT::Get::List-Cleanup=false "$@"
}

kernel_unpacked() {
  local image
  for image in "$LAB_CACHE"/kernel/boot/vmlinuz-"$KERNEL_SERIES".*; do
    [ -e "$image" ] || return 1
    KERNEL=$image
    KERNEL_VERSION=${image##*/vmlinuz-}
    KERNEL_ROOT=$LAB_CACHE/kernel
    [ -e "$KERNEL_ROOT/lib/modules/$KERNEL_VERSION/modules.dep" ] || return 1
  done
}

kernel_download() {
  local mirror package home=$LAB_CACHE/apt log=$LAB_CACHE/fetch.log
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { KERNEL_ABSENT="this machine has no Debian mirror"; return 1; }
  rm -rf "$home" "$LAB_CACHE/kernel" "$LAB_CACHE/kernel.new"
  mkdir -p "$home/lists/partial" "$home/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm-backports main" > "$home/sources.list"
  private_apt apt-get update > "$log" 2>&1 || { KERNEL_ABSENT="apt-get update: $(tail -n 1 "$log")"; return 1; }
  package=$(private_apt apt-cache pkgnames linux-image-$KERNEL_SERIES |
    grep -E "^linux-image-${KERNEL_SERIES//./\\.}\.[0-9.]+\+[a-z0-9.]+-amd64$" | sort -V | tail -n 1)
  [ -n "$package" ] || { KERNEL_ABSENT="bookworm-backports offers no kernel $KERNEL_SERIES"; return 1; }
  (cd "$home" && private_apt apt-get download "$package") >> "$log" 2>&1 ||
    { KERNEL_ABSENT="apt-get download $package: $(tail -n 1 "$log")"; return 1; }
  dpkg -x "$home/$package"_*.deb "$LAB_CACHE/kernel.new"
  depmod -b "$LAB_CACHE/kernel.new" "${package#linux-image-}"
  mv "$LAB_CACHE/kernel.new" "$LAB_CACHE/kernel"
  rm -rf "$home"
}

kernel_fetch() {
  [ "$(uname -m)" = x86_64 ] || { KERNEL_ABSENT="the machine is no x86_64"; return 1; }
  kernel_unpacked || { kernel_download && kernel_unpacked; }
}
